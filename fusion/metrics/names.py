"""Names and directions of the metrics; imports no torch."""

PROTOCOL = "cddfuse"
"""Name of the set of definitions; stored with every result."""

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
"""Every metric: the twelve, then those that surveys add."""

LOWER_IS_BETTER = frozenset({"MSE", "Nabf", "Qcv"})
