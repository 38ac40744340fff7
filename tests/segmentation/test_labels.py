import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fusion.core.errors import InputError
from segmentation.classes import MSRS
from segmentation.labels import CLASSES, OTHER_ORDER, colorize, read_label, read_noted_label


@pytest.fixture
def label():
    return np.random.default_rng(0).integers(0, len(CLASSES), (13, 17), dtype=np.uint8)


def test_index_palette_and_painted_labels_read_the_same(tmp_path, label):
    Image.fromarray(label).save(tmp_path / "gray.png")
    indexed = Image.fromarray(label)
    indexed.putpalette(
        bytes(sum(MSRS.palette[::-1], ()))
    )  # the map is for viewers, the indices count
    indexed.save(tmp_path / "indexed.png")
    Image.fromarray(colorize(label)).save(tmp_path / "painted.png")

    for name in ("gray", "indexed", "painted"):
        read = read_label(tmp_path / f"{name}.png")
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read, label)


def test_a_color_map_in_another_order_is_noted(tmp_path, label):
    for name, colors in (
        ("other", MSRS.palette[::-1]),
        ("own", MSRS.palette),
        ("any", [(9, 9, 9)] * 9),
    ):
        indexed = Image.fromarray(label)
        indexed.putpalette(bytes(sum(colors, ())))
        indexed.save(tmp_path / f"{name}.png")
        read, notes = read_noted_label(tmp_path / f"{name}.png")
        np.testing.assert_array_equal(read, label)
        assert notes == ((OTHER_ORDER,) if name == "other" else ())


def test_frames_and_turns_that_would_be_lost_are_refused(tmp_path, label):
    image, exif = Image.fromarray(label), Image.Exif()
    image.save(tmp_path / "two.png", save_all=True, append_images=[image.rotate(180)])
    exif[0x0112] = 3
    image.save(tmp_path / "turned.png", exif=exif)
    for name, reason in (("two", "has 2 frames"), ("turned", "is turned by its EXIF")):
        with pytest.raises(InputError, match=rf"{name}\.png: {reason}"):
            read_label(tmp_path / f"{name}.png")


def test_a_value_that_is_no_class_is_refused_by_file_and_value(tmp_path, label):
    label[3, 4] = 9
    path = tmp_path / "00001D.png"
    Image.fromarray(label).save(path)
    with pytest.raises(InputError, match=r"00001D\.png: label value 9 .*0\.\.8"):
        read_label(path)


def test_a_color_outside_the_palette_is_refused(tmp_path, label):
    painted = colorize(label)
    painted[0, 0] = (1, 2, 3)
    Image.fromarray(painted).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: color \(1, 2, 3\)"):
        read_label(tmp_path / "a.png")


@pytest.mark.parametrize("keep", [0, 20, 60])
def test_a_truncated_label_is_refused(tmp_path, label, keep):
    whole = tmp_path / "whole.png"
    Image.fromarray(label).save(whole)
    broken = tmp_path / "broken.png"
    broken.write_bytes(whole.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"broken\.png: is .*; replace it"):
        read_label(broken)


@pytest.mark.parametrize(
    ("suffix", "name", "options"),
    [
        ("png", "JPEG", {"format": "JPEG", "quality": 95}),
        ("jpg", "JPEG", {"quality": 95}),
        ("webp", "WEBP", {}),
        ("tif", "JPEG", {"compression": "jpeg"}),
    ],
)
def test_lossy_labels_are_refused_whatever_their_name(tmp_path, label, suffix, name, options):
    path = tmp_path / f"lossy.{suffix}"
    Image.fromarray(label).save(path, **options)
    with pytest.raises(InputError, match=rf"lossy\.{suffix}: {name} changes class indices; .*PNG"):
        read_label(path)


@pytest.mark.parametrize("suffix", ["bmp", "tif"])
def test_lossless_labels_are_read(tmp_path, label, suffix):
    Image.fromarray(label).save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_label(tmp_path / f"a.{suffix}"), label)


def bomb(path):
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


def program(path):
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")


def broken_tags(path):
    path.write_bytes(b"II*\x00\x08\x00\x00\x00\x01\x00\x00\x01\x03\x00\x00\x00")


@pytest.mark.parametrize("write", [bomb, program, broken_tags, os.mkfifo, Path.mkdir])
def test_what_is_no_label_image_is_refused_in_one_line(tmp_path, write):
    write(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: (is|has) .*; (replace|crop)"):
        read_label(tmp_path / "a.png")


def test_gray_with_alpha_is_refused(tmp_path, label):
    Image.fromarray(np.dstack([label, label])).save(tmp_path / "la.png")
    with pytest.raises(InputError, match="one channel"):
        read_label(tmp_path / "la.png")
