"""Bounding boxes: M3FD's VOC XML and YOLO text, for M3FD's classes or any others."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import DefusedXmlException, ElementTree
from numpy.typing import NDArray

from fusion.core.errors import InputError
from fusion.core.files import read_bytes, write_bytes

_LIMIT = 2**24
"""Largest size of an annotation, in bytes."""

_TOLERANCE = 0.1
"""Share of the image by which boxes in shares may extend beyond it; not all tools clip (choice)."""

_BEYOND_YOLO, _BEYOND_VOC = 0.25, 0.5
"""Shares of the image by which a box's edge may lie beyond it; above, the unit is another (choice).

YOLO text is clipped by most tools; boxes of whole people in VOC files may end outside the image.
"""

_HEADER = {"folder", "filename", "path", "source", "owner", "size", "segmented", "object"}
"""Elements below a VOC `<annotation>`."""

_ENCODING = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["']""")


@dataclass(frozen=True)
class Annotation:
    """The objects of one image.

    labels: class indices.
    boxes: N×4 float64, xmin, ymin, xmax, ymax in pixels, inside the image.
    clipped: number of boxes that extended beyond the image.
    dropped: number of boxes without area inside the image.
    like_corners: whether all are wider than their center's x and higher than its y, as two corners
        are that are taken for a center and a size.
    """

    labels: list[int]
    boxes: NDArray[np.float64]
    clipped: int = 0
    dropped: int = 0
    like_corners: bool = False


def read_annotation(
    path: Path,
    classes: Sequence[str],
    image_size: tuple[int, int],
    numbered: Sequence[str] | None = None,
) -> Annotation:
    """Read a VOC XML or YOLO text file; a file without objects marks a negative image.

    Args:
        path: `.xml` or `.txt`, in any case.
        classes: names in the order of the returned indices; case does not matter.
        image_size: (width, height) in pixels.
        numbered: the same names in the order of YOLO text's numbers; by default that of `classes`.

    Raises:
        InputError: the file is missing, malformed or of another scheme, was made for an image of
            another size, has boxes in another unit than its format's, or names a class that is
            not in `classes`.

    >>> _ = (folder / "00001.txt").write_text("1 0.5 0.5 0.2 0.5\\n")
    >>> annotation = read_annotation(folder / "00001.txt", ["People", "Car"], (100, 80))
    >>> annotation.labels, annotation.boxes.tolist()
    ([1], [[40.0, 20.0, 60.0, 60.0]])
    """
    content = read_bytes(path, _LIMIT)
    if path.suffix.lower() == ".xml":
        labels, found = _read_voc(path, content, classes, image_size)
    else:
        numbers, found = _read_yolo(path, content, len(classes), image_size)
        known = _indices(classes)
        labels = [known[(numbered or classes)[number].lower()] for number in numbers]
    boxes = np.array(found, np.float64).reshape(-1, 4)
    if not np.isfinite(boxes).all():
        raise InputError(path, "has a box that is not made of finite numbers", "correct it")
    read = _inside(labels, boxes, image_size)
    starts, ends = boxes[:, :2], boxes[:, 2:]
    like_corners = bool(len(boxes)) and bool((ends - starts > (starts + ends) / 2).all())
    return replace(read, like_corners=like_corners and path.suffix.lower() != ".xml")


def write_yolo(path: Path, annotation: Annotation, width: int, height: int) -> None:
    """Write `class x y w h` lines, centers and sizes as shares of the image; empty if negative."""
    scale = np.array([width, height, width, height])
    boxes = annotation.boxes / scale
    centers, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    lines = [
        " ".join([str(label), *(f"{value:.8f}" for value in (*center, *size))]) + "\n"
        for label, center, size in zip(annotation.labels, centers, sizes, strict=True)
    ]
    write_bytes(path, "".join(lines).encode())


def _indices(classes: Sequence[str]) -> dict[str, int]:
    return {name.lower(): index for index, name in enumerate(classes)}


def _read_voc(
    path: Path, content: bytes, classes: Sequence[str], image_size: tuple[int, int]
) -> tuple[list[int], list[list[float]]]:
    root = _voc_root(path, content)
    declared = tuple(root.findtext(f"size/{key}", "").strip() for key in ("width", "height"))
    # Some tools write sizes of 0; another real size means that boxes are in other pixels.
    if set(declared).isdisjoint({"", "0"}) and declared != tuple(map(str, image_size)):
        raise InputError(
            path,
            f"is for an image of {'x'.join(declared)}, not {image_size[0]}x{image_size[1]}",
            "scale the boxes as the images were scaled",
        )
    known = _indices(classes)
    labels, boxes = [], []
    for item in root.iter("object"):
        if not "".join(item.itertext()).strip():
            continue  # releases have <object> elements with nothing in them
        name = (item.findtext("name") or "").strip()
        if name.lower() not in known:
            raise InputError(path, f"has an unknown class '{name}'", f"known: {', '.join(classes)}")
        labels.append(known[name.lower()])
        if len(item.findall("bndbox")) > 1:
            reason = "has an object with several boxes"
            raise InputError(path, reason, "write an <object> for each <bndbox>")
        box = [_corner(path, item, key) for key in ("xmin", "ymin", "xmax", "ymax")]
        _require_pixels(path, box, image_size)
        boxes.append(box)
    return labels, boxes


