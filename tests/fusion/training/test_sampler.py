import shutil

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.core.errors import InputError
from fusion.images.decode import read_infrared, write_image
from fusion.training.sampler import CropSampler, load_pairs

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(pair_folder):
    return pair_folder()


@pytest.fixture(scope="module")
def store(folder):
    return load_pairs([folder], 16)


def test_crops_are_windows_of_the_files(store, folder):
    images = torch.tensor([0, 1, 4])
    draws = torch.tensor([[0.0, 0.0, 0.9, 0.9], [0.5, 0.999, 0.1, 0.9], [0.3, 0.6, 0.9, 0.1]])
    batch = store.crops(images, 16, draws)
    for row, index in enumerate(images.tolist()):
        infrared = cv2.imread(str(folder / "ir" / f"{index:02d}.png"), cv2.IMREAD_GRAYSCALE)
        visible = cv2.imread(str(folder / "vi" / f"{index:02d}.png"))[..., ::-1]
        top, left = (int(draws[row, i] * (infrared.shape[i] - 16 + 1)) for i in (0, 1))
        window = slice(top, top + 16), slice(left, left + 16)
        vertical, horizontal = (-1 if draws[row, i] < 0.5 else 1 for i in (2, 3))
        expected = infrared[window][::vertical, ::horizontal] / 255
        assert torch.allclose(batch.infrared[row, 0], torch.tensor(expected.copy()).float())
        expected = visible[window][::vertical, ::horizontal].transpose(2, 0, 1) / 255
        assert torch.allclose(batch.visible[row], torch.tensor(expected.copy()).float())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 50), st.integers(1, 9))
def test_batches_are_a_function_of_seed_and_step(store, seed, step, size):
    first = CropSampler(store, size, 16, seed).batch(step, CPU)
    again = CropSampler(store, size, 16, seed).batch(step, CPU)
    other = CropSampler(store, size, 16, seed + 1).batch(step, CPU)
    assert torch.equal(first.infrared, again.infrared)
    assert torch.equal(first.visible, again.visible)
    assert not torch.equal(first.infrared, other.infrared)


@given(st.integers(0, 100), st.integers(1, 8))
def test_an_epoch_shows_every_image(store, epoch, size):
    sampler = CropSampler(store, size, 16, seed=3)
    first = epoch * sampler.steps_per_epoch
    seen = torch.cat([sampler.images(first + i) for i in range(sampler.steps_per_epoch)])
    assert set(seen.tolist()) == set(range(len(store)))
    assert len(seen) == size * sampler.steps_per_epoch


def test_processes_share_a_batch_without_overlap(store):
    sampler = CropSampler(store, 6, 16, seed=0)
    whole = sampler.batch(5, CPU)
    parts = [sampler.batch(5, CPU, rank, 2) for rank in range(2)]
    for rank, part in enumerate(parts):
        assert torch.equal(part.infrared, whole.infrared[rank::2])
        assert torch.equal(part.visible, whole.visible[rank::2])


def test_partners_of_different_sizes_are_named(pair_folder):
    folder = pair_folder()
    path = folder / "ir" / "03.png"
    write_image(path, read_infrared(path).pixels[:-1])
    with pytest.raises(InputError, match=r"03.png: infrared and visible differ in size"):
        load_pairs([folder], 16)


def test_several_sets_are_one_store_and_names_tell_them_apart(pair_folder):
    folders = [pair_folder(count=2), pair_folder(count=3, seed=1)]
    store = load_pairs(folders, 16)
    alone = load_pairs(folders[1:], 16)
    assert store.names[2:] == alone.names == tuple(f"{folders[1].name}/{i:02d}" for i in range(3))
    draws = torch.full((3, 4), 0.7)
    one = store.crops(torch.tensor([2, 3, 4]), 16, draws)
    other = alone.crops(torch.tensor([0, 1, 2]), 16, draws)
    assert torch.equal(one.infrared, other.infrared)
    assert torch.equal(one.visible, other.visible)


def test_no_folders_are_no_training():
    with pytest.raises(InputError, match="no folder of pairs was given"):
        load_pairs([], 16)


def test_an_image_smaller_than_the_crop_is_named(folder):
    with pytest.raises(InputError, match=r"\d\d.png: is \d+x\d+, smaller than the crop of 33"):
        load_pairs([folder], 33)


def teach(folders, rule, teacher):
    """What a teacher leaves: `<teacher>/<set>/<stem>.png`, by a rule of the infrared image."""
    for folder in folders:
        (teacher / folder.name).mkdir(parents=True)
        for path in (folder / "ir").iterdir():
            write_image(teacher / folder.name / path.name, rule(read_infrared(path).pixels))
    return teacher


