import cv2
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.images import InputError, read_infrared, write_image
from fusion.sampler import CropSampler, load_pairs

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
