import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.boxes import Annotation, read_annotation, write_yolo
from detection.classes import CLASSES
from fusion.core.errors import InputError

SIZE = (100, 80)


def voc(tmp_path, *objects, size=SIZE):
    items = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for name, x0, y0, x1, y1 in objects
    )
    shape = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>"
    path = tmp_path / "00000.xml"
    path.write_text(f"<annotation>{shape}{items}</annotation>")
    return path


def yolo(tmp_path, text):
    path = tmp_path / "00000.txt"
    path.write_text(text)
    return path


def test_classes_are_mapped_by_name_in_any_case_and_order(tmp_path):
    path = voc(tmp_path, ("truck", 1, 2, 30, 40), ("PEOPLE", 5, 6, 7, 8))
    assert read_annotation(path, CLASSES, SIZE).labels == [5, 0]
    assert read_annotation(path, ("Truck", "Lamp", "People"), SIZE).labels == [0, 2]
    np.testing.assert_array_equal(
        read_annotation(path, CLASSES, SIZE).boxes, [[1, 2, 30, 40], [5, 6, 7, 8]]
    )


def test_boxes_are_clipped_or_dropped_and_counted(tmp_path):
    path = voc(
        tmp_path,
        ("Car", 0, 0, 100, 80),  # touches the border: as it should be
        ("Car", -3, 10, 20, 90),
        ("Car", 10, 10, 10, 30),  # no width
        ("Car", 100, 10, 130, 30),  # beside the image
    )
    found = read_annotation(path, CLASSES, SIZE)
    np.testing.assert_array_equal(found.boxes, [[0, 0, 100, 80], [0, 10, 20, 80]])
    assert (found.labels, found.clipped, found.dropped) == ([1, 1], 1, 2)


@pytest.mark.parametrize("name", ["00000.xml", "00000.txt"])
def test_no_objects_make_a_negative_image(tmp_path, name):
    path = tmp_path / name
    path.write_text(
        "<annotation><object> </object></annotation>" if name.endswith("xml") else " \n"
    )
    found = read_annotation(path, CLASSES, SIZE)
    assert (found.labels, found.boxes.shape) == ([], (0, 4))


def test_yolo_as_published_with_doubled_and_trailing_blanks(tmp_path):
    path = yolo(tmp_path, "2  0.5 0.5  0.2 0.4 \n\n0 0.1 0.1 0.2 0.2\r\n")
    found = read_annotation(path, CLASSES, SIZE)
    assert found.labels == [2, 0]
    np.testing.assert_allclose(found.boxes, [[40, 24, 60, 56], [0, 0, 20, 16]])
    assert found.clipped == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("6 0.5 0.5 0.1 0.1", "line 1 has class 6"),
        ("-1 0.5 0.5 0.1 0.1", "line 1 has class -1"),
        ("0 0.5 0.5 0.1", "line 1 is not 'class x y w h'"),
        ("0 0.5 0.5 0.1 0.1\ncar 0.5 0.5 0.1 0.1", "line 2"),
        ("0 nan 0.5 0.1 0.1", "finite"),
        ("0 0.5 0.5 0.1 0.1\n0 48 36 20 30", "line 2: values of YOLO text are shares.*; got 48"),
        ("0 0.5 0.5 inf 0.1", "got inf"),
        ("0 -1 0.5 0.1 0.1", "got -1"),
        ("0 0.5 0.5 -0.05 0.1", "line 1 has a negative size"),
        ("0 0.1 0.1 0.9 0.9", "line 1 has a box far beyond the image"),
    ],
)
def test_bad_yolo_lines_are_refused(tmp_path, text, reason):
    with pytest.raises(InputError, match=reason) as error:
        read_annotation(yolo(tmp_path, text), CLASSES, SIZE)
    assert "00000.txt" in str(error.value)


