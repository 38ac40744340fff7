import json
import shutil

import pytest
import yaml

from detection.workspace import build_workspace
from fusion.core.errors import InputError


@pytest.fixture
def copy(shapes, tmp_path):
    """`shapes`, to be changed."""
    return shutil.copytree(shapes, tmp_path / "shapes")


def test_images_are_linked_and_labels_copied(shapes, tmp_path):
    before = sorted(shapes.rglob("*"))
    work = build_workspace(shapes / "fused", shapes / "set", tmp_path / "work")
    image, label = "images/test/00016.png", "labels/train/00003.txt"
    assert (tmp_path / "work" / image).samefile(shapes / "fused/test/00016.png")
    original = shapes / "set/train/labels/00003.txt"
    assert (tmp_path / "work" / label).read_text() == original.read_text()
    assert not (tmp_path / "work" / label).samefile(original)
    assert sorted(shapes.rglob("*")) == before
    assert work.splits["val"] == ["00012", "00013", "00014", "00015"]


def test_the_description_names_classes_and_absolute_folders(shapes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    work = build_workspace(shapes / "fused", shapes / "set", (tmp_path / "x" / ".." / "work"))
    content = yaml.safe_load(work.description.read_text())
    assert content["path"] == str(tmp_path / "work")
    assert content["names"] == {0: "square", 1: "disc"}
    assert all((tmp_path / "work" / content[split]).is_dir() for split in work.splits)


def test_digests_tell_what_changed(shapes, copy, tmp_path):
    def digests():
        work = build_workspace(copy / "fused", copy / "set", tmp_path / "work")
        return work.label_digest, work.image_digest

    original = build_workspace(shapes / "fused", shapes / "set", tmp_path / "other")
    assert digests() == (original.label_digest, original.image_digest)
    (copy / "set/test/labels/00016.txt").write_text("1 0.5 0.5 0.1 0.1\n")
    labels, images = digests()
    assert labels != original.label_digest
    assert images == original.image_digest
    shutil.copyfile(copy / "fused/val/00012.png", copy / "fused/val/00013.png")
    assert digests()[0] == labels
    assert digests()[1] != images


def test_missing_files_are_named_before_anything_is_made(copy, tmp_path):
    for stem in ("00001", "00005"):
        (copy / "fused/train" / f"{stem}.png").unlink()
    with pytest.raises(InputError, match=r"fused/train: lacks 2 files: 00001, 00005"):
        build_workspace(copy / "fused", copy / "set", tmp_path / "work")
    (copy / "set/train/labels/00007.txt").unlink()
    with pytest.raises(InputError, match=r"train/labels: lacks 1 files: 00007"):
        build_workspace(copy / "fused", copy / "set", tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_a_set_without_a_split_is_refused(copy, tmp_path):
    facts = json.loads((copy / "set/dataset.json").read_text())
    facts["splits"]["val"] = []
    (copy / "set/dataset.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match="has no val images"):
        build_workspace(copy / "fused", copy / "set", tmp_path / "work")


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_split_without_an_object_is_refused(copy, tmp_path, split):
    for label in (copy / "set" / split / "labels").iterdir():
        label.write_text("\n")
    with pytest.raises(InputError, match=rf"no object in its \d+ {split} images; draw another"):
        build_workspace(copy / "fused", copy / "set", tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_work_left_behind_is_replaced(shapes, tmp_path):
    (tmp_path / "work/images/train").mkdir(parents=True)
    (tmp_path / "work/images/train/old.png").touch()
    build_workspace(shapes / "fused", shapes / "set", tmp_path / "work")
    assert not (tmp_path / "work/images/train/old.png").exists()
