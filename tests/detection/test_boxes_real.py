"""The published boxes of M3FD, all of them, and fourteen of its pairs."""

import json
import os
import tarfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from detection.boxes import read_annotation
from detection.classes import CLASSES
from fusion.core.protocol import protocol_digest
from fusion.images.decode import write_image
from pipelines.datasets.config import BoxesConfig, M3FDConfig
from pipelines.datasets.prepare import prepare

DATA = Path(os.environ.get("FUSION_DATA", "unset"))

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="FUSION_DATA is not set")

PUBLISHED = {
    "People": 11477,
    "Car": 18296,
    "Bus": 700,
    "Motorcycle": 521,
    "Lamp": 2405,
    "Truck": 1008,
}
SIZE = (1024, 768)


@pytest.fixture(scope="module")
def annotations(tmp_path_factory):
    folder = tmp_path_factory.mktemp("m3fd")
    with tarfile.open(DATA / "m3fd_labels_all.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return sorted(folder.rglob("*.txt"))


@pytest.fixture(scope="module")
def whole(annotations, tmp_path_factory):
    """The official layout: all 4200 annotations, one small picture behind every name."""
    root = tmp_path_factory.mktemp("M3FD_Detection")
    write_image(root / "gray.png", np.zeros((24, 32), np.uint8))
    write_image(root / "color.png", np.zeros((24, 32, 3), np.uint8))
    for kind in ("Ir", "Vis", "Annotation"):
        (root / kind).mkdir()
    for path in annotations:
        (root / "Ir" / f"{path.stem}.png").hardlink_to(root / "gray.png")
        (root / "Vis" / f"{path.stem}.png").hardlink_to(root / "color.png")
        (root / "Annotation" / path.name).hardlink_to(path)
    return root


def written(output):
    """Report of a prepared data set, and its label files by stem."""
    facts = json.loads((output / "dataset.json").read_text())
    labels = {path.stem: path for path in output.glob("*/labels/*.txt")}
    return facts, labels


def same_boxes(first, second, size=SIZE):
    """Same classes in the same order; corners within a hundredth of a pixel."""
    before, after = (read_annotation(path, CLASSES, size) for path in (first, second))
    if before.labels != after.labels:
        return False
    return bool(np.allclose(before.boxes, after.boxes, atol=0.01))


def counts(notes):
    prefix = "boxes of "
    return {key.removeprefix(prefix): n for key, n in notes.items() if key.startswith(prefix)}


def test_every_published_box_is_inside_its_image(annotations):
    found = [read_annotation(path, CLASSES, SIZE) for path in annotations]
    assert len(found) == 4200
    assert (sum(item.clipped for item in found), sum(item.dropped for item in found)) == (0, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("protocol", "sizes"), [("random", (3360, 420, 420)), ("blocks", (3400, 400, 400))]
)
def test_the_whole_set_validates_splits_and_keeps_every_box(
    whole, annotations, tmp_path, protocol, sizes
):
    config = M3FDConfig(layout="m3fd", source=str(whole), labels="Annotation", split=protocol)
    report = prepare("m3fd", config, tmp_path / "set", tmp_path / "train")
    assert report.splits == dict(zip(("train", "val", "test"), sizes, strict=True))
    assert counts(report.notes) == PUBLISHED
    facts, labels = written(tmp_path / "set")
    assert facts["split_protocol"] == protocol
    assert facts["checksum"] == protocol_digest(facts["splits"])
    assert len(labels) == 4200
    assert all(same_boxes(path, labels[path.stem]) for path in annotations)
    if protocol == "blocks":
        parts = {name: part for part, names in facts["splits"].items() for name in names}
        borders = sum(parts[a.stem] != parts[b.stem] for a, b in pairwise(annotations))
        assert borders < 42, "a block of 100 frames was cut"


@pytest.mark.parametrize("protocol", ["random", "blocks", "grouped"])
def test_real_pairs_load_validate_split_and_round_trip(tmp_path, protocol):
    source = DATA / "m3fd_sample"
    config = M3FDConfig(
        layout="m3fd",
        source=str(source),
        labels="labels_yolo",
        split=protocol,
        fractions=(0.6, 0.2, 0.2),
        block=2,
    )
    report = prepare("sample", config, tmp_path / "set", tmp_path / "train")
    assert sum(report.splits.values()) == 14
    assert counts(report.notes) == {"Car": 64, "Lamp": 8, "Motorcycle": 2, "People": 124}
    facts, labels = written(tmp_path / "set")
    assert all(same_boxes(source / "labels_yolo" / path.name, path) for path in labels.values())
    if protocol == "grouped":  # one street, one stairway
        for names in ({"00000", "00001", "00005"}, {"03855", "03865"}):
            assert any(names <= set(part) for part in facts["splits"].values())


def test_yolo_numbers_of_another_order_are_mapped_by_name(tmp_path):
    """The same boxes, numbered as another repository does: the same report."""
    source, other = DATA / "m3fd_sample", tmp_path / "other"
    theirs = tuple(reversed(CLASSES))
    for kind in ("Ir", "Vis"):
        (other / kind).parent.mkdir(exist_ok=True)
        (other / kind).symlink_to((source / kind).resolve())
    (other / "txt").mkdir()
    for path in (source / "labels_yolo").glob("*.txt"):
        lines = [line.split() for line in path.read_text().splitlines() if line.split()]
        text = "".join(f"{5 - int(label)} {' '.join(box)}\n" for label, *box in lines)
        (other / "txt" / path.name).write_text(text)
    config = BoxesConfig(
        layout="boxes",
        source=str(other),
        infrared="Ir",
        visible="Vis",
        labels="txt",
        classes=list(theirs),
    )
    report = prepare("other", config, tmp_path / "set", tmp_path / "train")
    assert counts(report.notes) == {"Car": 64, "Lamp": 8, "Motorcycle": 2, "People": 124}
