from typing import ClassVar

import cv2
import numpy as np
import pytest

from fusion.core.config import Config, RuntimeConfig
from fusion.core.errors import InputError
from fusion.images.decode import read_infrared, read_visible, write_image
from fusion.images.pairs import find_pairs
from fusion.inference.fuse import fuse_pairs
from fusion.inference.precomputed import adopt_images, checksum_of_images
from fusion.methods.base import FusionMethod


class InfraredInColor(FusionMethod):
    """Its fused luminance is the infrared image, a file of gray levels that others could leave."""

    config_class: ClassVar[type[Config]] = Config

    def forward(self, infrared, visible):
        return infrared


@pytest.fixture
def folder(pair_folder):
    return pair_folder(4)


def pairs_of(folder):
    return find_pairs(folder / "ir", folder / "vi")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("stretched", [False, True])
def test_gray_images_become_the_files_that_fusing_leaves(folder, tmp_path, stretched):
    pairs, options = pairs_of(folder), {"batch_size": 2, "runtime": RuntimeConfig()}
    method = InfraredInColor(Config())
    fuse_pairs(method, pairs, tmp_path / "ours", stretched=stretched, **options)
    adopt_images(folder / "ir", "test", pairs, tmp_path / "theirs", stretched=stretched)
    assert contents(tmp_path / "theirs") == contents(tmp_path / "ours")
    assert len(contents(tmp_path / "ours")) == 4
    assert cv2.imread(str(tmp_path / "theirs/01.png"), cv2.IMREAD_UNCHANGED).ndim == 2


def test_gray_files_of_three_channels_are_gray(folder, tmp_path):
    pairs = pairs_of(folder)
    (tmp_path / "tripled").mkdir()
    for pair in pairs:
        gray = read_infrared(pair.infrared).pixels
        write_image(tmp_path / f"tripled/{pair.name}.png", np.repeat(gray[..., None], 3, axis=2))
    adopt_images(tmp_path / "tripled", "test", pairs, tmp_path / "theirs")
    adopt_images(folder / "ir", "test", pairs, tmp_path / "expected")
    assert contents(tmp_path / "theirs") == contents(tmp_path / "expected")


def test_colored_images_keep_their_color(folder, tmp_path):
    pairs, random = pairs_of(folder), np.random.default_rng(7)
    colors = {}
    (tmp_path / "given").mkdir()
    for pair in pairs:
        shape = (*read_infrared(pair.infrared).pixels.shape, 3)
        colors[pair.name] = random.integers(0, 256, shape, dtype=np.uint8)
        write_image(tmp_path / f"given/{pair.name}.png", colors[pair.name])
    adopt_images(tmp_path / "given", "test", pairs, tmp_path / "theirs")
    for name, pixels in colors.items():
        np.testing.assert_array_equal(read_visible(tmp_path / f"theirs/{name}.png").pixels, pixels)


