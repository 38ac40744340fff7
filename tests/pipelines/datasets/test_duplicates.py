import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from fusion.images.decode import read_infrared, read_visible
from fusion.images.pairs import Pair, find_pairs
from pipelines.datasets.duplicates import describe_pair, gradient_histogram, near_duplicates
from pipelines.datasets.splits import make_split

DATA = Path(os.environ.get("FUSION_DATA", "unset"))


def described(pairs, infrared_range=None):
    """Features of every pair, by name."""
    return {
        pair.name: describe_pair(
            read_infrared(pair.infrared, infrared_range).pixels, read_visible(pair.visible).pixels
        )
        for pair in pairs
    }


def scene(seed):
    """A picture of random rectangles, 96×128."""
    rng = np.random.default_rng(seed)
    image = np.full((96, 128), 128, np.uint8)
    for _ in range(12):
        x, y, w, h = rng.integers(0, [110, 80, 60, 60])
        color = int(rng.integers(0, 255))
        cv2.rectangle(image, (int(x), int(y)), (int(x + w), int(y + h)), color, -1)
    return image


def write(folder, name, seed, shift=0, gain=1.0):
    """A frame: both images moved and darkened together."""
    paths = []
    for offset, kind in ((0, "ir"), (1000, "vi")):
        image = np.roll(scene(seed + offset), shift, axis=1) * gain
        path = folder / f"{name}-{kind}.png"
        cv2.imwrite(str(path), image.astype(np.uint8))
        paths.append(path)
    return Pair(name, *paths)


def test_moved_and_darkened_frames_are_grouped_and_other_scenes_are_not(tmp_path):
    pairs = [
        write(tmp_path, "0", 0),
        write(tmp_path, "1", 0, shift=2, gain=0.8),
        write(tmp_path, "2", 1),
        write(tmp_path, "3", 2),
        write(tmp_path, "4", 2, shift=-3),
    ]
    groups = near_duplicates(described(pairs))
    assert groups["0"] == groups["1"]
    assert groups["3"] == groups["4"]
    assert len(set(groups.values())) == 3


def test_groups_connect_through_frames_between_but_not_past_the_window(tmp_path):
    pairs = [write(tmp_path, str(index), 0, shift=3 * index) for index in range(4)]
    assert len(set(near_duplicates(described(pairs), window=1).values())) == 1
    apart = [write(tmp_path, "a", 5), write(tmp_path, "b", 6), write(tmp_path, "c", 5)]
    assert len(set(near_duplicates(described(apart), window=2).values())) == 2
    assert len(set(near_duplicates(described(apart), window=1).values())) == 3


def test_frames_are_neighbors_by_number(tmp_path):
    scenes = {"1": 7, "2": 6, "9": 5, "10": 5}
    pairs = [write(tmp_path, name, seed) for name, seed in scenes.items()]
    groups = near_duplicates(described(pairs), window=1)
    assert groups["9"] == groups["10"]


def test_temperatures_are_compared_on_their_declared_scale(tmp_path):
    """Unscaled, frames of a few kelvin of contrast among 65536 values all look flat."""
    pairs = [write(tmp_path, "0", 0), write(tmp_path, "1", 0)]
    for pair in pairs:
        gray = cv2.imread(str(pair.infrared), cv2.IMREAD_GRAYSCALE)
        kelvin = pair.infrared.with_suffix(".tiff")
        cv2.imwrite(str(kelvin), (280 + gray / 8).astype(np.float32))
    warm = [replace(pair, infrared=pair.infrared.with_suffix(".tiff")) for pair in pairs]
    groups = near_duplicates(described(warm, (280.0, 312.0)))
    assert groups["0"] == groups["1"]


def test_an_image_without_structure_is_like_no_other(tmp_path):
    flat = np.full((40, 40), 7, np.uint8)
    assert not gradient_histogram(flat).any()


def test_one_pair_is_one_group(tmp_path):
    assert near_duplicates(described([write(tmp_path, "0", 0)])) == {"0": 0}


@pytest.mark.skipif(not DATA.is_dir(), reason="FUSION_DATA is not set")
def test_real_neighbors_are_found_and_stay_together():
    folder = DATA / "m3fd_sample"
    groups = near_duplicates(described(find_pairs(folder / "Ir", folder / "Vis")))
    together = [{"00000", "00001", "00005"}, {"03855", "03865"}]  # one street; one stairway
    found = {}
    for name, group in groups.items():
        found.setdefault(group, set()).add(name)
    assert [names for names in found.values() if len(names) > 1] == together
    for seed in range(5):
        split = make_split(list(groups), "grouped", (0.6, 0.2, 0.2), seed, groups=groups)
        assert all(any(names <= set(part) for part in split.values()) for names in together)
