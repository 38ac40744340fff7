"""Class lists of segmentation data sets: names, colors, and what counts in the mean IoU."""

from collections.abc import Sequence
from dataclasses import dataclass

IGNORE = 255
"""Label of pixels that count neither in training nor in testing, in memory and prepared files."""

Color = tuple[int, int, int]


def distinct_colors(count: int) -> tuple[Color, ...]:
    """Colors of class indices by the bits of the index: those of the Pascal VOC label images.

    >>> distinct_colors(3)
    ((0, 0, 0), (128, 0, 0), (0, 128, 0))
    """
    return tuple(
        (_high_bits(index), _high_bits(index >> 1), _high_bits(index >> 2))
        for index in range(count)
    )


def _high_bits(index: int) -> int:
    """Every third bit of an index, from the highest bit of a byte down."""
    return sum(((index >> 3 * place) & 1) << (7 - place) for place in range(8))


@dataclass(frozen=True)
class LabelClasses:
    """The classes of a data set's label images.

    Attributes:
        names: in the order of their indices, at most 255.
        palette: RGB color of each class, for pictures and for labels painted in colors.
        ignore: value of pixels without a label in the files; None if every pixel has one.
        background: whether class 0 counts in the mean IoU; papers differ.
    """

    names: tuple[str, ...]
    palette: tuple[Color, ...]
    ignore: int | None = None
    background: bool = True

    def __len__(self) -> int:
        return len(self.names)

    def in_words(self) -> str:
        """What the mean IoU is over, as part of a sentence.

        >>> MSRS.in_words()
        'mIoU over 9 classes, background counted'
        """
        if self.background:
            words = f"mIoU over {len(self)} classes, {self.names[0]} counted"
        else:
            words = f"mIoU over {len(self) - 1} classes, {self.names[0]} not counted"
        return words if self.ignore is None else f"{words}, unlabeled pixels left out"


MSRS = LabelClasses(
    (
        "background",
        "car",
        "person",
        "bike",
        "curve",
        "car stop",
        "guardrail",
        "color cone",
        "bump",
    ),
    (
        (0, 0, 0),
        (64, 0, 128),
        (64, 64, 0),
        (0, 128, 192),
        (0, 0, 192),
        (128, 128, 0),
        (64, 64, 128),
        (192, 128, 128),
        (192, 64, 0),
    ),
)
"""Tang et al., "PIAFusion", Information Fusion 2022; classes and colors are MFNet's (Ha et al.,
IROS 2017)."""

FMB = LabelClasses(
    (
        "background",
        "road",
        "sidewalk",
        "building",
        "lamp",
        "sign",
        "vegetation",
        "sky",
        "person",
        "car",
        "truck",
        "bus",
        "motorcycle",
        "bicycle",
        "pole",
    ),
    (
        (0, 0, 0),
        (228, 228, 179),
        (133, 57, 181),
        (177, 162, 67),
        (50, 178, 200),
        (199, 45, 132),
        (84, 172, 66),
        (79, 73, 179),
        (166, 99, 76),
        (253, 121, 66),
        (91, 165, 137),
        (152, 97, 155),
        (140, 153, 105),
        (158, 215, 222),
        (90, 113, 135),
    ),
)
"""Liu et al., "SegMiF", ICCV 2023."""

PRESETS = {"msrs": MSRS, "mfnet": MSRS, "fmb": FMB}
"""Known class lists by name."""


def as_colors(palette: Sequence[Sequence[int]]) -> tuple[Color, ...]:
    """Lists of red, green and blue as colors."""
    return tuple((red, green, blue) for red, green, blue in palette)
