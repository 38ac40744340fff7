import hashlib

import cv2
import numpy as np
import pytest
from PIL import Image

from detection.boxes import read_annotation
from detection.classes import CLASSES as M3FD
from fusion.images.decode import read_infrared, read_visible
from fusion.images.pairs import find_pairs
from pipelines.datasets.night import is_night
from pipelines.datasets.sample import generate
from pipelines.datasets.sample.canvas import Camera, Canvas, Surface, rectangle
from pipelines.datasets.sample.scenes import m3fd_scene, msrs_scene
from pipelines.datasets.sample_config import SampleConfig
from segmentation.labels import CLASSES as MSRS
from segmentation.labels import read_label

SMALL = {"msrs_train": 2, "msrs_test": 1, "m3fd": 2, "height": 64, "width": 80}


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    generate(folder, SampleConfig(**SMALL))
    return folder


@pytest.fixture(scope="module")
def scenes():
    """Forty labeled scenes at the default size: (night, infrared, luminance, label)."""
    made = []
    for number in range(40):
        night = bool(number % 2)
        (infrared, visible), label = msrs_scene(128, 160, night, np.random.default_rng(number))
        made.append((night, infrared, visible @ np.array([0.299, 0.587, 0.114]), label))
    return made


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(small, tmp_path):
    generate(tmp_path / "same", SampleConfig(**SMALL))
    generate(tmp_path / "other", SampleConfig(**SMALL, seed=1))
    same, other = digests(tmp_path / "same"), digests(tmp_path / "other")
    assert same == digests(small)
    assert same.keys() == other.keys()
    assert not any(same[name] == other[name] for name in same if "ir/" in name or "Ir/" in name)


def test_counts_do_not_change_the_images_before(small, tmp_path):
    more = SMALL | {"msrs_train": 4, "msrs_test": 2, "m3fd": 3}
    generate(tmp_path, SampleConfig(**more))
    few, many = digests(small), digests(tmp_path)
    del few["M3FD/night.txt"], many["M3FD/night.txt"]
    assert few.items() < many.items()


def test_an_earlier_larger_sample_leaves_nothing_behind(small, tmp_path):
    generate(tmp_path, SampleConfig(**SMALL | {"m3fd": 4}))
    generate(tmp_path, SampleConfig(**SMALL))
    assert digests(tmp_path) == digests(small)


def test_layouts_are_the_official_ones(small):
    for split, count in (("train", 2), ("test", 1)):
        folder = small / "MSRS" / split
        pairs = find_pairs(folder / "ir", folder / "vi")
        assert len(pairs) == count
        for pair in pairs:
            assert read_infrared(pair.infrared).stored
            assert read_visible(pair.visible).pixels.shape == (64, 80, 3)
            label = read_label(folder / "Segmentation_labels" / pair.infrared.name)
            assert label.shape == (64, 80)
            assert is_night(pair.name) is (int(pair.name[:-1]) % 2 == 1)
    folder = small / "M3FD"
    for pair in find_pairs(folder / "Ir", folder / "Vis"):
        assert Image.open(pair.infrared).mode == "RGB"
        annotation = read_annotation(folder / f"Annotation/{pair.name}.xml", M3FD, (80, 64))
        assert (annotation.clipped, annotation.dropped) == (0, 0)


@pytest.mark.slow
def test_every_class_is_frequent_enough_to_be_learned(scenes):
    present = np.array([np.bincount(label.ravel(), minlength=9) > 30 for *_, label in scenes])
    assert (present.mean(0) > 0.2).all(), dict(zip(MSRS, present.mean(0), strict=True))
    counts = np.zeros(len(M3FD))
    for number in range(60):
        _, boxes = m3fd_scene(128, 160, number % 3 == 2, np.random.default_rng(number))
        counts += np.bincount([kind for kind, _ in boxes], minlength=len(M3FD))
    assert counts.min() >= 15, dict(zip(M3FD, counts, strict=True))


def contrast(image, mask):
    """How far a region is from the mean of its surroundings (RMS), in gray levels."""
    near = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool) & ~mask
    smooth = cv2.blur(image, (3, 3))  # the sensors' noise is not contrast
    return np.sqrt(np.mean((smooth[mask] - smooth[near].mean()) ** 2))


def mean_contrast(scenes, name, night, band):
    label_of, values = MSRS.index(name), []
    for scene in scenes:
        mask = scene[3] == label_of
        if scene[0] == night and mask.sum() > 60:
            values.append(contrast(scene[band].astype(float), mask))
    return np.mean(values)


@pytest.mark.slow
@pytest.mark.parametrize("night", [False, True])
def test_people_are_hot_and_at_night_only_infrared_shows_them(scenes, night):
    infrared, visible = (mean_contrast(scenes, "person", night, band) for band in (1, 2))
    assert infrared > 40
    if night:
        assert visible < infrared / 3


@pytest.mark.parametrize("name", ["color cone", "curve", "car stop", "bump"])
def test_what_has_the_temperature_of_the_road_is_seen_by_day_in_visible_only(scenes, name):
    infrared, visible = (mean_contrast(scenes, name, False, band) for band in (1, 2))
    assert visible > 2 * infrared


@pytest.fixture
def canvas():
    camera = Camera(width=160, height=128, focal=144.0, horizon=48.0)
    return Canvas(camera, Surface((0, 0, 0)))


def paint(canvas, kind, left, right, ahead=10.0, label=0):
    canvas.begin(label, kind)
    canvas.flat(ahead, 0.0, rectangle(left, right, 0.0, 1.9), Surface((1, 1, 1)))
    canvas.end()


def test_boxes_and_labels_are_where_the_polygon_is(canvas):
    paint(canvas, 3, -1.0, 2.0, label=7)
    ((kind, (left, top, right, bottom)),) = canvas.boxes(0.3, 2)
    scale = 144.0 / 10 / 2  # image pixels a meter at this depth; two canvas pixels each
    expected = (40 - scale, 24, 40 + 2 * scale, 24 + 1.9 * scale)
    assert kind == 3
    assert np.abs(np.subtract((left, top, right, bottom), expected)).max() <= 1
    mask = canvas.label_map() == 7
    assert mask[top:bottom, left:right].mean() > 0.95
    assert mask.sum() == mask[top:bottom, left:right].sum()


def test_an_object_almost_hidden_has_no_box_and_a_half_hidden_one_is_cut(canvas):
    paint(canvas, 0, -1.0, 1.0)
    paint(canvas, 1, 0.0, 3.0, ahead=9.9)
    boxes = dict(canvas.boxes(0.3, 2))
    assert boxes.keys() == {0, 1}
    assert abs(boxes[0][2] - boxes[1][0]) <= 1
    paint(canvas, 2, -1.1, -0.3, ahead=9.8)
    assert [kind for kind, _ in canvas.boxes(0.3, 2)] == [1, 2]
    assert [kind for kind, _ in canvas.boxes(0.3, 8)] == [1]


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (96, 64), (101, 133)])
def test_scenes_have_any_size(height, width):
    rng = np.random.default_rng(0)
    (infrared, visible), label = msrs_scene(height, width, True, rng)
    assert infrared.shape == label.shape == visible.shape[:2] == (height, width)
    (infrared, visible), boxes = m3fd_scene(height, width, False, rng)
    assert infrared.shape == visible.shape[:2] == (height, width)
    for _, (left, top, right, bottom) in boxes:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