def test_colored_images_are_stretched_in_their_own_color(folder, tmp_path):
    pair = pairs_of(folder)[0]
    height, width = read_infrared(pair.infrared).pixels.shape
    ramp = np.linspace(80, 120, width).round().astype(np.uint8)
    pixels = np.stack(np.broadcast_arrays(ramp + 9, ramp, ramp - 5, np.empty((height, 1)))[:3], -1)
    (tmp_path / "given").mkdir()
    write_image(tmp_path / f"given/{pair.name}.png", np.ascontiguousarray(pixels, np.uint8))
    adopt_images(tmp_path / "given", "test", [pair], tmp_path / "theirs", stretched=True)
    path = tmp_path / f"theirs/{pair.name}.png"
    luminance, color = read_infrared(path).pixels, read_visible(path).pixels.astype(int)
    assert luminance.min() <= 5
    assert luminance.max() >= 250
    middle = color[:, width // 2]
    assert (middle[:, 0] - middle[:, 1] == 9).all()
    assert (middle[:, 1] - middle[:, 2] == 5).all()


def test_a_split_is_a_folder_of_its_own_or_shares_one(folder, tmp_path):
    pairs = pairs_of(folder)
    (tmp_path / "given").mkdir()
    (folder / "ir").rename(tmp_path / "given/test")
    pairs = find_pairs(tmp_path / "given/test", folder / "vi")
    adopt_images(tmp_path / "given", "test", pairs, tmp_path / "split")
    adopt_images(tmp_path / "given/test", "test", pairs, tmp_path / "flat")
    assert contents(tmp_path / "split") == contents(tmp_path / "flat")


def test_missing_images_are_listed_and_nothing_is_written(folder, tmp_path):
    pairs = pairs_of(folder)
    (tmp_path / "given").mkdir()
    write_image(tmp_path / "given/02.png", read_infrared(pairs[2].infrared).pixels)
    with pytest.raises(InputError, match=r"given: lacks 3 of 4 images: 00, 01, 03; ") as refused:
        adopt_images(tmp_path / "given", "test", pairs, tmp_path / "theirs")
    assert "add them" in str(refused.value)
    assert not (tmp_path / "theirs").exists()


def test_images_of_another_size_are_listed_and_nothing_is_written(folder, tmp_path):
    pairs = pairs_of(folder)
    (tmp_path / "given").mkdir()
    for pair in pairs:
        cut = 1 if pair.name in {"01", "03"} else 0
        pixels = read_infrared(pair.infrared).pixels
        write_image(tmp_path / f"given/{pair.name}.png", pixels[: len(pixels) - cut])
    with pytest.raises(InputError, match=r"given: differ in size from their pair: 01, 03; "):
        adopt_images(tmp_path / "given", "test", pairs, tmp_path / "theirs")
    assert not (tmp_path / "theirs").exists()


def test_two_files_of_one_name_are_refused(folder, tmp_path):
    pairs = pairs_of(folder)
    pixels = read_infrared(pairs[0].infrared).pixels
    cv2.imwrite(str(folder / "ir/00.bmp"), pixels)
    with pytest.raises(InputError, match=r"two files with one stem: 00.bmp, 00.png"):
        adopt_images(folder / "ir", "test", pairs, tmp_path / "theirs")


def test_images_that_belong_to_no_pair_are_left(folder, tmp_path):
    adopt_images(folder / "ir", "test", pairs_of(folder)[1:3], tmp_path / "theirs")
    assert contents(tmp_path / "theirs").keys() == {"01.png", "02.png"}


def test_a_folder_that_is_not_there_is_named(folder, tmp_path):
    with pytest.raises(InputError, match=r"nowhere: is not a folder"):
        adopt_images(tmp_path / "nowhere", "test", pairs_of(folder), tmp_path / "theirs")
    with pytest.raises(InputError, match=r"nowhere: is not a folder; set `source`"):
        checksum_of_images(tmp_path / "nowhere")


def test_the_checksum_follows_names_and_contents(tmp_path):
    def folder(name, files):
        for file, content in files.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return checksum_of_images(tmp_path / name)

    first = folder("a", {"x/1.png": b"one", "x/2.png": b"two"})
    assert folder("b", {"x/2.png": b"two", "x/1.png": b"one"}) == first
    others = [{"x/1.png": b"one"}, {"x/1.png": b"two", "x/2.png": b"one"}, {"y/1.png": b"one"}]
    assert len({first, *(folder(f"o{i}", files) for i, files in enumerate(others))}) == 4


def test_what_given_images_are_read_as_is_noted(folder, tmp_path):
    pair, notes = pairs_of(folder)[0], []
    levels = read_infrared(pair.infrared).pixels.astype(np.uint16)
    (tmp_path / "given").mkdir()
    cv2.imwrite(str(tmp_path / f"given/{pair.name}.png"), levels * 4)
    adopt_images(
        tmp_path / "given",
        "test",
        [pair],
        tmp_path / "theirs",
        on_note=lambda path, note: notes.append((path, note)),
    )
    assert {path for path, _ in notes} == {tmp_path / f"given/{pair.name}.png"}
    assert any("dark, only 10 of 16 bits are used" in text for _, text in notes)
