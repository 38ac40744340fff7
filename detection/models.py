"""Names of the detectors whose descriptions ultralytics includes; imports nothing heavy.

Only these are built. Ultralytics interprets any other name as a file, and a model description from
a file can contain expressions.
"""

import difflib

_SIZED = """
    yolov5 yolov5-p6 yolov6 yolov8 yolov8-p2 yolov8-p6 yolov8-ghost yolov8-ghost-p2 yolov8-ghost-p6
    yolo11 yolo12 yolo26 yolo26-p2 yolo26-p6
""".split()  # noqa: SIM905 - a line is easier to compare with the library's folder

SIZES = "nsmlx"


def _with_size(family: str, size: str) -> str:
    base, dash, variant = family.partition("-")
    return f"{base}{size}{dash}{variant}"


MODELS = (
    *(_with_size(family, size) for family in _SIZED for size in SIZES),
    *("yolov3", "yolov3-spp", "yolov3-tiny"),
    *(f"yolov9{size}" for size in "tsmce"),
    *(f"yolov10{size}" for size in "nsmblx"),
)
"""Allowed values of `detection.model`."""


def require_model(name: str) -> None:
    """Reject a name that is not one of `MODELS`.

    Raises:
        ValueError: with the nearest names, or with the sizes of a family that has several.
    """
    if name in MODELS:
        return
    wanted = name.lower()
    for suffix in (".pt", ".yaml", ".yml"):
        wanted = wanted.removesuffix(suffix)
    if wanted in _SIZED:
        near = [_with_size(wanted, size) for size in SIZES]
        raise ValueError(f"'{name}' has no size: choose one of {', '.join(near)}")
    near = difflib.get_close_matches(wanted, MODELS, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "for example yolov5s, yolov8s, yolo11n"
    raise ValueError(f"'{name}' is not one of ultralytics' box detectors; {hint}")
