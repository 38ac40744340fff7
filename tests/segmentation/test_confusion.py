import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segmentation.confusion import confusion_matrices, iou, mean_iou, scores
from segmentation.labels import CLASSES

shapes = st.tuples(*[st.integers(1, 4)] * 3)
label_pairs = shapes.flatmap(
    lambda shape: st.tuples(*[hnp.arrays(np.uint8, shape, elements=st.integers(0, 8))] * 2)
)


@settings(deadline=None, max_examples=50)
@given(label_pairs)
def test_matrices_and_iou_are_those_of_sets_of_pixels(pair):
    prediction, truth = pair
    matrices = confusion_matrices(torch.from_numpy(prediction), torch.from_numpy(truth)).numpy()
    for image in range(len(truth)):
        for actual in range(9):
            for predicted in range(9):
                both = (truth[image] == actual) & (prediction[image] == predicted)
                assert matrices[image, actual, predicted] == both.sum()

    whole = iou(matrices.sum(0))
    for index in range(9):
        union = ((truth == index) | (prediction == index)).sum()
        if union:
            both = ((truth == index) & (prediction == index)).sum()
            assert whole[index] == pytest.approx(both / union)
        else:
            assert np.isnan(whole[index])
    assert mean_iou(matrices.sum(0)) == pytest.approx(np.nanmean(whole))


def test_an_absent_class_is_named_and_left_out_but_a_wrongly_predicted_one_counts():
    matrix = np.zeros((2, 9, 9), np.int64)
    matrix[0, 0, 0] = 6  # background
    matrix[1, 1, 1] = 1  # car
    matrix[1, 1, 2] = 1  # a car taken for a person: persons are predicted, so they have an IoU
    result = scores(matrix)
    assert result.iou["background"] == 1
    assert result.iou["car"] == 0.5
    assert result.iou["person"] == 0
    assert result.absent == list(CLASSES[3:])
    assert result.iou["bump"] is None
    assert result.miou == pytest.approx(0.5)
    assert result.pixel_accuracy == pytest.approx(7 / 8)
    assert result.pixels["car"] == 2
    assert result.images == 2


def test_miou_is_of_the_set_not_the_mean_over_images():
    matrix = np.zeros((2, 9, 9), np.int64)
    matrix[0, 0, 0] = 90
    matrix[1, 0, 1] = 10  # alone, this image has mIoU 0
    assert scores(matrix).iou["background"] == pytest.approx(0.9)
