import json
from math import log2

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.cluster import KMeans

from fusion.analysis.modalities import (
    cluster,
    entropy,
    gradient_change_rate,
    jensen_shannon_divergence,
    l1_norm,
    laplacian_variance,
    measure_pairs,
    summarize,
)
from fusion.core.errors import InputError
from fusion.images.decode import write_image
from fusion.images.pairs import find_pairs

IMAGES = arrays(np.uint8, (6, 7))


def gray(rows):
    return np.array(rows, np.uint8)


def test_gradient_change_rate_by_hand():
    assert gradient_change_rate(gray([[10, 13], [14, 99]])) == 5  # (3, 4)
    assert gradient_change_rate(gray([[0, 255, 0], [0, 255, 0]])) == 255, "unsigned differences"


def test_laplacian_variance_by_hand():
    spot = gray([[0, 0, 0], [0, 8, 0], [0, 0, 0]])
    # mirrored without repetition: an edge's middle sees the spot twice, a corner not at all
    values = [0, 16, 0, 16, -32, 16, 0, 16, 0]
    assert laplacian_variance(spot) == pytest.approx(np.var(values))


def test_entropy_and_l1_by_hand():
    assert entropy(gray([[1, 1, 2, 3]])) == pytest.approx(1.5)
    assert entropy(gray([[7, 7]])) == 0
    assert l1_norm(gray([[0, 2], [4, 6]])) == 3


@given(IMAGES, IMAGES)
def test_divergence_is_the_mean_kullback_leibler_divergence_from_the_mixture(first, second):
    p, q = (np.bincount(image.ravel(), minlength=256) / image.size for image in (first, second))
    expected = sum(
        0.5 * part[level] * log2(part[level] / ((p[level] + q[level]) / 2))
        for part in (p, q)
        for level in range(256)
        if part[level]
    )
    found = jensen_shannon_divergence(first, second)
    assert found == pytest.approx(expected, abs=1e-12)
    assert found == pytest.approx(jensen_shannon_divergence(second, first), abs=1e-12)
    assert 0 <= found <= 1 + 1e-12


def test_divergence_is_zero_for_equal_histograms_and_one_bit_for_disjoint_ones():
    image = gray([[0, 1, 2], [3, 4, 5]])
    assert jensen_shannon_divergence(image, image[::-1, ::-1]) == 0
    assert jensen_shannon_divergence(image, image + 100) == pytest.approx(1)


def test_clusters_are_those_of_an_exhaustive_k_means_in_ascending_order():
    values = np.random.default_rng(0).permutation(
        np.concatenate([np.random.default_rng(1).normal(m, 0.02, 20) for m in (0.1, 0.5, 0.8)])
    )
    found = cluster(values.tolist())
    best = KMeans(3, n_init=50, random_state=0).fit(values[:, None])
    assert found.centers == pytest.approx(sorted(best.cluster_centers_[:, 0]))
    assert found.labels == [int(np.abs(np.array(found.centers) - v).argmin()) for v in values]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@example([1.0, 0.6875, 0.65625, 0.25, 0.3125, 0.34375])
def test_there_are_no_more_clusters_than_distinct_values_and_none_is_empty(values):
    found = cluster(values)
    assert len(found.centers) == min(3, len({round(value, 9) for value in values}))
    assert found.centers == sorted(found.centers)
    assert set(found.labels) == set(range(len(found.centers)))


def test_shares_of_pairs(tmp_path):
    for kind in ("ir", "vi"):
        (tmp_path / kind).mkdir()
    levels = {"a": (10, 20), "b": (10, 20), "c": (30, 30), "d": (40, 20)}
    for name, (infrared, visible) in levels.items():
        write_image(tmp_path / f"ir/{name}.png", np.full((16, 16), infrared, np.uint8))
        write_image(tmp_path / f"vi/{name}.png", np.full((16, 16, 3), visible, np.uint8))
    summary = summarize(measure_pairs(find_pairs(tmp_path / "ir", tmp_path / "vi")))
    expected = {"infrared": 22.5, "visible": 22.5, "below": 0.5, "equal": 0.25, "above": 0.25}
    assert summary["sparsity"]["L1"] == expected
    assert summary["sparsity"]["GCR"]["equal"] == 1
    groups = summary["divergence"]["clusters"]
    assert groups == [{"center": 0.0, "pairs": 1}, {"center": 1.0, "pairs": 3}]
    assert summary["divergence"]["values"]["c"] == {"JS": 0.0, "cluster": 0}
    assert json.loads(json.dumps(summary)) == summary


def test_visible_images_count_as_luminance(tmp_path):
    for kind in ("ir", "vi"):
        (tmp_path / kind).mkdir()
    color = np.zeros((16, 16, 3), np.uint8)
    color[..., 1] = 200
    write_image(tmp_path / "ir/a.png", np.zeros((16, 16), np.uint8))
    write_image(tmp_path / "vi/a.png", color)
    frame = measure_pairs(find_pairs(tmp_path / "ir", tmp_path / "vi"))
    assert frame.loc[0, "L1 visible"] == round(0.587 * 200)


def test_pairs_of_two_sizes_are_refused(tmp_path):
    for kind, side in (("ir", 16), ("vi", 18)):
        (tmp_path / kind).mkdir()
        write_image(tmp_path / kind / "a.png", np.zeros((side, 16), np.uint8))
    with pytest.raises(InputError, match="differ in size"):
        measure_pairs(find_pairs(tmp_path / "ir", tmp_path / "vi"))