def _voc_root(path: Path, content: bytes) -> Element:
    """The `<annotation>` of a VOC file in any declared encoding."""
    try:
        declared = _ENCODING.match(content)
        # The parser decodes single-byte encodings only; text ignores its declaration.
        source = content.decode(declared[1].decode()) if declared else content
        root: Element = ElementTree.fromstring(source)
    except LookupError as error:
        raise InputError(
            path, f"declares an encoding that cannot be read ({error})", "store it as UTF-8"
        ) from error
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise InputError(path, f"is not plain XML ({error})", "replace it") from error
    objects = [item.tag for item in root.iter("object")]
    strange = [child.tag for child in root if _is_of_another_scheme(child, bool(objects))]
    if root.tag != "annotation" or strange:
        shown = f"root <{root.tag}>" + "".join(f", <{tag}>" for tag in sorted(set(strange))[:3])
        reason = f"is not a VOC annotation ({shown}{'' if objects else ', no <object>'})"
        raise InputError(path, reason, "export it as Pascal VOC or YOLO text")
    return root


def _is_of_another_scheme(child: Element, has_objects: bool) -> bool:
    """Whether an element below the root may hold an object that VOC's `<object>` does not name."""
    if child.tag in _HEADER:
        return False
    misspelled = child.tag.rpartition("}")[2].lower() == "object"
    return misspelled or (not has_objects and bool(len(child) or child.attrib))


def _require_pixels(path: Path, box: Sequence[float], image_size: tuple[int, int]) -> None:
    """Reject corners that cannot be pixels of the image; boxes without area are dropped later."""
    left, top, right, bottom = box
    shown = " ".join(f"{value:g}" for value in box)
    if left > right or top > bottom:
        raise InputError(
            path, f"has a box whose minimum is above its maximum: {shown}", "swap its corners"
        )
    if left == right or top == bottom:
        return
    remedy = "write xmin ymin xmax ymax in pixels of the image"
    if min(box) >= -_TOLERANCE and max(box) <= 1 + _TOLERANCE:
        raise InputError(path, f"has a box in shares of the image, not pixels: {shown}", remedy)
    width, height = image_size
    outside = left > width or top > height or right < 0 or bottom < 0
    if outside or _overhang(box, image_size) > _BEYOND_VOC:
        where = "wholly outside" if outside else "far beyond"
        reason = f"has a box {where} the image of {width}x{height}, in another unit: {shown}"
        raise InputError(path, reason, remedy)


def _overhang(box: Sequence[float], image_size: tuple[float, float]) -> float:
    """How far a box extends beyond the image at most, as a share of the image's side."""
    (left, top, right, bottom), (width, height) = box, image_size
    return max(-left / width, -top / height, right / width - 1, bottom / height - 1)


def _corner(path: Path, item: Element, key: str) -> float:
    try:
        return float(item.findtext(f"bndbox/{key}") or "")
    except ValueError as error:
        raise InputError(path, f"has an object without a valid {key}", "correct it") from error


def _read_yolo(
    path: Path, content: bytes, classes: int, image_size: tuple[int, int]
) -> tuple[list[int], list[list[float]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(path, "is not a text file", "replace it") from error
    width, height = image_size
    labels, boxes = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        if not (fields := line.split()):
            continue
        try:
            label, (x, y, w, h) = int(fields[0]), map(float, fields[1:])
        except ValueError as error:
            raise InputError(
                path, f"line {number} is not 'class x y w h': {line!r}", "correct it"
            ) from error
        if not 0 <= label < classes:
            raise InputError(
                path, f"line {number} has class {label}", f"classes are 0 to {classes - 1}"
            )
        for value in (x, y, w, h):
            if not -_TOLERANCE <= value <= 1 + _TOLERANCE and not np.isnan(value):
                raise InputError(
                    path,
                    f"line {number}: values of YOLO text are shares of the image, 0 to 1; "
                    f"got {value:g}",
                    "divide x and width by the image's width, y and height by its height",
                )
        if w < 0 or h < 0:
            raise InputError(path, f"line {number} has a negative size: {line!r}", "correct it")
        shares = x - w / 2, y - h / 2, x + w / 2, y + h / 2
        if _overhang(shares, (1.0, 1.0)) > _BEYOND_YOLO:
            reason = f"line {number} has a box far beyond the image: {line!r}"
            raise InputError(path, reason, "write center and size, not two corners")
        labels.append(label)
        boxes.append(
            [share * side for share, side in zip(shares, (width, height) * 2, strict=True)]
        )
    return labels, boxes


def _inside(
    labels: list[int], boxes: NDArray[np.float64], image_size: tuple[int, int]
) -> Annotation:
    """Clip to the image and drop boxes without area; rounding of YOLO text is not counted."""
    limit = np.array([*image_size, *image_size], np.float64)
    inside = boxes.clip(0, limit)
    clipped = (np.abs(boxes - inside) > 1e-3).any(1)
    sized = (inside[:, 2] - inside[:, 0] > 1e-6) & (inside[:, 3] - inside[:, 1] > 1e-6)
    kept = [label for label, keep in zip(labels, sized, strict=True) if keep]
    return Annotation(
        kept, inside[sized], clipped=int((clipped & sized).sum()), dropped=int((~sized).sum())
    )
