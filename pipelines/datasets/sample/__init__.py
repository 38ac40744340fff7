"""Sample data: generated street scenes in the official layouts of MSRS and M3FD."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from xml.etree import ElementTree  # writing only; reading goes through defusedxml

import numpy as np

from detection.classes import CLASSES as M3FD_CLASSES
from fusion.core.files import write_bytes
from fusion.images.decode import to_rgb, write_image
from pipelines.datasets.sample.canvas import Box
from pipelines.datasets.sample.scenes import m3fd_scene, msrs_scene
from pipelines.datasets.sample_config import SampleConfig

__all__ = ["generate"]

_TRAIN, _TEST, _M3FD = range(3)
_FIRST_TEST = 10000
"""Test names start here, so that no stem is in both splits."""


def generate(folder: Path, config: SampleConfig) -> None:
    """Write `MSRS` and `M3FD` under `folder`; the same settings give the same bytes.

    Names of MSRS end in D (day, even numbers) or N (night). Each image is drawn from
    (seed, set, number) alone. Every third scene of M3FD is at night; its infrared is stored as
    three equal channels, as published, and `night.txt` lists the scenes at night.
    """
    for name in ("MSRS", "M3FD"):
        shutil.rmtree(folder / name, ignore_errors=True)
    jobs: list[Callable[[], None]] = []
    for split, number, first, count in (
        ("train", _TRAIN, 0, config.msrs_train),
        ("test", _TEST, _FIRST_TEST, config.msrs_test),
    ):
        target = folder / "MSRS" / split
        for name in ("ir", "vi", "Segmentation_labels"):
            (target / name).mkdir(parents=True, exist_ok=True)
        jobs += [partial(_msrs, target, config, number, first + i) for i in range(count)]
    target = folder / "M3FD"
    for name in ("Ir", "Vis", "Annotation"):
        (target / name).mkdir(parents=True, exist_ok=True)
    jobs += [partial(_m3fd, target, config, i) for i in range(config.m3fd)]
    night = [f"{i:05d}\n" for i in range(config.m3fd) if _is_night(i)]
    write_bytes(target / "night.txt", "".join(night).encode())
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda job: job(), jobs))


def _msrs(target: Path, config: SampleConfig, split: int, number: int) -> None:
    night = bool(number % 2)
    rng = np.random.default_rng([config.seed, split, number])
    (infrared, visible), label = msrs_scene(config.height, config.width, night, rng)
    name = f"{number:05d}{'N' if night else 'D'}.png"
    write_image(target / "ir" / name, infrared)
    write_image(target / "vi" / name, visible)
    write_image(target / "Segmentation_labels" / name, label)


def _m3fd(target: Path, config: SampleConfig, number: int) -> None:
    rng = np.random.default_rng([config.seed, _M3FD, number])
    (infrared, visible), boxes = m3fd_scene(config.height, config.width, _is_night(number), rng)
    write_image(target / "Ir" / f"{number:05d}.png", to_rgb(infrared))
    write_image(target / "Vis" / f"{number:05d}.png", visible)
    content = _voc(f"{number:05d}.png", config, boxes)
    write_bytes(target / "Annotation" / f"{number:05d}.xml", content)


def _is_night(number: int) -> bool:
    return number % 3 == 2


def _voc(name: str, config: SampleConfig, boxes: list[tuple[int, Box]]) -> bytes:
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = name
    size = ElementTree.SubElement(root, "size")
    for key, value in (("width", config.width), ("height", config.height), ("depth", 3)):
        ElementTree.SubElement(size, key).text = str(value)
    for kind, box in boxes:
        item = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(item, "name").text = M3FD_CLASSES[kind]
        place = ElementTree.SubElement(item, "bndbox")
        for key, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True):
            ElementTree.SubElement(place, key).text = str(value)
    ElementTree.indent(root)
    return ElementTree.tostring(root)
