import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from detection.classes import CLASSES
from fusion.core.errors import InputError
from fusion.images.decode import ONE_IMAGE, read_visible, write_image
from fusion.images.pairs import find_pairs
from pipelines.datasets.config import DatasetConfig
from pipelines.datasets.duplicates import near_duplicates
from pipelines.datasets.prepare import prepare
from pipelines.datasets.sample import generate
from pipelines.datasets.sample_config import SampleConfig
from segmentation.labels import read_label
from tests.fusion.alignment.scenes import shifted_scene
from tests.pipelines.datasets.test_duplicates import described

MSRS = {"layout": "msrs", "train_fusion": True}
M3FD = {"layout": "m3fd", "fractions": [0.5, 0.25, 0.25]}
REAL = os.environ.get("FUSION_DATA")


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generated") / "raw"
    sizes = {"msrs_train": 4, "msrs_test": 2, "m3fd": 8, "height": 48, "width": 64}
    generate(folder, SampleConfig(**sizes))
    return folder


@pytest.fixture
def source(generated, tmp_path):
    """Small sample data that a test may break."""
    return shutil.copytree(generated, tmp_path / "raw")


def checked(**settings):
    return TypeAdapter(DatasetConfig).validate_python(settings)


@pytest.fixture
def run(tmp_path):
    def prepared(folder, train_fusion=False, **settings):
        config = checked(source=str(folder), **settings)
        folders = tmp_path / "out/set", tmp_path / "train/set"
        return prepare("set", config, *folders, train_fusion=train_fusion)

    return prepared


def facts(tmp_path):
    return json.loads((tmp_path / "out/set/dataset.json").read_text())


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def test_msrs_becomes_the_canonical_layout(source, run, tmp_path):
    report = run(source / "MSRS", **MSRS)
    assert report.splits == {"train": 4, "test": 2}
    content = facts(tmp_path)
    assert content["split_protocol"] == "official"
    assert content["classes"][8] == "bump"
    assert content["splits"]["train"] == ["00000D", "00001N", "00002D", "00003N"]
    for split, names in content["splits"].items():
        raw, out = source / "MSRS" / split, tmp_path / "out/set" / split
        for name in names:
            for kind in ("ir", "vi"):
                assert (out / kind / f"{name}.png").read_bytes() == (
                    raw / kind / f"{name}.png"
                ).read_bytes()
            np.testing.assert_array_equal(
                read_label(out / "labels" / f"{name}.png"),
                read_label(raw / "Segmentation_labels" / f"{name}.png"),
            )
    assert files(tmp_path / "train/set") == {
        name: data
        for name, data in files(tmp_path / "out/set/train").items()
        if not name.startswith("labels")
    }


def test_png_files_that_are_canonical_already_are_copied(source, run, tmp_path):
    path = source / "MSRS/test/vi/10000D.png"
    Image.open(path).save(path, compress_level=0)
    run(source / "MSRS", **MSRS)
    assert (tmp_path / "out/set/test/vi/10000D.png").read_bytes() == path.read_bytes()


def test_m3fd_is_split_once_and_written_as_yolo_boxes(source, run, tmp_path):
    run(source / "M3FD", **M3FD)
    first = files(tmp_path / "out/set")
    content = facts(tmp_path)
    assert [len(content["splits"][part]) for part in ("train", "val", "test")] == [4, 2, 2]
    infrared = Image.open(tmp_path / "out/set/train/ir" / f"{content['splits']['train'][0]}.png")
    assert infrared.mode == "L"
    lines = [
        line.split()
        for path in (tmp_path / "out/set").rglob("labels/*.txt")
        for line in path.read_text().splitlines()
    ]
    boxes = sum(v for note, v in content["notes"].items() if note.startswith("boxes of"))
    assert len(lines) == boxes > 0
    assert all(0 <= float(value) <= 1 for line in lines for value in line[1:])
    assert not list((tmp_path / "train/set").iterdir())
    run(source / "M3FD", **M3FD)
    assert files(tmp_path / "out/set") == first
    run(source / "M3FD", **M3FD, seed=1)
    assert facts(tmp_path)["checksum"] != content["checksum"]


