import numpy as np
import pytest
import torch

from fusion.core.errors import InputError
from fusion.images.decode import write_image
from fusion.images.prepared import PreparedSet
from segmentation.data import IGNORE, LabeledImages, augmented_batch, hold_out, load

CPU = torch.device("cpu")


def coordinates(height, width):
    """An image whose pixels say where they come from, labeled by quadrant."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    image = torch.from_numpy(np.stack([rows, columns, np.full_like(rows, 255)]))
    label = torch.from_numpy(2 * (rows >= height // 2) + (columns >= width // 2))
    return LabeledImages(["a"], [image], [label.to(torch.uint8)], ["i"], ["l"])


def test_a_split_is_loaded_as_it_lies_on_disk(scenes):
    fused, dataset = scenes
    data = load(fused, dataset, "train")
    assert len(data) == 7
    assert data.images[0].shape == (3, 40, 48)
    assert torch.equal(data.images[0][0], data.images[0][2])  # gray: three equal channels
    assert data.images[1].shape == (3, 37, 45)
    red, green = data.images[1][0].int(), data.images[1][1].int()
    assert torch.equal(red // 2, green)  # RGB, not BGR
    columns = (data.images, data.labels, data.image_digests, data.label_digests)
    assert [len(column) for column in columns] == [7] * 4


def test_everything_missing_is_named_at_once(scenes):
    fused, dataset = scenes
    (fused / "train" / "00002D.png").unlink()
    (dataset / "train" / "labels" / "00003N.png").unlink()
    with pytest.raises(InputError, match=r"2 files.*train/00002D\.png.*labels/00003N\.png"):
        load(fused, dataset, "train")


def test_an_image_of_another_size_than_its_label_is_refused(scenes):
    fused, dataset = scenes
    write_image(fused / "test" / "00001N.png", np.zeros((20, 30), np.uint8))
    with pytest.raises(InputError, match=r"00001N\.png: is 30×20 but its label .* is 45×37"):
        load(fused, dataset, "test")


def test_a_set_without_training_images_is_refused(scenes):
    fused, dataset = scenes
    prepared = PreparedSet.load(dataset)
    prepared.model_copy(update={"splits": {"test": ["00000D"]}}).save(dataset)
    with pytest.raises(InputError, match="no 'train' images"):
        load(fused, dataset, "train")


def test_validation_is_a_fixed_part_of_the_training_images(scenes):
    data = load(*scenes, "train")
    training, validation = hold_out(data, 0.3, seed=0)
    assert len(validation) == 2
    assert sorted(training.stems + validation.stems) == sorted(data.stems)
    assert hold_out(data, 0.3, seed=0)[1].stems == validation.stems
    others = {tuple(hold_out(data, 0.3, seed)[1].stems) for seed in range(9)}
    assert len(others) > 1


def test_one_image_cannot_be_trained_and_validated_on():
    with pytest.raises(InputError, match="single training image; add one to validate on"):
        hold_out(coordinates(16, 16), 0.1, seed=0)


def test_a_batch_is_a_function_of_the_random_stream(scenes):
    data = load(*scenes, "train")

    def batch(seed):
        rng = np.random.default_rng(seed)
        return augmented_batch(data, [0, 1, 2], 32, [0.5, 2.0], rng, CPU)

    assert all(torch.equal(a, b) for a, b in zip(batch(5), batch(5), strict=True))
    assert not torch.equal(batch(5)[0], batch(6)[0])


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7])
def test_image_and_label_are_moved_together(scale):
    """Away from the quadrants' borders the label is that of the pixel the image came from."""
    data = coordinates(64, 80)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        images, labels = augmented_batch(data, [0], 32, [scale, scale], rng, CPU)
        rows, columns = (images[0, :2] * 255).unbind()
        inside = (images[0, 2] > 0.999) & (labels[0] != IGNORE)
        sure = inside & ((rows - 31.5).abs() > 2) & ((columns - 39.5).abs() > 2)
        expected = 2 * (rows > 32).long() + (columns > 40).long()
        assert sure.sum() > 200
        assert torch.equal(labels[0][sure], expected[sure])


def test_at_scale_one_a_crop_is_a_window_of_the_image_possibly_mirrored():
    data = coordinates(64, 80)
    mirrored = set()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        images, _ = augmented_batch(data, [0], 32, [1.0, 1.0], rng, CPU)
        rows, columns = (images[0, :2] * 255).round().int().unbind()
        step = columns[0, 1] - columns[0, 0]
        mirrored.add(int(step))
        assert (rows.diff(dim=0) == 1).all()
        assert (columns.diff(dim=1) == step).all()
    assert mirrored == {-1, 1}


def test_around_a_small_image_there_is_no_label():
    images, labels = augmented_batch(
        coordinates(20, 24), [0], 64, [1.0, 1.0], np.random.default_rng(0), CPU
    )
    assert (labels != IGNORE).sum() == 20 * 24
    assert (images[0][:, labels[0] == IGNORE] == 0).all()
