"""`pomai prepare`, as a user runs it."""

import sys

import numpy as np
import pytest
from PIL import Image

from pipelines import cli


@pytest.fixture
def source(tmp_path):
    """Two splits with folder names of their own; infrared of 14 bits."""
    random = np.random.default_rng(0)
    for split in ("learn", "judge"):
        for kind, high in (("thermal", 16384), ("rgb", 256)):
            folder = tmp_path / "mine" / split / kind
            folder.mkdir(parents=True)
            for name in "abc":
                dtype, shape = (np.uint16, (20, 24)) if high > 256 else (np.uint8, (20, 24, 3))
                image = random.integers(0, high, shape).astype(dtype)
                Image.fromarray(image).save(folder / f"{split}-{name}.png")
    return tmp_path / "mine"


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["pomai", "prepare", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    printed = capsys.readouterr()
    return stop.value.code, f"{printed.out}{printed.err}"


def options(source, *further):
    return (
        "mine",
        "--layout=pairs",
        f"--source={source}",
        f"--output={source.parent / 'data'}",
        "--infrared=thermal",
        "--visible=rgb",
        *further,
    )


def test_any_folders_of_pairs(monkeypatch, capsys, source):
    splits = ("--split=train=learn", "--split=test=judge", "--train-fusion")
    given = options(source, *splits, "--infrared-range", "0", "16383")
    code, printed = run(monkeypatch, capsys, *given)
    assert code == 0
    assert "3 train, 3 test pairs" in printed
    assert "scaled from 0..16383: 6" in printed
    data = source.parent / "data"
    assert len(list((data / "train/mine/ir").iterdir())) == 3
    written = np.asarray(Image.open(data / "prepared/mine/test/ir/judge-a.png"))
    original = np.asarray(Image.open(source / "judge/thermal/judge-a.png"))
    np.testing.assert_array_equal(written, np.rint(original / 16383 * 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("further", "message"),
    [
        (("--split=learn",), "'learn' is not SPLIT=FOLDER"),
        (("--split=training=learn",), "splits"),
        (("--split=train=nowhere",), "nowhere"),
        (("--split=test=judge", "--infrared-range", "9", "1"), "infrared_range is"),
        (("--protocol=blocks", "--seed=1"), "seed, split: not a setting of layout 'pairs'"),
    ],
)
def test_wrong_options_are_said_in_one_line(monkeypatch, capsys, source, further, message):
    code, _ = run(monkeypatch, capsys, *options(source, *further))
    assert isinstance(code, str)
    assert code.startswith("error: ")
    assert message in code


def test_any_set_with_boxes_and_classes_of_its_own(monkeypatch, capsys, source):
    labels = source / "learn/txt"
    labels.mkdir()
    for name in "abc":
        (labels / f"learn-{name}.txt").write_text("1  0.5  0.5  0.25  0.5  \n\n")
    folders = ("--infrared=thermal", "--visible=rgb", "--labels=txt", "--classes=dog,cat")
    given = ("pets", "--layout=boxes", f"--source={source / 'learn'}", *folders)
    code, printed = run(monkeypatch, capsys, *given, f"--output={source.parent / 'data'}")
    assert code == 0
    assert printed.splitlines()[1:6] == [
        "  boxes of dog: 0",
        "  boxes of cat: 3",
        "  boxes clipped to the image: 0",
        "  boxes without area dropped: 0",
        "  images without objects: 0",
    ]
    (written,) = (source.parent / "data/prepared/pets").glob("*/labels/learn-b.txt")
    expected = "1 0.50000000 0.50000000 0.25000000 0.50000000"
    assert written.read_text().strip() == expected


@pytest.mark.parametrize("name", ["", "v1.0", "a/../b"])
def test_a_name_that_is_no_folder_of_its_own_is_refused(source, monkeypatch, capsys, name):
    code, printed = run(monkeypatch, capsys, name, *options(source)[1:])
    assert (
        code
        == f"error: NAME: {name!r}: a name has letters, digits, _ and - only, and starts "
        + ("with a letter or digit; choose another name")
    )
    assert not (source.parent / "data").exists()
    assert not printed