def test_prepared_yolo_boxes_are_a_source_too(source, run, tmp_path):
    run(source / "M3FD", **M3FD)
    before = facts(tmp_path)["notes"]
    for part in (tmp_path / "out/set").glob("*/labels/*.txt"):
        (source / "M3FD/Annotation" / f"{part.stem}.xml").unlink()
        (source / "M3FD/Annotation" / part.name).write_bytes(part.read_bytes())
    run(source / "M3FD", **M3FD)
    assert facts(tmp_path)["notes"] == before


def test_an_image_without_yolo_text_has_no_objects(source, run, tmp_path):
    annotations = source / "M3FD/Annotation"
    for path in annotations.iterdir():
        path.unlink()
    (annotations / "00001.txt").write_text("1 0.5 0.5 0.25 0.25\n")
    (annotations / "00002.txt").touch()
    notes = run(source / "M3FD", **M3FD).notes
    assert notes["images without objects"] == 7
    assert notes["images without objects: no label file"] == 6
    written = {path.stem: path.read_text() for path in (tmp_path / "out/set").rglob("labels/*")}
    assert len(written) == 8
    assert [name for name, text in written.items() if text] == ["00001"]

    write_xml(annotations / "00003.xml")
    with pytest.raises(InputError, match="Annotation: has no label for 00000, 00004"):
        run(source / "M3FD", **M3FD)
    for path in annotations.glob("*.*"):
        path.unlink()
    with pytest.raises(InputError, match="Annotation: has no label for 00000, 00001"):
        run(source / "M3FD", **M3FD)


def test_a_declared_range_counts_for_grouping_too(source, run):
    """Temperatures cannot be read without it."""
    for path in (source / "M3FD/Ir").iterdir():
        kelvin = 280 + cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 8
        cv2.imwrite(str(path.with_suffix(".tiff")), kelvin)
        path.unlink()
    run(source / "M3FD", **M3FD, split="grouped", infrared_range=[280.0, 312.0])


@pytest.mark.parametrize("suffixes", [(".TXT", ".TXT"), (".XML", ".Txt")])
def test_suffixes_of_annotations_are_read_in_any_case(source, run, tmp_path, suffixes):
    run(source / "M3FD", **M3FD)
    before = files(tmp_path / "out/set")
    labels = {path.stem: path.read_bytes() for path in (tmp_path / "out/set").rglob("labels/*")}
    for path in sorted((source / "M3FD/Annotation").iterdir()):
        suffix = suffixes[int(path.stem) % 2]
        path.rename(path.with_suffix(suffix))
        if suffix.lower() == ".txt":
            path.with_suffix(suffix).write_bytes(labels[path.stem])
    run(source / "M3FD", **M3FD)
    assert files(tmp_path / "out/set") == before


def test_two_annotations_of_one_image_are_refused_by_name(source, run):
    annotations = source / "M3FD/Annotation"
    (annotations / "00003.txt").touch()
    (annotations / "classes.txt").touch()  # some tools put it there; it belongs to no image
    (annotations / "classes.xml").touch()
    message = r"Annotation: has two annotations of one image: 00003\.txt, 00003\.xml; keep the one"
    with pytest.raises(InputError, match=message):
        run(source / "M3FD", **M3FD)
    (annotations / "00003.txt").unlink()
    run(source / "M3FD", **M3FD)


@pytest.mark.parametrize(
    "order",
    [
        ["truck", "lamp", "motorcycle", "bus", "car", "people"],
        ["Car", "People", "Lamp", "Truck", "Bus", "Motorcycle"],
    ],
)
def test_yolo_numbers_of_m3fd_go_by_name_in_any_order(source, run, tmp_path, order):
    """As another repository numbers them; names in XML are what they were."""
    run(source / "M3FD", **M3FD)
    before = files(tmp_path / "out/set")
    theirs = {str(CLASSES.index(name.title())): str(n) for n, name in enumerate(order)}
    for path in list((tmp_path / "out/set").rglob("labels/*.txt"))[::2]:
        lines = [line.split(" ", 1) for line in path.read_text().splitlines()]
        (source / "M3FD/Annotation" / f"{path.stem}.xml").unlink()
        text = "".join(f"{theirs[number]} {box}\n" for number, box in lines)
        (source / "M3FD/Annotation" / path.name).write_text(text)
    run(source / "M3FD", **M3FD, classes=order)
    assert files(tmp_path / "out/set") == before


