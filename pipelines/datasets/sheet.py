"""The contact sheet of a data set: a legend of its classes, and pairs with their labels."""

from collections.abc import Iterable, Mapping, Sequence, Set

import cv2
import numpy as np
from numpy.typing import NDArray

from detection.boxes import Annotation
from detection.drawing import boxed, color_of
from fusion.images.decode import to_rgb
from fusion.images.panels import side_by_side, spread
from pipelines.datasets.convert import Decoded
from pipelines.datasets.layout import Item, Source
from segmentation.classes import MSRS, Color
from segmentation.labels import colorize

_PANEL = 320
_GAP, _LINE, _COLUMNS = 4, 18, 5


def varied(classes: Sequence[Set[str]], count: int) -> list[int]:
    """Choose pairs that together show every class, a pair without any, and the whole range.

    A pair is chosen for each class that those before it lack, and one without classes; further
    pairs are spread evenly over the rest.

    Args:
        classes: the classes in each pair's label.
        count: how many pairs to choose; fewer if there are fewer.

    Returns:
        Their places in `classes`, ascending.

    >>> varied([{"car"}, {"car"}, {"car"}, {"lamp", "car"}, set(), {"car"}], 4)
    [0, 3, 4, 5]
    """
    chosen: list[int] = []
    unseen = set().union(*classes)
    for place, found in enumerate(classes):
        if found & unseen:
            chosen.append(place)
            unseen -= found
    chosen += [place for place, found in enumerate(classes) if not found][:1]
    chosen = chosen[:count]
    rest = [place for place in range(len(classes)) if place not in set(chosen)]
    return sorted({*chosen, *spread(rest, count - len(chosen))}) if rest else sorted(chosen)


def contact_sheet(source: Source, pairs: Iterable[tuple[Item, Decoded]]) -> NDArray[np.uint8]:
    """Draw pairs of a data set with their labels.

    Args:
        source: the data set; its classes make the legend.
        pairs: what to draw; at least one.

    Returns:
        RGB: the legend with index, name, and color of every class, then one row a pair, with the
        visible image, the infrared image, and the labels over the visible image.
    """
    rows = [_row(item, decoded, source) for item, decoded in pairs]
    legend = [_legend(source)] if source.classes else []
    return _stacked([*legend, *rows])


def _colors(source: Source) -> Mapping[str, Color]:
    names = source.classes or ()
    if source.label_classes:
        return dict(zip(names, source.label_classes.palette, strict=True))
    return {name: color_of(index) for index, name in enumerate(names)}


def _legend(source: Source) -> NDArray[np.uint8]:
    colors = _colors(source)
    width = 3 * _PANEL + 2 * _GAP
    canvas = np.full((-(-len(colors) // _COLUMNS) * _LINE, width, 3), 255, np.uint8)
    for index, (name, color) in enumerate(colors.items()):
        line, column = divmod(index, _COLUMNS)
        left, bottom = column * width // _COLUMNS, line * _LINE + 14
        cv2.rectangle(canvas, (left + 2, bottom - 10), (left + 22, bottom), color, cv2.FILLED)
        _write(canvas, f"{index} {name}", (left + 28, bottom - 1))
    return canvas


def _write(canvas: NDArray[np.uint8], text: str, place: tuple[int, int]) -> None:
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)


def _row(item: Item, decoded: Decoded, source: Source) -> NDArray[np.uint8]:
    visible, infrared = (
        _scaled(to_rgb(image.pixels)) for image in (decoded.visible, decoded.infrared)
    )
    night = " (night)" if source.night and item.pair.name in source.night else ""
    panels = {f"{item.split}/{item.pair.name}{night}": visible, "infrared": infrared}
    label = decoded.label
    if isinstance(label, Annotation):
        names = [(source.classes or ())[index] for index in label.labels]
        boxes = label.boxes * (visible.shape[1] / decoded.visible.pixels.shape[1])
        panels["boxes" if names else "no objects"] = boxed(visible, boxes, label.labels, names)
    elif label is not None:
        panels["labels" if label.any() else "background only"] = _painted(visible, label, source)
    return side_by_side(panels)


def _painted(
    visible: NDArray[np.uint8], label: NDArray[np.uint8], source: Source
) -> NDArray[np.uint8]:
    size = (visible.shape[1], visible.shape[0])
    label = np.asarray(cv2.resize(label, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    colors = colorize(label, source.label_classes or MSRS)
    mixed = cv2.addWeighted(visible, 0.4, colors, 0.6, 0)
    return np.where((label == 0)[..., None], visible, mixed).astype(np.uint8)


def _scaled(panel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height = max(1, round(panel.shape[0] * _PANEL / panel.shape[1]))
    return np.asarray(cv2.resize(panel, (_PANEL, height), interpolation=cv2.INTER_AREA), np.uint8)


def _stacked(rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Rows below each other on white; all of one width unless only some pairs have labels."""
    width = max(row.shape[1] for row in rows)
    padded = [
        np.pad(row, ((0, _GAP), (0, width - row.shape[1]), (0, 0)), constant_values=255)
        for row in rows
    ]
    return np.vstack(padded)