def test_yolo_boxes_just_over_the_border_are_clipped(tmp_path):
    """Releases have such values: 1.0371 is the largest of a public set."""
    found = read_annotation(yolo(tmp_path, "0 0.5 0.5 1.0371 0.5"), CLASSES, SIZE)
    np.testing.assert_array_equal(found.boxes, [[0, 20, 100, 60]])
    assert found.clipped == 1


@pytest.mark.parametrize(
    ("corners", "reason"),
    [
        ((30, 40, 10, 10), "minimum is above its maximum: 30 40 10 10; swap"),
        ((30, 10, 10, 40), "minimum is above its maximum"),
        ((0.1, 0.1, 0.4, 0.6), "in shares of the image, not pixels: 0.1 0.1 0.4 0.6; write xmin"),
        ((0, 0, 1, 1), "in shares of the image"),
        ((0.2, 0.3, 1.02, 0.9), "in shares of the image"),
        ((-0.03, 0.3, 0.5, 0.9), "in shares of the image"),
        ((120, 10, 130, 30), "wholly outside the image of 100x80, in another unit"),
        ((10, -30, 20, -10), "wholly outside"),
        ((10, 10, 160, 40), "far beyond the image of 100x80, in another unit: 10 10 160 40"),
    ],
)
def test_voc_corners_that_are_no_pixels_of_the_image_are_refused(tmp_path, corners, reason):
    with pytest.raises(InputError, match=reason) as error:
        read_annotation(voc(tmp_path, ("Car", *corners)), CLASSES, SIZE)
    assert "00000.xml" in str(error.value)


BOX = "<bndbox><xmin>10</xmin><ymin>10</ymin><xmax>30</xmax><ymax>40</ymax></bndbox>"
OBJECT = f"<object><name>car</name>{BOX}</object>"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            '<annotations><image name="a"><box label="car" xtl="1"/></image></annotations>',
            "root <annotations>.* no <object>",
        ),
        (f'<annotation xmlns="http://x.org/a">{OBJECT}</annotation>', "root <{http://x.org/a}ann"),
        (f"<annotation>{OBJECT.replace('object', 'Object')}</annotation>", "<Object>.*no <object>"),
        (f"<annotation>{OBJECT}{OBJECT.replace('object', 'OBJECT')}</annotation>", "<OBJECT>"),
        ('<annotation><box label="car" xtl="1"/></annotation>', "<box>, no <object>"),
        (f"<annotation>{BOX}</annotation>", "<bndbox>, no <object>"),
        ("<html><body/></html>", "root <html>"),
    ],
)
def test_xml_of_another_scheme_is_no_image_without_objects(tmp_path, text, reason):
    path = tmp_path / "a.xml"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"a\.xml: is not a VOC annotation \(.*{reason}"):
        read_annotation(path, CLASSES, SIZE)


