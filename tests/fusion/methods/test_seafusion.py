import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.methods.seafusion.config import SeAFusionConfig
from fusion.methods.seafusion.method import SeAFusion
from fusion.methods.seafusion.published import convert, published_names
from tests.fusion.methods.published import (
    PAIRS,
    committed,
    grid_of,
    load_converted,
    needs_pairs,
    needs_reference,
    pair_of,
    published_shapes,
    reference,
    rgb,
    share_apart,
    sine_inputs,
    sine_rule,
    stored,
)
from tests.fusion.toys import pair, parameters, randomized

TINY = SeAFusionConfig(width=4)


def published_entries():
    """Shapes of all 72 entries of the authors' file, of which some act on nothing."""
    shapes = published_shapes(SeAFusion(SeAFusionConfig()), published_names())
    for layer, width in zip((4, 3, 2, 1), (64, 32, 16, 1), strict=True):
        for entry in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"decode{layer}.bn.{entry}"] = (width,)
        shapes[f"decode{layer}.bn.num_batches_tracked"] = ()
    return shapes


def ruled():
    return load_converted(SeAFusion, convert(sine_rule(published_entries())))


def test_published_network_has_the_published_numbers_of_parameters():
    with torch.device("meta"):
        network = SeAFusion(SeAFusionConfig())
    parts = (network, network.infrared, network.visible, network.decoder)
    assert [parameters(part) for part in parts] == [166_657, 44_032, 44_032, 78_593]
    assert len(published_entries()) == 72


def test_network_under_the_rule_gives_the_published_numbers():
    infrared, visible = sine_inputs()
    with torch.inference_mode():
        fused = ruled()(infrared, rgb(visible))
    assert grid_of(fused) == pytest.approx(committed("seafusion")["fused"], abs=1e-5)


@needs_reference
def test_network_under_the_rule_gives_the_published_output():
    fixture = stored("seafusion")
    with torch.inference_mode():
        fused = ruled()(fixture["infrared"], rgb(fixture["visible"]))
    torch.testing.assert_close(fused, fixture["fused"], atol=1e-5, rtol=0)


@pytest.mark.slow
@needs_pairs
@pytest.mark.parametrize("name", PAIRS)
def test_published_weights_draw_the_published_picture(name):
    network = load_converted(SeAFusion, convert(stored("seafusion", "weights")))
    with torch.inference_mode():
        fused = network(*pair_of(name))
    assert share_apart(fused, reference("seafusion") / "reference" / f"{name}.png") <= 0.001


def test_gradients_start_as_sobel_and_are_trained():
    network = SeAFusion(TINY)
    gradient = network.infrared.block1.gradient
    ramp = torch.arange(8.0).expand(1, 4, 8, 8)
    assert (gradient(ramp)[..., 1:-1, 1:-1] == 8).all()
    assert (gradient(ramp.mT)[..., 1:-1, 1:-1] == 8).all()
    network(*pair(16, 16)).mean().backward()
    assert gradient.x.weight.grad.abs().sum() > 0
    assert gradient.y.weight.grad.abs().sum() > 0


@settings(max_examples=8, deadline=None)
@given(st.integers(16, 45), st.integers(16, 45))
def test_any_size_in_the_same_size_out_within_range(height, width):
    network = randomized(SeAFusion(TINY), std=0.1)
    with torch.inference_mode():
        fused = network(*pair(height, width, batch=2))
    assert fused.shape == (2, 1, height, width)
    assert 0 <= fused.min() < fused.max() <= 1


def test_a_checkpoint_without_the_trained_kernels_is_refused():
    weights = sine_rule(published_entries())
    del weights["vis_rgbd1.sobelconv.convx.weight"]
    with pytest.raises(ValueError, match=r"missing: vis_rgbd1\.sobelconv\.convx\.weight"):
        convert(weights)
