"""The embedded sample data: generated scenes in the official layouts of MSRS and M3FD."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree  # writing only; reading goes through defusedxml

import numpy as np
from detection.m3fd import CLASSES as M3FD_CLASSES
from numpy.random import Generator

from fusion.images import write_bytes, write_image
from pipelines.datasets.config import SampleConfig
from pipelines.datasets.scenes import Placed, Scene, render
from segmentation.msrs import CLASSES as MSRS_CLASSES

SMALLEST_BOX = 6
HIDDEN = 0.35


def generate(folder: Path, config: SampleConfig) -> None:
    """Write `MSRS/` and `M3FD/` into a folder; the same settings give the same bytes.

    MSRS has {train,test}/{ir,vi,Segmentation_labels}/00001D.png, index labels of nine classes;
    M3FD has {Ir,Vis,Annotation}/00000.png|xml, six classes, infrared stored as three equal
    channels, as published. Day and night alternate.
    """
    for name in ("MSRS", "M3FD"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for part, (split, count) in enumerate(
        (("train", config.msrs_train), ("test", config.msrs_test))
    ):
        for index in range(count):
            _write_msrs(folder / "MSRS" / split, index, _random(config, part, index), config)
    for index in range(config.m3fd):
        _write_m3fd(folder / "M3FD", index, _random(config, 2, index), config)


def _random(config: SampleConfig, part: int, index: int) -> Generator:
    return np.random.default_rng((config.seed, part, index))


def _some(random: Generator, classes: Sequence[str], lowest: int, highest: int) -> list[str]:
    count = int(random.integers(lowest, highest + 1))
    return [classes[i] for i in random.integers(0, len(classes), count)]


def _write_msrs(folder: Path, index: int, random: Generator, config: SampleConfig) -> None:
    night = index % 2 == 1
    names = _some(random, MSRS_CLASSES[1:], 5, 8)
    scene = render(random, config.height, config.width, night, names)
    label = np.zeros((config.height, config.width), np.uint8)
    for thing in scene.things:
        label[thing.visible] = MSRS_CLASSES.index(thing.name)
    stem = f"{index + 1:05d}{'N' if night else 'D'}.png"
    _write(folder / "ir" / stem, scene.infrared)
    _write(folder / "vi" / stem, scene.visible)
    _write(folder / "Segmentation_labels" / stem, label)


def _write_m3fd(folder: Path, index: int, random: Generator, config: SampleConfig) -> None:
    names = _some(random, M3FD_CLASSES, 2, 5)
    scene = render(random, config.height, config.width, index % 2 == 1, names)
    stem = f"{index:05d}"
    _write(folder / "Ir" / f"{stem}.png", np.repeat(scene.infrared[..., None], 3, axis=2))
    _write(folder / "Vis" / f"{stem}.png", scene.visible)
    (folder / "Annotation").mkdir(parents=True, exist_ok=True)
    write_bytes(folder / "Annotation" / f"{stem}.xml", _voc(scene, stem))


def _write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, pixels)


def _annotated(thing: Placed) -> bool:
    """Whether an annotator would draw a box: not almost hidden, not a few pixels."""
    if thing.share < HIDDEN or not thing.visible.any():
        return False
    left, top, right, bottom = thing.box
    return min(right - left, bottom - top) >= SMALLEST_BOX


def _voc(scene: Scene, stem: str) -> bytes:
    height, width = scene.infrared.shape
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = f"{stem}.png"
    size = ElementTree.SubElement(root, "size")
    for key, value in (("width", width), ("height", height), ("depth", 3)):
        ElementTree.SubElement(size, key).text = str(value)
    for thing in filter(_annotated, scene.things):
        item = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(item, "name").text = thing.name
        corners = ElementTree.SubElement(item, "bndbox")
        for key, value in zip(("xmin", "ymin", "xmax", "ymax"), thing.box, strict=True):
            ElementTree.SubElement(corners, key).text = str(value)
    ElementTree.indent(root)
    return ElementTree.tostring(root)
