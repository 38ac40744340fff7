"""Label images of any classes: reading, counting, and what the mean IoU is over."""

import numpy as np
import pytest
import torch
from PIL import Image

from fusion.core.errors import InputError
from fusion.images.prepared import PreparedSet
from segmentation.classes import FMB, IGNORE, MSRS, LabelClasses, distinct_colors
from segmentation.confusion import confusion_matrices, mean_iou, scores
from segmentation.data import load
from segmentation.experiment import train_and_test
from segmentation.labels import colorize, read_label
from segmentation.prepared import classes_of

THREE = LabelClasses(("void", "road", "car"), distinct_colors(3), ignore=200, background=False)


def test_unlabeled_pixels_become_ignore_and_other_values_are_refused(tmp_path):
    label = np.array([[0, 1, 2, 200]] * 16, np.uint8)
    Image.fromarray(label).save(tmp_path / "a.png")
    assert read_label(tmp_path / "a.png", THREE)[0].tolist() == [0, 1, 2, IGNORE]
    label[0, 0] = IGNORE
    Image.fromarray(label).save(tmp_path / "b.png")
    with pytest.raises(InputError, match=r"value 255 .*\(void, road, car\), and 200 for unlabeled"):
        read_label(tmp_path / "b.png", THREE)


@pytest.mark.parametrize("classes", [MSRS, FMB, THREE])
def test_painted_labels_read_as_their_indices(tmp_path, classes):
    label = np.arange(len(classes), dtype=np.uint8)[None].repeat(16, 0)
    Image.fromarray(colorize(label, classes)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_label(tmp_path / "a.png", classes), label)


def test_colors_differ():
    assert len(set(distinct_colors(255))) == 255
    for classes in (MSRS, FMB):
        assert len(set(classes.palette)) == len(classes.names) == len(classes)


def test_unlabeled_pixels_are_not_counted():
    rng = np.random.default_rng(0)
    truth, found = (torch.from_numpy(rng.integers(0, 3, (2, 8, 9))) for _ in range(2))
    unlabeled = torch.from_numpy(rng.random((2, 8, 9)) < 0.3)
    masked = torch.where(unlabeled, IGNORE, truth)
    matrices = confusion_matrices(found, masked, 3)
    for image in range(2):
        for actual in range(3):
            for predicted in range(3):
                both = (truth[image] == actual) & (found[image] == predicted) & ~unlabeled[image]
                assert matrices[image, actual, predicted] == both.sum()


def test_background_counts_or_not():
    matrix = np.diag([90, 5, 0])[None]
    matrix[0, 0, 1] = 5  # a road seen in the background: IoU 90/95, 5/10, and no car
    counted = scores(matrix, LabelClasses(THREE.names, THREE.palette))
    left_out = scores(matrix, THREE)
    assert counted.miou == pytest.approx((90 / 95 + 0.5) / 2)
    assert left_out.miou == pytest.approx(0.5)
    assert left_out.iou == counted.iou
    assert left_out.absent == ["car"]
    assert mean_iou(matrix, background=False).tolist() == [0.5]


def test_words_name_the_choice():
    assert "3 classes, void counted" in LabelClasses(THREE.names, THREE.palette).in_words()
    assert THREE.in_words() == "mIoU over 2 classes, void not counted, unlabeled pixels left out"


@pytest.fixture
def any_classes(scenes):
    """The scenes as a set of layout masks: four classes, one absent, some pixels unlabeled."""
    fused, dataset = scenes
    for path in dataset.glob("*/labels/*.png"):
        label = read_label(path)
        label[:5, :5] = IGNORE
        Image.fromarray(label).save(path)
    prepared = PreparedSet.load(dataset)
    facts = {
        "layout": "masks",
        "classes": ["void", "road", "car", "sky", "bird"],
        "unlabeled": True,
        "background": False,
    }
    prepared.model_copy(update=facts).save(dataset)
    return fused, dataset


def test_an_experiment_with_classes_of_its_own(any_classes, tmp_path, tiny, cpu):
    fused, dataset = any_classes
    classes = classes_of(PreparedSet.load(dataset))
    assert (classes.ignore, classes.background, len(classes)) == (IGNORE, False, 5)
    loaded = load(fused, dataset, "test")
    assert {int(value) for label in loaded.labels for value in label.unique()} <= {0, 1, 2, 3, 255}
    result = train_and_test(
        fused, dataset, tmp_path / "work", tiny, 0, cpu, pictures=tmp_path / "pictures"
    )
    assert result.per_image.shape == (4, 5, 5)
    labeled = sum(int((label != IGNORE).sum()) for label in loaded.labels)
    assert result.per_image.sum() == labeled
    assert result.protocol["data"]["background"] is False
    assert list(result.test.iou) == ["void", "road", "car", "sky", "bird"]
    counted = [value for value in list(result.test.iou.values())[1:] if value is not None]
    assert result.test.miou == pytest.approx(np.mean(counted))
    assert len(list((tmp_path / "pictures").iterdir())) == tiny.pictures
