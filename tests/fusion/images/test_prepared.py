import json

import pytest

from fusion.core.errors import InputError
from fusion.core.protocol import protocol_digest
from fusion.images.prepared import PreparedSet, training_sets

SPLITS = {"train": ["a", "b"], "test": ["c"]}


def example(**changes):
    facts = {
        "name": "set",
        "layout": "boxes",
        "classes": ["person"],
        "splits": SPLITS,
        "split_protocol": "official",
        "checksum": protocol_digest(SPLITS),
        "notes": {"visible: gray": 1},
        "night": ["a"],
    }
    return PreparedSet(**facts | changes)


def test_what_is_saved_is_loaded_again_and_knows_its_folder(tmp_path):
    example().save(tmp_path)
    loaded = PreparedSet.load(tmp_path)
    assert loaded.model_dump() == example().model_dump()
    assert [pair.name for pair in loaded.pairs("train")] == ["a", "b"]
    assert loaded.pairs("test")[0].visible == tmp_path / "test/vi/c.png"
    assert loaded.label("test", "c") == tmp_path / "test/labels/c.txt"
    example().save(tmp_path / "..")
    content = (tmp_path / "dataset.json").read_bytes()
    assert (tmp_path / "../dataset.json").read_bytes() == content


def test_the_layout_decides_the_labels(tmp_path):
    example(layout="msrs").save(tmp_path)
    assert PreparedSet.load(tmp_path).label("test", "c").name == "c.png"
    example(layout="pairs", classes=None).save(tmp_path)
    with pytest.raises(InputError, match="has no labels"):
        PreparedSet.load(tmp_path).label("test", "c")


def test_its_files_are_the_manifest_and_three_a_pair():
    files = example().files()
    assert len(files) == 1 + 3 * 3
    assert {"dataset.json", "test/ir/c.png", "test/vi/c.png", "test/labels/c.txt"} <= files
    assert len(example(layout="pairs").files()) == 1 + 3 * 2


def test_a_split_that_is_not_there_is_named_with_those_that_are(tmp_path):
    example().save(tmp_path)
    with pytest.raises(InputError, match=r"has no 'val' images; it has test, train"):
        PreparedSet.load(tmp_path).pairs("val")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is missing; run `dvc repro prepare@set`"),
        ("{", "does not describe a prepared data set"),
        ("[]", "does not describe a prepared data set"),
        (
            json.dumps(example().model_dump() | {"night": "a"}),
            "night Input should be a",
        ),
        (json.dumps(example().model_dump() | {"more": 1}), "more Extra inputs"),
    ],
)
def test_a_manifest_that_is_missing_or_damaged_is_refused(tmp_path, content, words):
    folder = tmp_path / "set"
    folder.mkdir()
    if content is not None:
        (folder / "dataset.json").write_text(content)
    with pytest.raises(InputError, match=rf"dataset\.json: .*{words}"):
        PreparedSet.load(folder)


def test_training_takes_the_data_sets_that_parameters_name_and_no_others(tmp_path):
    """Folders of an earlier profile are not among them."""
    for name in ("msrs", "flir", "earlier"):
        (tmp_path / name / "ir").mkdir(parents=True)
    (tmp_path / "tno").mkdir()
    assert training_sets(tmp_path, ["msrs", "flir"]) == [tmp_path / "flir", tmp_path / "msrs"]
    with pytest.raises(InputError, match=r"tno: has no training pairs; run `dvc repro prepare@tno"):
        training_sets(tmp_path, ["msrs", "tno"])