@pytest.fixture(scope="module")
def taught(pair_folder, tmp_path_factory):
    """Two sets and five teachers, more than one word of four bytes; each inverts other bits."""
    root = tmp_path_factory.mktemp("teachers")
    folders = [pair_folder(count=3), pair_folder(count=4, seed=1)]
    masks = [255, 0, 15, 170, 204]
    teachers = [
        teach(folders, lambda p, m=mask: p ^ np.uint8(m), root / f"t{mask}") for mask in masks
    ]
    return folders, teachers, masks


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 50), st.integers(1, 5))
def test_teachers_crops_are_their_pairs_windows_turned_alike(taught, seed, step, count):
    folders, teachers, masks = taught
    store = load_pairs(folders, 16, teachers[:count])
    batch = CropSampler(store, 4, 16, seed).batch(step, CPU)
    assert batch.fused.shape == (4, count, 16, 16)
    infrared = (batch.infrared * 255).round().byte()
    for fused, mask in zip((batch.fused * 255).round().byte().unbind(1), masks, strict=False):
        assert torch.equal(fused, infrared[:, 0] ^ mask)


def test_teachers_change_nothing_about_their_pairs(taught):
    folders, teachers, _ = taught
    alone, with_teachers = load_pairs(folders, 16), load_pairs(folders, 16, teachers)
    for step in range(3):
        batches = [CropSampler(s, 5, 16, 0).batch(step, CPU) for s in (alone, with_teachers)]
        assert torch.equal(batches[0].infrared, batches[1].infrared)
        assert torch.equal(batches[0].visible, batches[1].visible)
        assert batches[0].fused is None


def test_processes_share_teachers_images_as_they_share_pairs(taught):
    folders, teachers, _ = taught
    sampler = CropSampler(load_pairs(folders, 16, teachers), 6, 16, seed=0)
    whole = sampler.batch(5, CPU)
    for rank in range(2):
        assert torch.equal(sampler.batch(5, CPU, rank, 2).fused, whole.fused[rank::2])


def test_a_colored_lesson_is_its_luminance(folder, tmp_path):
    color = np.zeros((1, 1, 3), np.uint8) + np.array([200, 100, 50], np.uint8)
    teacher = teach([folder], lambda p: np.broadcast_to(color, (*p.shape, 3)).copy(), tmp_path)
    fused = CropSampler(load_pairs([folder], 16, [teacher]), 2, 16, 0).batch(0, CPU).fused
    expected = round(0.299 * 200 + 0.587 * 100 + 0.114 * 50) / 255
    assert torch.allclose(fused, torch.tensor(expected))


def test_lessons_that_are_missing_are_listed(folder, tmp_path):
    teacher = teach([folder], lambda p: p, tmp_path / "maximum")
    for name in ("04", "01"):
        (teacher / folder.name / f"{name}.png").unlink()
    message = f"maximum: lacks {folder.name}/01, {folder.name}/04; fuse all training pairs first"
    with pytest.raises(InputError, match=message):
        load_pairs([folder], 16, [teacher])
    with pytest.raises(InputError, match=f"nobody: lacks {folder.name}/00, "):
        load_pairs([folder], 16, [tmp_path / "nobody"])


def test_a_lesson_of_another_size_is_named(folder, tmp_path):
    teacher = teach([folder], lambda p: p, tmp_path / "maximum")
    path = teacher / folder.name / "02.png"
    write_image(path, read_infrared(path).pixels[:, 1:])
    with pytest.raises(InputError, match=r"02.png: differs in size from .*ir/02.png"):
        load_pairs([folder], 16, [teacher])


def test_the_data_of_a_card_are_counts_and_a_checksum_of_all_pixels(taught, tmp_path):
    folders, teachers, _ = taught
    whole = load_pairs(folders, 16).describe()
    assert whole["pairs"] == 7
    assert whole["sets"] == {folders[0].name: 3, folders[1].name: 4}
    assert load_pairs(folders, 20).describe() == whole, "crops are no matter of the data"
    copy = shutil.copytree(folders[1], tmp_path / folders[1].name)
    assert load_pairs([folders[0], copy], 16).describe() == whole
    path = copy / "ir" / "03.png"
    pixels = read_infrared(path).pixels.copy()
    pixels[-1, -1] ^= 1
    write_image(path, pixels)
    others = [
        load_pairs([folders[0], copy], 16),
        load_pairs(folders[:1], 16),
        load_pairs(folders, 16, teachers[:1]),
        load_pairs(folders, 16, teachers[1:2]),
    ]
    sums = {store.describe()["sha256"] for store in others}
    assert len({whole["sha256"], *sums}) == 5
