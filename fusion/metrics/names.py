"""Names and directions of the metrics; importing them costs no torch."""

PROTOCOL = "cddfuse"
"""Names the set of definitions; written beside every number."""

CORE = ("EN", "SD", "SF", "AG", "MI", "MSE", "CC", "PSNR", "SCD", "VIF", "Qabf", "SSIM")
"""The twelve of CDDFuse's published evaluator."""

METRIC_NAMES: tuple[str, ...] = (
    *CORE,
    "MS-SSIM",
    "Nabf",
    "FMI-pixel",
    "FMI-gradient",
    "Qcb",
    "Qcv",
)
"""Every metric: the twelve, then what surveys add."""

LOWER_IS_BETTER = frozenset({"MSE", "Nabf", "Qcv"})
