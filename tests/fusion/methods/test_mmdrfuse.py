import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.methods.mmdrfuse.config import MMDRFuseConfig
from fusion.methods.mmdrfuse.method import MMDRFuse
from fusion.methods.mmdrfuse.published import NAMES, convert
from tests.fusion.methods.published import (
    PAIRS,
    committed,
    grid_of,
    load_converted,
    needs_pairs,
    noise_inputs,
    noise_rule,
    pair_of,
    published_shapes,
    reference,
    rgb,
    share_apart,
    stored,
)
from tests.fusion.toys import pair, parameters, randomized

NETWORKS = ("student", "teacher")


def build(network, **changes):
    torch.manual_seed(0)
    return MMDRFuse(MMDRFuseConfig(network=network, **changes))


def ruled(network):
    shapes = published_shapes(build(network), NAMES[network])
    return load_converted(MMDRFuse, convert(noise_rule(shapes, 0.7)))


@pytest.mark.parametrize(("network", "count"), [("student", 113), ("teacher", 556_489)])
def test_published_networks_have_the_published_numbers_of_parameters(network, count):
    assert parameters(build(network)) == count


@pytest.mark.parametrize("network", NETWORKS)
def test_network_under_the_rule_gives_the_published_numbers(network):
    infrared, visible = noise_inputs(48, 64)
    with torch.inference_mode():
        _, fused = ruled(network).encode(infrared, rgb(visible))
    assert grid_of(fused) == pytest.approx(committed("mmdrfuse")[network], abs=1e-5)


@needs_pairs
@pytest.mark.parametrize("name", PAIRS)
def test_published_student_draws_the_published_picture(name):
    student = load_converted(MMDRFuse, convert(stored("mmdrfuse", "weights")))
    with torch.inference_mode():
        fused = student(*pair_of(name))
    assert share_apart(fused, reference("mmdrfuse") / "reference" / f"{name}.png") <= 0.001


@needs_pairs
def test_published_teacher_is_as_far_from_the_student_as_published():
    """Mean difference 0.011 to 0.013 on night scenes."""
    with torch.inference_mode():
        fused = [
            load_converted(MMDRFuse, convert(stored("mmdrfuse", name)))(*pair_of("msrs-00004N"))
            for name in ("weights", "weights-teacher")
        ]
    assert 0.0105 < (fused[0] - fused[1]).abs().mean() < 0.0135


@pytest.mark.parametrize("network", NETWORKS)
def test_checkpoints_of_student_and_teacher_are_told_apart(network):
    weights = noise_rule(published_shapes(build(network), NAMES[network]), 1.0)
    assert convert(weights).variant == network
    del weights["conv1.1.bias"]
    with pytest.raises(ValueError, match=r"missing: conv1\.1\.bias"):
        convert(weights)


@pytest.mark.parametrize("network", NETWORKS)
@settings(max_examples=6, deadline=None)
@given(st.integers(16, 41), st.integers(16, 41))
def test_any_size_in_the_same_size_out_within_range(network, height, width):
    method = randomized(build(network, teacher_width=4))
    with torch.inference_mode():
        fused = method(*pair(height, width, batch=2))
    assert fused.shape == (2, 1, height, width)
    assert 0 <= fused.min() < fused.max() <= 1


def test_teacher_pads_odd_sides_by_reflection_and_crops():
    teacher = randomized(build("teacher", teacher_width=4))
    infrared, visible = pair(17, 20)
    padded = [torch.cat([image, image[..., -2:-1, :]], dim=-2) for image in (infrared, visible)]
    torch.testing.assert_close(teacher(infrared, visible), teacher(*padded)[..., :17, :])
