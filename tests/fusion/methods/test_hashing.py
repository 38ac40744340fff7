import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.methods.pomai.hashing import (
    attend_in_groups,
    bucket_count,
    cross_polytope_codes,
    group_order,
    group_scores,
)


def loop_attention(query, key, value, codes, size, neighbors=0):
    """Equation 3 and GAM by a loop over groups and pixels, in plain Python."""
    outputs, scores = torch.zeros_like(value), torch.zeros(codes.shape)
    for b in range(len(codes)):
        order = sorted(range(codes.shape[1]), key=lambda pixel: int(codes[b, pixel]))
        padded = order + order[len(order) - (-len(order) % size) :]
        groups = [padded[start : start + size] for start in range(0, len(padded), size)]
        written = set()
        for m, group in enumerate(groups):
            near = [groups[(m - s) % len(groups)] for s in range(-neighbors, neighbors + 1)]
            others = [pixel for members in near for pixel in members]
            for pixel in group:
                if pixel in written:
                    continue
                written.add(pixel)
                logits = [float(query[b, pixel] @ key[b, other]) for other in others]
                total = sum(math.exp(logit) for logit in logits)
                scores[b, pixel] = math.log(total)
                outputs[b, pixel] = sum(
                    math.exp(logit) / total * value[b, other]
                    for logit, other in zip(logits, others, strict=True)
                )
    return outputs, scores


@settings(max_examples=25, deadline=None)
@given(st.integers(5, 40), st.integers(2, 12), st.integers(0, 1), st.integers(0, 2**31 - 1))
def test_group_attention_equals_a_loop_over_groups(length, size, neighbors, seed):
    torch.manual_seed(seed)
    query, key, value = torch.randn(3, 2, length, 4).unbind()
    codes = torch.randint(0, 5, (2, length))
    expected, expected_scores = loop_attention(
        query, key, value, codes, min(size, length), neighbors
    )
    attended = attend_in_groups(query, key, value, codes, size, neighbors)
    scores = group_scores(query, key, codes, size, neighbors)
    torch.testing.assert_close(attended, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(scores, expected_scores, atol=1e-5, rtol=1e-4)


@given(st.integers(1, 200), st.integers(1, 30), st.integers(0, 1000))
def test_groups_hold_every_pixel_in_hash_order(length, size, seed):
    size = min(size, length)
    codes = torch.randint(0, 7, (1, length), generator=torch.Generator().manual_seed(seed))
    members, rank = group_order(codes, size)
    assert members.shape[1] % size == 0
    assert sorted(members[0, :length].tolist()) == list(range(length))
    assert codes[0, members[0, :length]].diff().ge(0).all()
    assert torch.equal(members.gather(1, rank), torch.arange(length).unsqueeze(0))


def test_codes_are_the_nearest_vertex_of_the_rotated_cross_polytope():
    torch.manual_seed(0)
    vectors, rotation = torch.randn(2, 50, 6), torch.randn(6, 5)
    rotated = vectors @ rotation
    expected = torch.cat([rotated, -rotated], dim=-1).argmax(-1)
    assert torch.equal(cross_polytope_codes(vectors, rotation), expected)
    assert torch.equal(cross_polytope_codes(3.7 * vectors, rotation), expected)


def test_of_equal_vertices_the_first_is_the_code_and_undefined_vectors_have_one():
    rotation = torch.eye(3)
    vectors = torch.tensor([[0.0, 0, 0], [2, 2, -2], [0, -5, 5], [torch.nan, 0, 0]]).unsqueeze(0)
    codes = cross_polytope_codes(vectors, rotation)[0]
    assert codes[:3].tolist() == [0, 0, 4]
    assert 0 <= codes[3] < 6


def test_codes_do_not_depend_on_how_many_vectors_are_hashed_at_a_time(monkeypatch):
    torch.manual_seed(0)
    vectors, rotation = torch.randn(2, 50, 6), torch.randn(6, 5)
    expected = cross_polytope_codes(vectors, rotation)
    monkeypatch.setattr("fusion.methods.pomai.hashing._PART", 7)
    assert torch.equal(cross_polytope_codes(vectors, rotation), expected)


@pytest.mark.parametrize("largest", [6, 2**15 - 1, 2**20])
def test_groups_are_in_the_order_of_a_stable_sort_for_any_number_of_codes(largest):
    torch.manual_seed(0)
    codes = torch.randint(0, 5, (2, 101)) * (largest // 4)
    members, _ = group_order(codes, 1)
    for row, found in zip(codes.tolist(), members.tolist(), strict=True):
        assert found == sorted(range(len(row)), key=row.__getitem__)


def test_near_directions_share_a_code_more_often_than_far_ones():
    torch.manual_seed(0)
    vectors = torch.randn(1, 4000, 16)
    near = vectors + 0.1 * torch.randn_like(vectors)
    rotation = torch.randn(16, 8)
    codes = cross_polytope_codes(vectors, rotation)
    hits = (codes == cross_polytope_codes(near, rotation)).float().mean()
    chance = (codes == codes.roll(1, 1)).float().mean()
    assert hits > 0.8 > 0.2 > chance


@pytest.mark.parametrize(
    ("length", "expected"),
    [(16 * 16, 2), (144 * 5, 4), (128 * 128, 112), (480 * 640, 128)],
)
def test_bucket_count_is_even_and_bounded(length, expected):
    assert bucket_count(length, 144, 128) == expected