def pairs_folder(folder, *names, size=(20, 16)):
    for kind, mode in (("ir", "L"), ("vi", "RGB")):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for name in names:
            Image.new(mode, size, 90).save(folder / kind / name)
    return folder


def test_one_folder_of_pairs_is_a_test_split(run, tmp_path):
    report = run(pairs_folder(tmp_path / "mine", "b.png", "a.jpg"), layout="pairs")
    assert report.splits == {"test": 2}
    assert facts(tmp_path)["classes"] is None
    assert [p.name for p in sorted((tmp_path / "out/set/test/ir").iterdir())] == ["a.png", "b.png"]


def test_folders_of_pairs_can_be_named(run, tmp_path):
    pairs_folder(tmp_path / "mine/night", "a.png")
    (tmp_path / "mine/night/ir").rename(tmp_path / "mine/night/thermal")
    splits = {"test": "night"}
    assert run(tmp_path / "mine", layout="pairs", splits=splits, infrared="thermal").splits == {
        "test": 1
    }


def test_what_had_to_be_done_is_counted(source, run, tmp_path):
    folder = source / "MSRS/test"
    night, day = "10001N.png", "10000D.png"
    deep = cv2.imread(str(folder / "ir" / day), cv2.IMREAD_GRAYSCALE).astype(np.uint16) * 200
    cv2.imwrite(str(folder / "ir" / day), deep)
    Image.open(folder / "vi" / day).convert("RGBA").save(folder / "vi" / day)
    Image.open(folder / "vi" / night).convert("L").save(folder / "vi" / night)
    Image.new("L", (64, 48)).save(folder / "Segmentation_labels" / night)
    report = run(source / "MSRS", **MSRS, infrared_range=[0, 51000])
    assert facts(tmp_path)["notes"] == report.notes
    assert report.notes == {
        "infrared: scaled from 0..51000": 1,
        "infrared: 8 bits: the declared range is not used": 5,
        "visible: alpha dropped": 1,
        "visible: gray": 1,
        "images without objects": 1,
    }
    written = read_visible(tmp_path / "out/set/test/ir" / day)
    np.testing.assert_array_equal(written.pixels, deep // 200)
    assert read_visible(tmp_path / "out/set/test/vi" / day).stored


def write_xml(path, *objects):
    items = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for name, a, b, c, d in objects
    )
    path.write_text(f"<annotation>{items}</annotation>")


def test_boxes_are_clipped_dropped_and_counted(source, run):
    for path in (source / "M3FD/Annotation").iterdir():
        write_xml(path)
    annotations = source / "M3FD/Annotation"
    write_xml(annotations / "00000.xml", ("car", -5, 2, 20, 30), ("Lamp", 9, 9, 9, 20))
    write_xml(annotations / "00001.xml", ("People", 64, 2, 90, 30))
    assert run(source / "M3FD", **M3FD).notes == {
        "boxes of Car": 1,
        "boxes clipped to the image": 1,
        "boxes without area dropped": 2,
        "images without objects": 7,
    }


def test_night_is_known_by_name_or_from_a_list(source, run, tmp_path):
    assert str(run(source / "MSRS", **MSRS)).startswith("set: 4 train, 2 test pairs, 3 at night")
    assert facts(tmp_path)["night"] == ["00001N", "00003N", "10001N"]
    run(source / "M3FD", **M3FD)
    assert facts(tmp_path)["night"] == ["00002", "00005"]

    (source / "M3FD/night.txt").write_text("00001\r\n\n00009\n")
    with pytest.raises(InputError, match=r"night\.txt: names no pair: 00009"):
        run(source / "M3FD", **M3FD)
    (source / "M3FD/night.txt").unlink()
    assert "night" not in str(run(source / "M3FD", **M3FD))
    assert facts(tmp_path)["night"] is None


def truncate(path):
    path.write_bytes(path.read_bytes()[:300])


def resize(path, size=(32, 48)):
    Image.open(path).resize(size).save(path)