def test_voc_without_objects_may_have_a_header_and_remarks(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(
        "<annotation><folder>a</folder><source><database>x</database></source>"
        "<owner><name>y</name></owner><segmented>0</segmented><weather>rain</weather></annotation>"
    )
    assert read_annotation(path, CLASSES, SIZE).labels == []


def test_an_object_with_two_boxes_is_refused(tmp_path):
    (tmp_path / "a.xml").write_text(
        f"<annotation><object><name>car</name>{BOX}{BOX}</object></annotation>"
    )
    with pytest.raises(InputError, match=r"a\.xml: has an object with several boxes; write an"):
        read_annotation(tmp_path / "a.xml", CLASSES, SIZE)


@pytest.mark.parametrize(
    ("text", "like_corners"),
    [
        ("0 0.1 0.2 0.5 0.6\n0 0.6 0.6 0.9 0.9", True),
        ("0 0.1 0.2 0.5 0.6\n0 0.6 0.6 0.2 0.3", False),
        ("", False),
    ],
)
def test_boxes_that_could_be_two_corners_are_told(tmp_path, text, like_corners):
    assert read_annotation(yolo(tmp_path, text), CLASSES, SIZE).like_corners == like_corners


@pytest.mark.parametrize("encoding", ["GB2312", "gbk", "big5", "shift_jis", "latin-1", "utf-16"])
def test_xml_is_read_in_the_encoding_that_it_declares(tmp_path, encoding):
    folder = "é" if encoding == "latin-1" else "中文"
    path = tmp_path / "a.xml"
    text = f'<?xml version="1.0" encoding="{encoding}"?><annotation><folder>{folder}</folder>'
    path.write_bytes(f"{text}{OBJECT}</annotation>".encode(encoding))
    assert read_annotation(path, CLASSES, SIZE).labels == [1]


@pytest.mark.parametrize("encoding", ["ansi", "hex", "rot13", "punycode", "utf-32", "utf-7"])
def test_an_encoding_that_cannot_be_read_is_refused_in_one_line(tmp_path, encoding):
    path = tmp_path / "a.xml"
    text = f'<?xml version="1.0" encoding="{encoding}"?><annotation><folder>\xe9</folder>'
    path.write_bytes(f"{text}{OBJECT}</annotation>".encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.xml: (declares an encoding that|is not plain XML)"):
        read_annotation(path, CLASSES, SIZE)


@pytest.mark.parametrize("suffix", [".xml", ".txt"])
def test_a_pipe_is_not_waited_for(tmp_path, suffix):
    os.mkfifo(tmp_path / f"a{suffix}")
    with pytest.raises(InputError, match="is not a regular file"):
        read_annotation(tmp_path / f"a{suffix}", CLASSES, SIZE)


def test_an_unknown_class_is_refused_by_name_and_file(tmp_path):
    with pytest.raises(InputError, match=r"00000\.xml.*'Bicycle'.*People, Car, Bus"):
        read_annotation(voc(tmp_path, ("Bicycle", 1, 1, 5, 5)), CLASSES, SIZE)


def test_boxes_in_pixels_of_another_size_are_refused(tmp_path):
    path = voc(tmp_path, ("Car", 1, 1, 5, 5), size=(1024, 768))
    with pytest.raises(InputError, match="1024x768, not 100x80"):
        read_annotation(path, CLASSES, SIZE)
    assert read_annotation(voc(tmp_path, size=(0, 0)), CLASSES, SIZE).labels == []


@pytest.mark.parametrize(
    "text",
    [
        "<annotation>",
        "",
        '<!DOCTYPE a [<!ENTITY x "y">]><annotation>&x;</annotation>',
        "<annotation><object><name>Car</name></object></annotation>",
    ],
)
def test_broken_xml_is_refused(tmp_path, text):
    path = tmp_path / "broken.xml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"broken\.xml"):
        read_annotation(path, CLASSES, SIZE)


def test_a_missing_annotation_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.xml"):
        read_annotation(tmp_path / "none.xml", CLASSES, SIZE)


@st.composite
def annotations(draw):
    width, height = draw(st.integers(1, 4000)), draw(st.integers(1, 4000))
    count = draw(st.integers(0, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    low, high = np.sort(rng.uniform(0, 1, (2, count, 2)), axis=0)
    boxes = np.concatenate([low, high], 1) * [width, height, width, height]
    keep = (boxes[:, 2:] - boxes[:, :2] > 1e-3).all(1)
    labels = rng.integers(0, len(CLASSES), count)[keep].tolist()
    return width, height, Annotation(labels, boxes[keep])


@given(annotations())
def test_yolo_round_trip(tmp_path_factory, case):
    width, height, annotation = case
    path = tmp_path_factory.mktemp("labels") / "a.txt"
    write_yolo(path, annotation, width, height)
    found = read_annotation(path, CLASSES, (width, height))
    assert found.labels == annotation.labels
    assert (found.clipped, found.dropped) == (0, 0)
    np.testing.assert_allclose(found.boxes, annotation.boxes, atol=1e-3)
