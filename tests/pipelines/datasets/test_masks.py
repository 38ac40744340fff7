"""Label images of any classes, files of four channels, lists of names, and names with additions."""

import json

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from fusion.core.errors import InputError
from pipelines.datasets.config import DatasetConfig
from pipelines.datasets.night import is_night
from pipelines.datasets.places import LISTS, own_name, read_names
from pipelines.datasets.prepare import prepare
from segmentation.classes import FMB, MSRS

SHAPE = 20, 24


def checked(**settings):
    return TypeAdapter(DatasetConfig).validate_python(settings)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def write(tmp_path, rng):
    """Writes an image of random pixels, or the given ones, below `raw`."""

    def once(name, channels=3, pixels=None):
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = SHAPE if channels == 1 else (*SHAPE, channels)
        Image.fromarray(rng.integers(0, 256, shape, np.uint8) if pixels is None else pixels).save(
            path
        )
        return path

    return once


@pytest.fixture
def run(tmp_path):
    def once(**settings):
        config = checked(source=str(tmp_path / "raw"), **settings)
        prepare("set", config, tmp_path / "out/set", tmp_path / "train/set")
        return json.loads((tmp_path / "out/set/dataset.json").read_text())

    return once


@pytest.fixture
def masks(write, rng):
    """Two splits with label images of three classes; 255 marks unlabeled pixels."""
    for split in ("train", "test"):
        for name in ("00001D", "00002N"):
            write(f"{split}/ir/{name}.png", channels=1)
            write(f"{split}/vi/{name}.png")
            label = rng.integers(0, 3, SHAPE, np.uint8)
            label[0] = 255
            write(f"{split}/masks/{name}.png", pixels=label)


def test_any_classes(masks, run, tmp_path):
    facts = run(layout="masks", classes=["void", "road", "car"], ignore=255, background=False)
    assert facts["classes"] == ["void", "road", "car"]
    assert facts["unlabeled"] is True
    assert facts["background"] is False
    assert facts["night"] == ["00002N", "00002N"] or facts["night"] == ["00002N"]
    assert facts["notes"]["labels with unlabeled pixels"] == 4
    label = np.asarray(Image.open(tmp_path / "out/set/test/labels/00001D.png"))
    assert set(np.unique(label)) == {0, 1, 2, 255}


def test_a_value_that_is_no_class_names_the_classes(masks, run):
    with pytest.raises(InputError, match=r"label value 255 is not a class; allowed are 0\.\.2"):
        run(layout="masks", classes=["void", "road", "car"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"classes": "kitti"}, "no class list; choose from msrs, mfnet, fmb"),
        ({"classes": ["a", "A"]}, "has a name twice"),
        ({"classes": ["a", "b"], "ignore": 1}, "is the index of class 'b'"),
        ({"classes": ["a", "b"], "palette": [[0, 0, 0]]}, "one color .* for each of 2 classes"),
        ({"classes": ["a"], "background": False}, "no class would count"),
        ({"classes": [str(i) for i in range(256)]}, "at most 255"),
        ({"classes": "fmb", "hold_out": 0.1, "lists": {"val": "a"}}, "a split val already"),
    ],
)
def test_settings_that_cannot_work(settings, message):
    with pytest.raises(ValidationError, match=message):
        checked(layout="masks", source="raw", **settings)


def test_named_class_lists():
    for name, classes in (("msrs", MSRS), ("mfnet", MSRS), ("fmb", FMB)):
        assert checked(layout="masks", source="raw", classes=name).label_classes() == classes


def test_four_channels_are_split(write, run, tmp_path, rng):
    for name in ("00001D", "00002N", "00003N"):
        write(f"images/{name}.png", channels=4)
        write(f"labels/{name}.png", pixels=rng.integers(0, 9, SHAPE, np.uint8))
    for split, names in (("train", "00001D\n00002N\n"), ("test", "\n00003N\n")):
        (tmp_path / f"raw/{split}.txt").write_text(names)
    facts = run(
        layout="masks",
        classes="mfnet",
        infrared="images",
        visible="images",
        labels="labels",
        lists={"train": "train.txt", "test": "test.txt"},
    )
    assert facts["splits"] == {"test": ["00003N"], "train": ["00001D", "00002N"]}
    assert facts["split_protocol"] == "lists train train.txt, test test.txt"
    raw = np.asarray(Image.open(tmp_path / "raw/images/00003N.png"))
    infrared = np.asarray(Image.open(tmp_path / "out/set/test/ir/00003N.png"))
    visible = np.asarray(Image.open(tmp_path / "out/set/test/vi/00003N.png"))
    np.testing.assert_array_equal(infrared, raw[..., 3])
    np.testing.assert_array_equal(visible, raw[..., :3])


def test_three_channels_in_place_of_four(write, run, rng):
    write("images/00001D.png")
    with pytest.raises(InputError, match="has no fourth channel with the infrared image"):
        run(layout="pairs", infrared="images", visible="images", lists=None, splits={"test": "."})