def second_stem(path):
    Image.open(path).save(path.with_suffix(".bmp"))


@pytest.mark.parametrize(
    ("path", "damage", "message"),
    [
        ("test/vi/10000D.png", Path.unlink, r"1 infrared without a partner in .*test/vi: 10000D"),
        ("test/ir/10000D.png", Path.unlink, r"1 visible without a partner in .*test/ir: 10000D"),
        ("test/ir/10000D.png", resize, r"ir/10000D.png: is 32x48 but .*vi/10000D.png is 64x48"),
        ("train/vi/00001N.png", truncate, r"train/vi/00001N.png: is truncated or damaged"),
        ("train/ir/00001N.png", lambda p: p.write_text("x"), r"00001N.png: is not a readable"),
        ("train/ir/00001N.png", second_stem, r"two files with one stem: 00001N.bmp, 00001N.png"),
        ("train/Segmentation_labels/00001N.png", Path.unlink, r"labels: has no label for 00001N"),
        ("train/Segmentation_labels/00001N.png", resize, r"00001N.png: is 32x48 but its image 64x"),
        (
            "train/Segmentation_labels/00001N.png",
            lambda p: write_image(p, np.full((48, 64), 9, np.uint8)),
            r"00001N.png.*value 9",
        ),
    ],
)
def test_faults_of_msrs_are_refused_before_anything_is_written(
    source, run, tmp_path, path, damage, message
):
    damage(source / "MSRS" / path)
    with pytest.raises(InputError, match=message):
        run(source / "MSRS", **MSRS)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "train").exists()


def test_empty_and_missing_folders_are_refused(source, run, tmp_path):
    for path in (source / "MSRS/train/ir").iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"train/ir: holds no images"):
        run(source / "MSRS", **MSRS)
    with pytest.raises(InputError, match=r"nowhere: is not a folder"):
        run(tmp_path / "nowhere", **MSRS)
    with pytest.raises(InputError, match=r"M3FD: has none of the folders train, test"):
        run(source / "M3FD", **MSRS)
    with pytest.raises(InputError, match=r"has no train split"):
        run(pairs_folder(tmp_path / "mine", "a.png"), layout="pairs", train_fusion=True)


def test_an_unknown_class_is_refused_by_name_and_file(source, run):
    write_xml(source / "M3FD/Annotation/00003.xml", ("Bicycle", 1, 1, 9, 9))
    with pytest.raises(InputError, match=r"00003\.xml: .*'Bicycle'.*People, Car, Bus"):
        run(source / "M3FD", **M3FD)


def test_all_problems_are_in_one_message(source, run):
    (source / "MSRS/test/vi/10001N.png").unlink()
    truncate(source / "MSRS/train/ir/00000D.png")
    resize(source / "MSRS/train/vi/00002D.png")
    with pytest.raises(InputError) as caught:
        run(source / "MSRS", **MSRS)
    message = str(caught.value)
    assert "set: 3 problems" in message
    for words in ("partner", "00000D.png: is truncated", "00002D.png is 32x48"):
        assert words in message


def test_more_than_twenty_problems_are_counted(run, tmp_path):
    names = [f"{number:02d}.png" for number in range(25)]
    folder = pairs_folder(tmp_path / "mine", *names)
    for name in names:
        (folder / "ir" / name).write_text("x")
    with pytest.raises(InputError, match=r"(?s)25 problems.*… and 5 more") as caught:
        run(folder, layout="pairs")
    assert str(caught.value).count("not a readable image") == 20


def test_a_failed_run_leaves_the_earlier_result(source, run, tmp_path):
    run(source / "MSRS", **MSRS)
    before = files(tmp_path / "out"), files(tmp_path / "train")
    truncate(source / "MSRS/train/ir/00000D.png")
    with pytest.raises(InputError):
        run(source / "MSRS", **MSRS)
    assert (files(tmp_path / "out"), files(tmp_path / "train")) == before


def test_a_folder_with_other_things_is_never_replaced(source, run, tmp_path):
    precious = tmp_path / "out/set/photos"
    precious.mkdir(parents=True)
    with pytest.raises(InputError, match="is in the way"):
        run(source / "MSRS", **MSRS)
    assert precious.is_dir()


