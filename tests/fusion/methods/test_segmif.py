from itertools import product

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from fusion.blocks.saliency import saliency_target
from fusion.images.color import luminance
from fusion.methods.segmif.config import SegMiFConfig
from fusion.methods.segmif.interaction import InteractiveAttention
from fusion.methods.segmif.method import SegMiF
from fusion.methods.segmif.published import ENCODER, convert, names
from fusion.methods.segmif.semantic import ReducedAttention
from tests.fusion.methods.published import (
    committed,
    grid_of,
    needs_reference,
    published_shapes,
    rgb,
    sine_inputs,
    sine_rule,
    stored,
)
from tests.fusion.toys import pair, parameters, randomized

TINY = SegMiFConfig(channels=4, growth=2, heads=2, semantic_width=4, semantic_depths=[1, 1])
DEPTHS = {1: 3, 2: 4, 3: 18, 4: 3}


def segmenter_names():
    """What the second file holds besides the first two stages; the rule counts it."""
    ends = ("weight", "bias")
    for stage in (3, 4):
        parts = [f"patch_embed{stage}.proj", f"patch_embed{stage}.norm", f"norm{stage}"]
        inner = ["norm1", "norm2", "attn.q", "attn.kv", "attn.proj"]
        inner += ["mlp.fc1", "mlp.fc2", "mlp.dwconv.dwconv"]
        inner += ["attn.sr", "attn.norm"] if stage == 3 else []
        parts += [
            f"block{stage}.{block}.{part}" for block, part in product(range(DEPTHS[stage]), inner)
        ]
        yield from (f"{ENCODER}{part}.{end}" for part, end in product(parts, ends))
    decoder = "denoise_net.decoder."
    linear = [*(f"linear_c{stage}.proj" for stage in DEPTHS), "linear_pred", "linear_fuse.bn"]
    yield from (f"{decoder}{part}.{end}" for part, end in product(linear, ends))
    for end in ("conv.weight", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked"):
        yield f"{decoder}linear_fuse.{end}"
    yield "denoise_net.classifier.weight"


@pytest.fixture(scope="module")
def filled():
    """Filled from both files, of which much acts on nothing."""
    network = SegMiF(SegMiFConfig()).eval()
    shapes = published_shapes(network, names(network))
    fusion = {name: shape for name, shape in shapes.items() if not name.startswith(ENCODER)}
    second = {name.replace("ffm.", "ffm2."): fusion[name] for name in fusion if "ffm." in name}
    segmenter = {name: shapes[name] for name in shapes.keys() - fusion.keys()}
    segmenter |= dict.fromkeys(segmenter_names(), (1,))
    assert (len(fusion | second), len(segmenter)) == (97, 589)
    converted = convert(sine_rule(fusion | second) | sine_rule(segmenter))
    network.load_state_dict(converted.weights)
    return network


@pytest.fixture(scope="module")
def tiny():
    network = randomized(SegMiF(TINY), std=0.1)
    with torch.no_grad():
        network.tail[-1].bias.fill_(0.5)
        network.activation.weight.fill_(0.25)
    return network


@torch.inference_mode()
def drawn(network):
    infrared, visible = sine_inputs()
    return network.fuse(infrared, visible, rgb(visible))


def test_network_has_the_published_number_of_parameters(filled):
    """Without the attention that the published class declares and never calls."""
    assert parameters(filled) == 3_860_482
    assert parameters(filled.semantic) == 2_892_416


def test_network_draws_what_the_authors_does(filled):
    np.testing.assert_allclose(grid_of(drawn(filled)), committed("segmif")["fused"], atol=1e-5)


@needs_reference
@torch.inference_mode()
def test_network_draws_every_stored_pixel(filled):
    expected = stored("segmif")
    torch.testing.assert_close(drawn(filled), expected["fused"], atol=3e-5, rtol=0)
    for stage, features in enumerate(filled.semantic(rgb(sine_inputs()[1])), start=1):
        large = F.interpolate(features, (64, 80), mode="bilinear")[:, :8]
        torch.testing.assert_close(large, expected[f"stage{stage}_first8"], atol=3e-5, rtol=0)


def heads_of(tokens):
    """L×4 -> 2×L×2."""
    return torch.stack([tokens[:, :2], tokens[:, 2:]])


def slow_context(layer, tokens):
    key, value = (heads_of(part) for part in (tokens @ layer.key_value.weight.T).chunk(2, dim=1))
    scores = torch.stack([k.T @ v / 2**0.5 for k, v in zip(key, value, strict=True)]).exp()
    return scores / scores.sum(1, keepdim=True)


def test_interaction_is_its_equations():
    layer = randomized(InteractiveAttention(4, 2), std=0.5)
    maps = torch.randn(3, 1, 4, 3, 5).unbind()
    infrared, visible, semantic = (x[0].flatten(1).T for x in maps)

    def halves(expand, tokens):
        return F.relu(tokens @ expand.weight.T + expand.bias).chunk(2, dim=1)

    queries, keys = halves(layer.expand, semantic)
    shared = slow_context(layer.semantic, keys)
    for output, own, tokens in zip(
        layer(*maps), (layer.infrared, layer.visible), (infrared, visible), strict=True
    ):
        modality_keys, modality_queries = halves(own.expand, tokens)
        context = slow_context(own.attention, modality_keys)
        parts = [*(heads_of(queries) @ context), *(heads_of(modality_queries) @ shared)]
        projected = torch.cat(parts, 1) @ own.project.weight.T + own.project.bias
        expected = F.layer_norm(tokens + projected, (4,), own.norm.weight, own.norm.bias)
        torch.testing.assert_close(output[0].flatten(1).T, expected, atol=1e-5, rtol=1e-4)


def test_attention_sees_a_smaller_image():
    layer = randomized(ReducedAttention(4, 2, 2), std=0.5)
    features = torch.randn(1, 4, 6, 8)
    tokens = features[0].flatten(1).T
    small = F.conv2d(features, layer.reduce.weight, layer.reduce.bias, stride=2)
    small = F.layer_norm(small[0].flatten(1).T, (4,), layer.norm.weight, layer.norm.bias)
    key, value = (heads_of(part) for part in layer.key_value(small).chunk(2, dim=1))
    query = heads_of(layer.query(tokens))
    attended = [
        ((q @ k.T) / 2**0.5).softmax(1) @ v for q, k, v in zip(query, key, value, strict=True)
    ]
    expected = layer.project(torch.cat(attended, dim=1))
    torch.testing.assert_close(layer(tokens[None], features)[0], expected, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_third_image_is_the_visible_luminance(tiny):
    infrared, visible = pair(36, 44)
    gray = 0.299 * visible[:, :1] + 0.587 * visible[:, 1:2] + 0.114 * visible[:, 2:]
    expected = tiny.fuse(infrared, gray, rgb(gray)).clamp(0, 1)
    assert expected.std() > 0
    torch.testing.assert_close(tiny(infrared, visible), expected)


@torch.inference_mode()
def test_small_images_are_padded_with_their_last_pixels(tiny):
    infrared, visible = pair(16, 40)
    padded = [F.pad(image, (0, 0, 0, 16), mode="replicate") for image in (infrared, visible)]
    torch.testing.assert_close(tiny(infrared, visible), tiny(*padded)[..., :16, :])


@torch.inference_mode()
def test_images_of_a_batch_do_not_see_each_other(tiny):
    infrared, visible = pair(33, 45, batch=3)
    together = tiny(infrared, visible)
    for i in range(3):
        alone = tiny(infrared[i : i + 1], visible[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)


def test_heads_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValidationError, match=r"channels \(64\) must be a multiple of heads \(7\)"):
        SegMiFConfig(heads=7)


@torch.inference_mode()
def test_the_third_image_is_the_visible_one_or_weighted_by_saliency():
    network = randomized(SegMiF(TINY), std=0.3)
    salient = SegMiF(TINY.model_copy(update={"third": "saliency"})).eval()
    salient.load_state_dict(network.state_dict())
    infrared, visible = pair(40, 48)
    gray = luminance(visible)
    for method, third in ((network, gray), (salient, saliency_target(infrared, gray))):
        expected = method.fuse(infrared, gray, rgb(third)).clamp(0, 1)
        torch.testing.assert_close(method(infrared, visible), expected)
    assert not torch.equal(network(infrared, visible), salient(infrared, visible))