def test_lists_that_do_not_fit(write, run, tmp_path):
    for kind, channels in (("ir", 1), ("vi", 3)):
        for name in "ab":
            write(f"{kind}/{name}.png", channels)
    listing = tmp_path / "raw/list.txt"
    listing.write_text("a\n")
    assert run(layout="pairs", lists={"test": "list.txt"})["splits"] == {"test": ["a"]}
    listing.write_text("a\nc\n")
    with pytest.raises(InputError, match=r"list.txt: names pairs that are not there: c"):
        run(layout="pairs", lists={"test": "list.txt"})
    listing.write_text("a\na\n")
    with pytest.raises(InputError, match=r"list.txt: names pairs twice: a"):
        run(layout="pairs", lists={"test": "list.txt"})


def test_a_sample_is_drawn_once_and_named(write, run):
    for kind, channels in (("ir", 1), ("vi", 3)):
        for number in range(9):
            write(f"{kind}/{number}.png", channels)
    facts = run(layout="pairs", sample={"test": 4})
    assert len(facts["splits"]["test"]) == 4
    assert facts["split_protocol"] == "official, drawn by seed 0: 4 of 9 test"
    assert run(layout="pairs", sample={"test": 4})["splits"] == facts["splits"]
    assert run(layout="pairs", sample={"test": 4}, sample_seed=1)["splits"] != facts["splits"]
    with pytest.raises(InputError, match="has 9 test pairs, and `sample` wants 10"):
        run(layout="pairs", sample={"test": 10})


VOC = """<annotation><object><name>{}</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax>
<ymax>9</ymax></bndbox></object></annotation>"""


def test_names_with_additions_and_classes_left_out(write, run, tmp_path):
    names = [f"FLIR_{number}" for number in range(6)]
    for index, name in enumerate(names):
        write(f"JPEGImages/{name}_PreviewData.png", channels=1)
        write(f"JPEGImages/{name}_RGB.png")
        path = tmp_path / f"raw/Annotations/{name}_PreviewData.xml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(VOC.format("dog" if index == 0 else "car"))
    for split, chosen in (("train", names[:4]), ("test", names[4:])):
        text = "".join(f"{name}_PreviewData\n" for name in chosen)
        (tmp_path / f"raw/{split}.txt").write_text(text)
    settings = {
        "layout": "boxes",
        "infrared": "JPEGImages/{name}_PreviewData",
        "visible": "JPEGImages/{name}_RGB",
        "labels": "Annotations/{name}_PreviewData",
        "classes": ["person", "car"],
        "lists": {"train": "train.txt", "test": "test.txt"},
        "hold_out": 0.25,
    }
    with pytest.raises(InputError, match="unknown class 'dog'"):
        run(**settings)
    facts = run(**settings, left_out=["dog"])
    assert {split: len(members) for split, members in facts["splits"].items()} == {
        "train": 3,
        "val": 1,
        "test": 2,
    }
    assert facts["notes"]["boxes of car"] == 5
    assert facts["notes"]["images without objects"] == 1
    assert "25% of train as val" in facts["split_protocol"]


def test_own_name():
    assert own_name("FLIR_1_RGB", "{name}_PreviewData") is None
    assert own_name("_RGB", "{name}_RGB") is None


def test_lists_of_the_project_have_distinct_names():
    for listing in LISTS.glob("*.txt"):
        assert len(set(read_names(listing))) == int(listing.stem.rpartition("-")[2])


def test_no_pair_is_in_two_lists_of_the_project():
    for sets in ("msrs-*.txt", "roadscene-*.txt"):
        names = [name for listing in LISTS.glob(sets) for name in read_names(listing)]
        assert len(names) == len(set(names)) > 200


def test_mirrored_copies_of_mfnet_keep_their_hour():
    assert is_night("00001N_flip") is True
    assert is_night("00001D_flip") is False


def test_a_list_may_not_test_on_a_training_pair(write, run, tmp_path):
    for kind, channels in (("ir", 1), ("vi", 3)):
        for name in "abc":
            write(f"{kind}/{name}.png", channels)
    (tmp_path / "raw/train.txt").write_text("a\nb\n")
    (tmp_path / "raw/test.txt").write_text("b\nc\n")
    lists = {"train": "train.txt", "test": "test.txt"}
    with pytest.raises(InputError, match=r"the same pair in two splits: test/b and train/b"):
        run(layout="pairs", lists=lists)


def test_what_is_held_out_may_repeat_a_training_pair(write, run, tmp_path):
    for kind in ("ir", "vi"):
        for split, names in {"train": "abcd", "test": "e"}.items():
            for name in names:
                write(f"{split}/{kind}/{name}.png", 1 if kind == "ir" else 3)
        first = (tmp_path / f"raw/train/{kind}/a.png").read_bytes()
        for name in "bcd":
            (tmp_path / f"raw/train/{kind}/{name}.png").write_bytes(first)
    facts = run(layout="pairs", hold_out=0.25)
    assert facts["notes"]["the same pair in two splits"] == 1
    assert facts["split_protocol"] == "official, drawn by seed 0: 25% of train as val"
    assert facts["selection"] is None


def test_lists_and_draws_are_both_named(write, run, tmp_path):
    for kind, channels in (("ir", 1), ("vi", 3)):
        for name in "abcdef":
            write(f"{kind}/{name}.png", channels)
    (tmp_path / "raw/test.txt").write_text("a\nb\nc\n")
    facts = run(layout="pairs", lists={"test": "test.txt"}, sample={"test": 2})
    assert facts["split_protocol"] == "lists test test.txt, drawn by seed 0: 2 of 3 test"
    assert facts["selection"] == "list test.txt, 2 of 3, drawn by seed 0"
