"""What is refused before it is decoded, each in one line with the file's name."""

import contextlib
import os
import struct

import numpy as np
import pytest
from PIL import Image

from fusion.core.errors import InputError
from fusion.images.decode import image_size, read_infrared, read_visible


@pytest.mark.parametrize("kind", ["GIF", "PPM", "ICO", "EPS", "TGA"])
def test_formats_that_nobody_asked_for_are_not_opened(tmp_path, kind):
    path = tmp_path / "named.png"
    Image.new("RGB", (40, 40)).save(path, kind)
    for read in (read_visible, read_infrared, image_size):
        with pytest.raises(InputError, match=r"named\.png: is not a readable image; replace it"):
            read(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"),
        (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "is a TIFF of a kind that is not supported"),
    ],
)
def test_what_is_no_image_is_told_by_its_content(tmp_path, content, reason):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.png: {reason}"):
        read_visible(tmp_path / "a.png")


def pipe(path):
    os.mkfifo(path)


def loop(path):
    path.symlink_to(path)


def device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (pipe, "is not a regular file"),
        (device, "is not a regular file"),
        (lambda path: path.mkdir(), "is not a regular file"),
        (loop, "cannot be read"),
        (lambda path: path.symlink_to("nowhere"), "is missing"),
    ],
)
@pytest.mark.timeout(20)
def test_special_files_are_refused_at_once(tmp_path, make, reason):
    path = tmp_path / "special.png"
    make(path)
    for read in (read_visible, image_size):
        with pytest.raises(InputError, match=rf"special\.png: {reason}"):
            read(path)


def test_a_name_that_no_file_can_have_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_visible(tmp_path / ("n" * 300))


@pytest.mark.slow
def test_an_image_above_the_limit_is_told_by_its_size(tmp_path):
    path = tmp_path / "huge.png"
    Image.new("1", (30000, 10000)).save(path)
    for read in (read_visible, image_size):
        with pytest.raises(InputError, match="has 300 megapixels and the limit is 179; crop"):
            read(path)
    assert image_size(path, largest=300_000_000) == (10000, 30000)


@pytest.mark.parametrize("tag", [256, 257, 258, 259, 262, 273, 277, 278, 279, 339])
@pytest.mark.filterwarnings("ignore")
def test_broken_tiff_tags_end_in_an_input_error_or_an_image(tmp_path, tag):
    """Every tag that decoding needs, with each of the types and some values."""
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "whole.tif")
    content = (tmp_path / "whole.tif").read_bytes()
    start = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, start)[0]
    entries = [start + 2 + 12 * index for index in range(count)]
    (entry,) = [e for e in entries if struct.unpack_from("<H", content, e)[0] == tag] or [None]
    if entry is None:
        entry = entries[0]
    path = tmp_path / "broken.tif"
    for kind in range(0, 14):
        for value in (0, 7, 0xFFFFFFFF):
            broken = bytearray(content)
            struct.pack_into("<HII", broken, entry + 2, kind, 1, value)
            path.write_bytes(bytes(broken))
            for read in (read_visible, image_size):
                with contextlib.suppress(InputError):
                    read(path)


@pytest.mark.parametrize("values", [(5, 5), (9, 1), (float("nan"), 1), (0, float("inf"))])
def test_a_declared_range_is_two_finite_numbers_in_order(tmp_path, values):
    Image.new("L", (20, 20)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="infrared range: is not two finite numbers in order"):
        read_infrared(tmp_path / "a.png", values)


def test_infrared_with_colors_is_noted_and_jpeg_gray_is_not(tmp_path):
    rng = np.random.default_rng(0)
    gray = rng.integers(0, 256, (64, 64), dtype=np.uint8)
    for name, pixels in {
        "gray.png": np.stack([gray] * 3, axis=-1),
        "gray.jpg": np.stack([gray] * 3, axis=-1),
        "color.png": np.stack([gray, 255 - gray, gray], axis=-1),
        "rgbt.png": np.stack([gray, 255 - gray, gray, gray // 2], axis=-1),
    }.items():
        Image.fromarray(pixels).save(tmp_path / name)
    notes = {path.name: " ".join(read_infrared(path).notes) for path in tmp_path.iterdir()}
    assert notes["gray.png"] == notes["gray.jpg"] == ""
    assert "are the folders exchanged?" in notes["color.png"]
    assert "fourth channel dropped: if it is the infrared image (MFNet)" in notes["rgbt.png"]
