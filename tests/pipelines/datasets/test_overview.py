"""Counts of classes and contact sheets, on stand-ins of the official sets."""

from threading import Barrier

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import TypeAdapter

from fusion.core.errors import InputError
from fusion.images.decode import read_visible
from pipelines.datasets.config import DatasetConfig
from pipelines.datasets.convert import Converter
from pipelines.datasets.overview import overview
from pipelines.datasets.sheet import varied
from pipelines.download.registry import known_sets
from segmentation.classes import FMB
from tests.pipelines import standins

ROW = 18 + 256 + 4
"""Caption, image and gap of a pair's row, for images of 16x20 on panels 320 wide."""

LEGEND = {6: 2 * 18 + 4, 9: 2 * 18 + 4, 15: 3 * 18 + 4}
"""Pixels of the legend's lines by number of classes."""


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
    assert sheet.shape == (LEGEND[15] + 6 * ROW, 3 * 320 + 2 * 4, 3)


def test_labels_are_painted_over_the_visible_image(tmp_path):
    standins.mfnet(tmp_path)
    for path in (tmp_path / "MFNet/labels").iterdir():
        Image.fromarray(np.full((16, 20), 1, np.uint8)).save(path)
    found, sheet = overview(config("mfnet", tmp_path), pictures=1)
    assert found.night == 4
    assert (found.amounts["car"], found.images["car"]) == (8 * 320, 8)
    red, _, blue = sheet[LEGEND[9] + 18 : -4, -300:].reshape(-1, 3).mean(0)
    assert blue > 0.6 * 128
    assert red < blue  # the class's color is (64, 0, 128)


def test_objects_are_counted_and_drawn(tmp_path):
    standins.m3fd(tmp_path)
    (tmp_path / "M3FD_Detection/Annotation/00000.xml").write_text("<annotation></annotation>")
    found, sheet = overview(config("m3fd", tmp_path), pictures=3)
    assert (found.amounts["People"], found.amounts["Lamp"], found.empty) == (5, 6, 1)
    assert "4 Lamp: 6 objects, 6 images" in str(found)
    rows = [sheet[top : top + ROW][18:-4] for top in range(LEGEND[6], len(sheet), ROW)]
    same = [np.array_equal(row[:, :320], row[:, -320:]) for row in rows]
    assert same == [True, False, False]  # the first pair has no objects


def test_a_rare_class_and_an_image_without_objects_are_shown(tmp_path):
    standins.m3fd(tmp_path)
    annotations = tmp_path / "M3FD_Detection/Annotation"
    for number in range(12):
        kind = {3: "Truck", 5: "Lamp"}.get(number, "People")
        text = standins.VOC.format(standins.WIDTH, standins.HEIGHT, kind)
        (annotations / f"{number:05d}.xml").write_text(
            "<annotation></annotation>" if number == 8 else text
        )
    _, sheet = overview(config("m3fd", tmp_path), pictures=4)
    visible = [
        read_visible(tmp_path / f"M3FD_Detection/Vis/{number:05d}.png").pixels
        for number in (0, 3, 5, 8)
    ]
    for place, picture in enumerate(visible):
        row = sheet[LEGEND[6] + place * ROW :][18 : ROW - 4, :320]
        wanted = cv2.resize(picture, (320, 256), interpolation=cv2.INTER_AREA)
        assert np.array_equal(row, wanted)


def test_the_legend_has_the_color_of_every_class(tmp_path):
    standins.fmb(tmp_path)
    _, sheet = overview(config("fmb", tmp_path))
    legend = {tuple(color) for color in sheet[: LEGEND[15]].reshape(-1, 3).tolist()}
    assert set(FMB.palette) <= legend


@given(
    st.lists(st.frozensets(st.sampled_from("abcd"), max_size=3), min_size=1, max_size=12),
    st.integers(1, 14),
)
def test_the_pairs_chosen_show_all_they_can(classes, count):
    places = varied(classes, count)
    assert places == sorted(set(places))
    assert len(places) == min(count, len(classes))
    if count >= 5:
        shown = [classes[place] for place in places]
        assert frozenset().union(*shown) == frozenset().union(*classes)
        assert (frozenset() in shown) == (frozenset() in classes)


def test_night_is_said_beside_the_name(tmp_path):
    standins.mfnet(tmp_path)
    _, sheet = overview(config("mfnet", tmp_path), pictures=8)
    captions = [
        (sheet[top : top + 18, :320] < 128).any((0, 2)).nonzero()[0].max()
        for top in range(LEGEND[9], len(sheet), ROW)
    ]
    day, night = captions[0::2], captions[1::2]
    assert min(night) > max(day) + 30


def test_all_broken_files_are_reported(tmp_path):
    standins.m3fd(tmp_path)
    for number in (3, 5):
        (tmp_path / f"M3FD_Detection/Ir/{number:05d}.png").write_bytes(b"a")
    with pytest.raises(InputError, match=r"2 problems; correct them:(.|\n)*00003(.|\n)*00005"):
        overview(config("m3fd", tmp_path))


def test_pairs_are_read_side_by_side_with_a_bar(tmp_path, monkeypatch, capsys):
    standins.m3fd(tmp_path)
    read, together = Converter.read, Barrier(2)
    waiting = iter(range(12))  # the pairs of the sheet are read again, one by one

    def read_with_another(converter, item):
        if next(waiting, None) is not None:
            together.wait(timeout=20)
        return read(converter, item)

    monkeypatch.setattr(Converter, "read", read_with_another)
    monkeypatch.setenv("FORCE_COLOR", "1")  # Rich takes the output for a terminal's
    monkeypatch.setenv("COLUMNS", "100")
    found, _ = overview(config("m3fd", tmp_path), pictures=2)
    assert found.images["Lamp"] == 6
    shown = capsys.readouterr().err
    assert "checking pairs" in shown
    assert "12/12" in shown
