"""The shift of a set of files."""

from collections.abc import Iterator, Sequence

from fusion.alignment.shift import FEWEST, MOST, Agreement, Shift, measure_agreement, noted_shift
from fusion.core.errors import InputError
from fusion.images.decode import read_infrared
from fusion.images.pairs import Pair
from fusion.images.panels import spread


def survey(
    pairs: Sequence[Pair], infrared_range: tuple[float, float] | None = None
) -> Shift | None:
    """Measure up to `MOST` pairs, spread over the set, and return a shift that should be noted.

    Pairs that cannot be read, or whose images differ in size, are left out.

    Args:
        infrared_range: as `read_infrared` takes it.
    """
    if len(pairs) < FEWEST:
        return None
    return noted_shift(list(_agreements(spread(pairs, MOST), infrared_range)))


def _agreements(
    pairs: Sequence[Pair], infrared_range: tuple[float, float] | None
) -> Iterator[Agreement]:
    for pair in pairs:
        try:
            infrared = read_infrared(pair.infrared, infrared_range).pixels
            visible = read_infrared(pair.visible).pixels
        except InputError:  # the caller reports it when it uses the pair
            continue
        if infrared.shape == visible.shape:
            yield measure_agreement(infrared, visible)
