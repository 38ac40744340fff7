"""The classes of prepared label images."""

from fusion.images.prepared import PreparedSet
from segmentation.classes import IGNORE, MSRS, LabelClasses, as_colors, distinct_colors


def classes_of(prepared: PreparedSet) -> LabelClasses:
    """The classes of a prepared set, whose label files mark unlabeled pixels by `IGNORE`."""
    names = prepared.classes or ()
    if prepared.layout == "msrs":
        return MSRS
    return LabelClasses(
        tuple(names),
        as_colors(prepared.palette) if prepared.palette else distinct_colors(len(names)),
        IGNORE if prepared.unlabeled else None,
        prepared.background,
    )