def test_near_duplicate_frames_stay_on_one_side(tmp_path, run):
    folder = tmp_path / "video"
    for kind in ("Ir", "Vis", "Annotation"):
        (folder / kind).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(12):
        if number % 3 == 0:
            frame = cv2.resize(rng.integers(0, 256, (6, 8), dtype=np.uint8), (64, 48))
        frame = np.roll(frame, 1, axis=1)  # the camera pans by a pixel
        for kind in ("Ir", "Vis"):
            write_image(folder / kind / f"{number:05d}.png", frame)
        write_xml(folder / "Annotation" / f"{number:05d}.xml")
    groups = near_duplicates(described(find_pairs(folder / "Ir", folder / "Vis")))
    assert list(groups.values()) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    run(folder, **M3FD, split="grouped")
    for names in facts(tmp_path)["splits"].values():
        assert len(names) % 3 == 0
        assert all(f"{int(name) // 3 * 3:05d}" in names for name in names)


BOXES = {"layout": "boxes", "classes": ["person"]}


def modality_first(root, **names):
    """infrared/<split>, visible/<split> and one folder of YOLO text, as LLVIP is published."""
    (root / "labels").mkdir(parents=True)
    for index, (split, members) in enumerate(names.items()):
        for kind, shape in (("infrared", (40, 48)), ("visible", (40, 48, 3))):
            (root / kind / split).mkdir(parents=True)
            for name in members:
                rng = np.random.default_rng([int(name), index])
                pixels = rng.integers(0, 256, shape, dtype=np.uint8)
                write_image(root / kind / split / f"{name}.png", pixels)
                (root / "labels" / f"{name}.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    return root


@pytest.mark.parametrize("given", [{}, {"splits": {"train": "train", "test": "test"}}])
def test_published_splits_of_boxes_are_kept_where_modality_comes_first(run, tmp_path, given):
    folder = modality_first(tmp_path / "llvip", train=["1", "2", "3"], test=["7"])
    folders = {"infrared": "infrared/{split}", "visible": "visible/{split}"}
    if not given:
        folders["labels"] = "labels"
    report = run(folder, **BOXES, **folders, **given)
    assert report.splits == {"train": 3, "test": 1}
    assert facts(tmp_path)["split_protocol"] == "official"
    assert (tmp_path / "out/set/test/labels/7.txt").read_text().startswith("0 0.5")


@pytest.mark.parametrize("further", [{}, {"splits": {"train": "train", "test": "test"}}])
@pytest.mark.parametrize("layout", [BOXES, {"layout": "pairs"}])
def test_folders_of_splits_are_told_how_to_be_named(run, tmp_path, layout, further):
    folder = modality_first(tmp_path / "llvip", train=["1", "2", "3"], test=["7"])
    names = {"infrared": "infrared", "visible": "visible"}
    message = r"infrared: holds the splits train and test.*`infrared: infrared/\{split\}`"
    with pytest.raises(InputError, match=message):
        run(folder, **layout, **names, **further)


def test_a_pair_in_two_published_splits_is_refused_under_any_name(run, tmp_path):
    folder = modality_first(tmp_path / "llvip", train=["1", "2", "3"], test=["7"])
    for kind in ("infrared", "visible"):
        Image.open(folder / kind / "train/2.png").save(folder / kind / "test/8.bmp")
    (folder / "labels/8.txt").touch()
    folders = {"infrared": "infrared/{split}", "visible": "visible/{split}"}
    with pytest.raises(InputError, match=r"same pair in two splits: test/8 and train/2; remove"):
        run(folder, **BOXES, **folders)
    assert not (tmp_path / "out").exists()


def test_one_name_for_different_pairs_of_two_splits_is_a_note(run, tmp_path):
    folder = modality_first(tmp_path / "own", train=["1", "2"], test=["1", "3"])
    folders = {"infrared": "infrared/{split}", "visible": "visible/{split}"}
    notes = run(folder, layout="pairs", **folders).notes
    assert list(notes.values()) == [1]
    assert "the same name in two splits, with other images" in notes


def test_copies_in_a_drawn_split_are_counted_and_grouped_ones_stay_together(run, tmp_path):
    folder = tmp_path / "video"
    for kind in ("ir", "vi", "labels"):
        (folder / kind).mkdir(parents=True)
    for number in range(8):
        frame = np.random.default_rng(number // 2).integers(0, 256, (48, 64), dtype=np.uint8)
        for kind in ("ir", "vi"):
            write_image(folder / kind / f"{number}.png", frame)
        (folder / f"labels/{number}.txt").touch()
    note = "the same pair in two splits: choose split `grouped`"
    halves = {"fractions": [0.5, 0.25, 0.25]}
    assert run(folder, **BOXES, **halves, seed=1).notes[note] > 0
    assert note not in run(folder, **BOXES, **halves, split="grouped").notes


def test_a_split_that_is_not_read_is_noted(source, run):
    (source / "MSRS/test").rename(source / "MSRS/val")
    notes = run(source / "MSRS", layout="msrs").notes
    assert notes["val is not read: add it to `splits` (--split val=val)"] == 1


@pytest.mark.parametrize(
    ("name", "split"), [("Train", "train"), ("valid", "val"), ("dev", "SPLIT")]
)
def test_folders_of_pairs_by_other_names_are_noted(source, run, name, split):
    (source / "MSRS/train").rename(source / f"MSRS/{name}")
    notes = run(source / "MSRS", layout="msrs").notes
    assert notes[f"{name} is not read: add it to `splits` (--split {split}={name})"] == 1


def test_a_list_of_nights_may_name_pairs_that_a_sample_leaves_out(source, run, tmp_path):
    (source / "MSRS/night.txt").write_text("00001N\n00003N\n10001N\n")
    run(source / "MSRS", layout="msrs", sample={"train": 1}, sample_seed=1)
    names = facts(tmp_path)["splits"]["train"] + facts(tmp_path)["splits"]["test"]
    assert facts(tmp_path)["night"] == [name for name in names if name.endswith("N")]
    (source / "MSRS/night.txt").write_text("00001N.png\n")
    with pytest.raises(InputError, match=r"names no pair: 00001N\.png; .* without folder and suf"):
        run(source / "MSRS", layout="msrs", sample={"train": 1})


def test_classes_that_a_labeling_tool_numbers_otherwise_are_refused(run, tmp_path):
    folder = tmp_path / "mine"
    write_boxes(folder, "0 0.5 0.5 0.2 0.2\n")
    for listed, reason in (
        ("person\ncar\n", ""),
        ("car\nperson\n", "gives class 'person' the number 1, not 0"),
    ):
        (folder / "labels/classes.txt").write_text(listed)
        if not reason:
            run(folder, **BOXES)
            continue
        with pytest.raises(InputError, match=rf"classes\.txt: {reason}"):
            run(folder, **BOXES)


@pytest.mark.parametrize(
    ("text", "noted"), [("0 0.1 0.2 0.5 0.6\n", 1), ("0 0.7 0.8 0.2 0.2\n", 0)]
)
def test_boxes_that_all_look_like_corners_are_noted(run, tmp_path, text, noted):
    write_boxes(tmp_path / "mine", text)
    notes = run(tmp_path / "mine", **BOXES).notes
    assert sum("are they two corners" in note for note in notes) == noted


def test_one_image_in_both_folders_is_noted(source, run):
    Image.open(source / "MSRS/test/vi/10001N.png").convert("L").save(
        source / "MSRS/test/ir/10001N.png"
    )
    assert run(source / "MSRS", layout="msrs").notes[ONE_IMAGE] == 1


def write_boxes(folder, text):
    rng = np.random.default_rng(0)
    for name in "abcd":
        for kind in ("ir", "vi"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            write_image(
                folder / f"{kind}/{name}.png", rng.integers(0, 256, (20, 24), dtype=np.uint8)
            )
        (folder / "labels").mkdir(exist_ok=True)
        (folder / f"labels/{name}.txt").write_text(text)


def test_exchanged_folders_are_refused_and_single_colored_images_counted(run, tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "mine"
    for kind, shape in (("ir", (20, 24, 3)), ("vi", (20, 24))):
        (folder / kind).mkdir(parents=True)
        for name in "ab":
            pixels = rng.integers(0, 256, shape, dtype=np.uint8)
            write_image(folder / kind / f"{name}.png", pixels)
    with pytest.raises(InputError, match="all infrared images are in color and all visible ones"):
        run(folder, layout="pairs")
    write_image(folder / "vi/a.png", rng.integers(0, 256, (20, 24, 3), dtype=np.uint8))
    notes = run(folder, layout="pairs").notes
    assert [count for note, count in notes.items() if "are the folders exchanged" in note] == [2]


def test_label_images_of_another_format_are_refused_by_name(source, run):
    label = source / "MSRS/train/Segmentation_labels/00001N.png"
    Image.open(label).save(label.with_suffix(".jpg"))
    label.unlink()
    with pytest.raises(InputError, match=r"00001N\.jpg: a label is PNG, and JPG can change its"):
        run(source / "MSRS", layout="msrs")


def test_the_list_of_nights_is_utf8_with_or_without_a_mark(source, run, tmp_path):
    listing = source / "M3FD/night.txt"
    listing.write_bytes("\ufeff00001\r\n".encode())
    run(source / "M3FD", **M3FD)
    assert facts(tmp_path)["night"] == ["00001"]
    for content in ("00001\n".encode("utf-16"), "00001\n".encode("utf-16-le"), b"caf\xe9"):
        listing.write_bytes(content)
        with pytest.raises(InputError, match=r"night\.txt: is not .*; save it as UTF-8"):
            run(source / "M3FD", **M3FD)


@pytest.mark.parametrize("split", ["random", "grouped"])
def test_every_file_is_decoded_once(source, run, monkeypatch, split):
    opened = []
    original = Image.open

    def noted(path, **options):
        opened.append(path)
        return original(path, **options)

    monkeypatch.setattr(Image, "open", noted)
    run(source / "M3FD", **M3FD, split=split, train_fusion=True)
    assert len(opened) == len(set(opened)) == 16


def test_training_pairs_are_not_stored_twice(source, run, tmp_path):
    run(source / "MSRS", **MSRS)
    first, second = tmp_path / "out/set/train/ir", tmp_path / "train/set/ir"
    assert [path.samefile(first / path.name) for path in second.iterdir()] == [True] * 4


@pytest.mark.parametrize(
    ("place", "foreign"),
    [
        ("out/set", "photos"),
        ("out/set", "test/photos/mine.jpg"),
        ("train/set", "ir/mine.png"),
        ("out/.set.writing", "mine.txt"),
        ("train/.set.replaced", "mine.txt"),
    ],
)
@pytest.mark.parametrize("prepared_before", [False, True])
def test_what_others_own_is_neither_moved_nor_removed(
    source, run, tmp_path, place, foreign, prepared_before
):
    if prepared_before:
        run(source / "MSRS", **MSRS)
    path = tmp_path / place / foreign
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine") if path.suffix else path.mkdir()
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*")}
    with pytest.raises(InputError, match="is in the way"):
        run(source / "MSRS", **MSRS)
    assert {path: path.stat().st_ino for path in tmp_path.rglob("*")} == before


def test_a_link_or_a_file_in_place_of_the_output_is_refused(source, run, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/set").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="is in the way: it is not a folder"):
        run(source / "MSRS", **MSRS)
    (tmp_path / "out/set").unlink()
    (tmp_path / "out/set").touch()
    with pytest.raises(InputError, match="is in the way: it is not a folder"):
        run(source / "MSRS", **MSRS)


class Killed(BaseException):
    """Ends a run as a signal does, wherever it comes."""


@pytest.mark.parametrize("calls", range(1, 5))
@pytest.mark.parametrize("prepared_before", [False, True])
def test_a_run_killed_between_two_renames_can_be_repeated(
    source, run, tmp_path, monkeypatch, calls, prepared_before
):
    """Nothing is cleaned up after the kill: as after a power cut."""
    if prepared_before:
        run(source / "MSRS", layout="msrs", splits={"train": "test"}, train_fusion=True)
    counted, original = [], Path.rename

    def rename(path, target):
        counted.append(path)
        if len(counted) == calls:
            monkeypatch.setattr("pipelines.datasets.replace._discard", lambda _: None)
            raise Killed
        return original(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        if calls > 2 and not prepared_before:
            run(source / "MSRS", **MSRS)
        else:
            with pytest.raises(Killed):
                run(source / "MSRS", **MSRS)
    monkeypatch.undo()
    assert run(source / "MSRS", **MSRS).splits == {"train": 4, "test": 2}
    assert not [path for path in tmp_path.rglob(".*") if path.name != ".gitignore"]


def test_an_output_that_cannot_be_written_is_said_in_one_line(source, tmp_path):
    config = checked(source=str(source / "MSRS"), layout="msrs")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/set: cannot be written \(.*; look at its perm"):
        prepare("set", config, tmp_path / "file/set", tmp_path / "train/set")


@pytest.mark.parametrize("name", ["../x", "", ".hidden", "a/b", "x;y", "$(x)", "n" * 65, "-x"])
def test_names_that_are_paths_or_commands_are_refused(source, tmp_path, name):
    config = checked(source=str(source / "MSRS"), layout="msrs")
    with pytest.raises(InputError, match=r"data set: .*: a name has"):
        prepare(name, config, tmp_path / "out/set", tmp_path / "train/set")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layout": "pairs", "seed": 1}, "seed: not a setting of layout 'pairs'"),
        ({"layout": "m3fd", "splits": {"test": "x"}}, "splits: not a setting of layout 'm3fd'"),
        ({"layout": "m3fd", "fractions": [0.5, 0.2, 0.2]}, "sum to 1"),
        ({"layout": "pairs", "infrared_range": [5, 5]}, r"\[lowest, highest\]"),
        ({"layout": "m3fd", "classes": ["Car", "Bus"]}, "'m3fd' has People, Car, .* in any order"),
        ({"layout": "pairs", "infrared_range": [float("nan"), 1]}, "finite"),
        ({"layout": "pairs", "infrared_range": [0, float("inf")]}, "finite"),
        ({"layout": "boxes", "classes": ["person", "car", " "]}, "blank name"),
        ({"layout": "boxes", "classes": ["Car", "car"]}, "has a name twice"),
        (
            {"layout": "boxes", "classes": ["a"], "splits": {"test": "x"}, "seed": 1},
            "seed: without",
        ),
        ({"layout": "boxes"}, "classes"),
        ({"layout": "folders"}, "'msrs', 'masks', 'm3fd', 'boxes', 'pairs'"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        checked(source="x", **settings)


@pytest.mark.skipif(not REAL, reason="FUSION_DATA names no folder of real images")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("tno", {}, {"test": 25}),
        ("roadscene", {"train_fusion": True}, {"train": 171, "test": 50}),
        (
            "msrs",
            {"train_fusion": True, "splits": {"train": "train", "test": "dev"}},
            {"train": 37, "test": 121},
        ),
    ],
)
def test_real_pairs_are_prepared(run, tmp_path, name, settings, expected):
    report = run(Path(REAL) / name, layout="pairs", **settings)
    assert report.splits == expected
    out = tmp_path / "out/set"
    assert len(list(out.rglob("*.png"))) == 2 * sum(expected.values())
    assert len(list((tmp_path / "train/set").rglob("*.png"))) == 2 * (
        expected.get("train", 0) if settings else 0
    )
    gray = sum(Image.open(path).mode == "L" for path in out.rglob("vi/*.png"))
    assert report.notes["visible: gray"] == gray == (25 if name == "tno" else 0)


@pytest.mark.parametrize("right", [6, 0])
def test_shifted_pairs_are_noted_and_written_all_the_same(run, tmp_path, right):
    for kind in ("ir", "vi"):
        (tmp_path / "raw" / kind).mkdir(parents=True)
    for seed in range(6):
        for kind, image in zip(("ir", "vi"), shifted_scene(seed, right, 0), strict=True):
            write_image(tmp_path / "raw" / kind / f"{seed}.png", np.ascontiguousarray(image))
    report = run(tmp_path / "raw", layout="pairs")
    assert report.splits == {"test": 6}
    note = "the infrared images lie about 6 pixels to the right of the visible ones in 6 of 6"
    assert (note in str(report)) == bool(right)
    assert "shift" not in (tmp_path / "out/set/dataset.json").read_text()
