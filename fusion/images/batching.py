"""Pairs in batches of one size, read ahead of the computation."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import groupby, islice
from typing import TypeVar

from fusion.images.decode import image_size
from fusion.images.opening import LARGEST
from fusion.images.pairs import Pair


def batches_of_one_size(
    pairs: Sequence[Pair], most: Callable[[int], int], *, largest: int = LARGEST
) -> list[list[Pair]]:
    """Group pairs by the size of their visible image, in the order of size and name.

    Args:
        most: maps the pixels of one image to the largest batch size.
        largest: as in `fusion.images.opening.open_image`.
    """
    sized = sorted(
        ((image_size(pair.visible, largest=largest), pair) for pair in pairs),
        key=lambda entry: (entry[0], entry[1].name),
    )
    batches = []
    for (height, width), group in groupby(sized, key=lambda entry: entry[0]):
        same, count = [pair for _, pair in group], most(height * width)
        batches += [same[start : start + count] for start in range(0, len(same), count)]
    return batches


Item = TypeVar("Item")
Read = TypeVar("Read")


def read_ahead(
    pool: ThreadPoolExecutor, read: Callable[[Item], Read], items: Sequence[Item], ahead: int
) -> Iterator[tuple[Item, Future[Read]]]:
    """Yield every item with its content, read or being read, in order; `ahead` items in advance."""
    upcoming = iter(items)
    waiting: deque[tuple[Item, Future[Read]]] = deque(
        (item, pool.submit(read, item)) for item in islice(upcoming, ahead)
    )
    while waiting:
        item, reading = waiting.popleft()
        wait([reading])
        waiting.extend((further, pool.submit(read, further)) for further in islice(upcoming, 1))
        yield item, reading
