"""Counts of classes and contact sheets, on stand-ins of the official sets."""

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from fusion.core.errors import InputError
from pipelines.datasets.config import DatasetConfig
from pipelines.datasets.overview import overview
from pipelines.download.registry import known_sets
from segmentation.classes import FMB
from tests.pipelines import standins


def config(name, root):
    known = known_sets()[name]
    settings = {**known.dataset, "source": str(root / known.folder)}
    return TypeAdapter(DatasetConfig).validate_python(settings)


def test_pixels_of_every_class_are_counted(tmp_path):
    standins.fmb(tmp_path)
    empty = tmp_path / "FMB/test/Label/00000.png"
    Image.fromarray(np.zeros((16, 20), np.uint8)).save(empty)
    found, sheet = overview(config("fmb", tmp_path), pictures=6)
    labels = [np.asarray(Image.open(path)) for path in (tmp_path / "FMB").glob("*/Label/*")]
    for index, name in enumerate(FMB.names):
        assert found.amounts[name] == sum(int((label == index).sum()) for label in labels)
        assert found.images[name] == sum(bool((label == index).any()) for label in labels)
    assert found.empty == 1
    assert "background only: 1 images" in str(found)
    assert sheet.shape == (6 * (256 + 18 + 4), 3 * 320 + 2 * 4, 3)


def test_labels_are_painted_over_the_visible_image(tmp_path):
    standins.mfnet(tmp_path)
    for path in (tmp_path / "MFNet/labels").iterdir():
        Image.fromarray(np.full((16, 20), 1, np.uint8)).save(path)
    found, sheet = overview(config("mfnet", tmp_path), pictures=1)
    assert found.night == 4
    assert (found.amounts["car"], found.images["car"]) == (8 * 320, 8)
    red, _, blue = sheet[18:-4, -300:].reshape(-1, 3).mean(0)
    assert blue > 0.6 * 128
    assert red < blue  # the class's color is (64, 0, 128)


def test_objects_are_counted_and_drawn(tmp_path):
    standins.m3fd(tmp_path)
    (tmp_path / "M3FD_Detection/Annotation/00000.xml").write_text("<annotation></annotation>")
    found, sheet = overview(config("m3fd", tmp_path), pictures=2)
    assert (found.amounts["People"], found.amounts["Lamp"], found.empty) == (5, 6, 1)
    assert "4 Lamp: 6 objects, 6 images" in str(found)
    left, right = sheet[18:274, :320], sheet[18:274, -320:]
    assert np.array_equal(left, right)  # the first has no objects
    assert not np.array_equal(sheet[-260:-4, :320], sheet[-260:-4, -320:])


def test_all_broken_files_are_reported(tmp_path):
    standins.m3fd(tmp_path)
    for number in (3, 5):
        (tmp_path / f"M3FD_Detection/Ir/{number:05d}.png").write_bytes(b"a")
    with pytest.raises(InputError, match=r"2 problems; correct them:(.|\n)*00003(.|\n)*00005"):
        overview(config("m3fd", tmp_path))
