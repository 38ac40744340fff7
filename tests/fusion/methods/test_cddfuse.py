import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import ndimage
from skimage.metrics import structural_similarity
from torch.nn import functional as F

from fusion.analysis.similarity import layer_similarity
from fusion.images.pairs import find_pairs
from fusion.methods.base import Batch
from fusion.methods.cddfuse.config import (
    CDDFuseConfig,
    CDDFuseFusionLossConfig,
    CDDFuseFusionPhaseConfig,
    CDDFuseReconstructionLossConfig,
    CDDFuseReconstructionPhaseConfig,
)
from fusion.methods.cddfuse.encoder import Features, InvertibleNode
from fusion.methods.cddfuse.loss import correlation, decomposition
from fusion.methods.cddfuse.method import CDDFuse
from fusion.methods.files import load_model, save_model
from tests.fusion.toys import (
    SCHEDULE,
    changed,
    pair,
    parameters,
    randomized,
    smooth_batch,
    state,
    train_briefly,
)

TINY = CDDFuseConfig(channels=8, heads=2, blocks=1, nodes=1)
FUSION_LAYERS = ("base_fusion.", "detail_fusion.")


def reconstruction(**changes):
    torch.manual_seed(0)
    return CDDFuse.start_phase(
        "reconstruction",
        TINY,
        CDDFuseReconstructionPhaseConfig(**(SCHEDULE | changes)),
        previous=None,
    )


def fusion(previous, **changes):
    return CDDFuse.start_phase(
        "fusion", TINY, CDDFuseFusionPhaseConfig(**(SCHEDULE | changes)), previous
    )


def test_published_width_has_the_published_numbers_of_parameters():
    with torch.device("meta"):
        network = CDDFuse(CDDFuseConfig())
    assert parameters(network.encoder) == 599_144
    assert parameters(network.decoder) == 207_936
    assert parameters(network.base_fusion) == 363_016
    assert parameters(network.detail_fusion) == 18_176
    assert parameters(network) == 599_144 + 207_936 + 363_016 + 18_176


def bottleneck(x, layers):
    """1×1, ReLU6, depthwise 3×3 on a mirrored border tap by tap, ReLU6, 1×1."""
    widen, _, depthwise, _, narrow = layers
    height, width = x.shape[-2:]
    hidden = torch.einsum("oc,bchw->bohw", widen.weight[:, :, 0, 0], x).clamp(0, 6)
    padded = F.pad(hidden, (1, 1, 1, 1), mode="reflect")
    spread = torch.zeros_like(hidden)
    for dy in range(3):
        for dx in range(3):
            weight = depthwise.weight[:, 0, dy, dx].view(1, -1, 1, 1)
            spread = spread + weight * padded[:, :, dy : dy + height, dx : dx + width]
    return torch.einsum("oc,bchw->bohw", narrow.weight[:, :, 0, 0], spread.clamp(0, 6))


def test_node_is_inverted_by_solving_its_equations_backwards():
    node = randomized(InvertibleNode(8)).double()
    features = torch.randn(2, 8, 6, 7, dtype=torch.float64)
    first, second = node(features).chunk(2, dim=1)
    first = (first - bottleneck(second, node.eta)) / bottleneck(second, node.rho).exp()
    second = second - bottleneck(first, node.phi)
    mixed = torch.cat([first, second], dim=1) - node.mix.bias.view(1, -1, 1, 1)
    unmixed = torch.linalg.solve(node.mix.weight[:, :, 0, 0], mixed.flatten(2))
    assert not torch.allclose(node(features), features, atol=0.1)
    torch.testing.assert_close(unmixed.view_as(features), features)


def test_forward_fuses_the_sums_of_both_features_on_the_visible_image():
    network = randomized(CDDFuse(TINY), std=0.2)
    infrared, visible = pair(20, 24)
    gray = 0.299 * visible[:, :1] + 0.587 * visible[:, 1:2] + 0.114 * visible[:, 2:]
    shared = [network.encoder.blocks(network.encoder.stem(image)) for image in (infrared, gray)]
    base = network.base_fusion(sum(network.encoder.base(x) for x in shared))
    detail = network.detail_fusion(sum(network.encoder.detail(x) for x in shared))
    decoder = network.decoder
    hidden = decoder.blocks(decoder.reduce(torch.cat([base, detail], dim=1)))
    expected = torch.sigmoid(decoder.head(hidden) + gray)
    torch.testing.assert_close(network(infrared, visible), expected, atol=1e-5, rtol=1e-4)


@settings(max_examples=10, deadline=None)
@given(st.integers(16, 45), st.integers(16, 45))
def test_any_size_in_the_same_size_out_within_range(height, width):
    network = randomized(CDDFuse(TINY), std=0.2)
    with torch.inference_mode():
        fused = network(*pair(height, width, batch=2))
    assert fused.shape == (2, 1, height, width)
    assert fused.min() >= 0
    assert fused.max() <= 1


def test_images_of_a_batch_do_not_see_each_other():
    network = randomized(CDDFuse(TINY), std=0.2)
    infrared, visible = pair(24, 24, batch=3)
    together = network(infrared, visible)
    for i in range(3):
        alone = network(infrared[i : i + 1], visible[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)


def slow_correlation(first, second):
    """Pearson's coefficient of every channel of every image, averaged."""
    rows = zip(first.flatten(0, 1), second.flatten(0, 1), strict=True)
    return np.mean([np.corrcoef(x.numpy().ravel(), y.numpy().ravel())[0, 1] for x, y in rows])


def random_features(seed):
    generator = torch.Generator().manual_seed(seed)
    shared = torch.randn(2, 2, 4, 6, 5, generator=generator)
    return Features(shared[0], shared[1] + 0.7 * shared[0])


def test_correlation_is_pearsons_over_pixels():
    first, second = random_features(0)
    assert correlation(first, second).item() == pytest.approx(
        slow_correlation(first, second), abs=1e-5
    )
    assert correlation(first, 3 * first + 2).item() == pytest.approx(1, abs=1e-5)
    assert correlation(first, -first).item() == pytest.approx(-1, abs=1e-5)


def test_decomposition_is_squared_detail_over_shifted_base_correlation():
    infrared, visible = random_features(0), random_features(1)
    visible = Features(visible.base + infrared.base, visible.detail - 0.5 * infrared.detail)
    detail = slow_correlation(infrared.detail, visible.detail)
    base = slow_correlation(infrared.base, visible.base)
    assert detail < 0 < base, "the square and the shift matter"
    expected = detail**2 / (1.01 + base)
    assert decomposition(infrared, visible).item() == pytest.approx(expected, rel=1e-4)


def test_constant_features_correlate_with_nothing_and_send_moderate_gradients():
    constant = torch.full((1, 2, 8, 8), 0.3, requires_grad=True)
    value = correlation(constant, torch.randn(1, 2, 8, 8))
    value.backward()
    assert abs(value.item()) < 1e-3
    assert constant.grad.abs().max() < 1e4


def ssim(image, reference):
    """Mean over a batch, where the window lies inside the image."""
    return np.mean(
        [
            structural_similarity(
                x,
                y,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=1.0,
                full=True,
            )[1][5:-5, 5:-5].mean()
            for x, y in zip(image, reference, strict=True)
        ]
    )


def slope(image, mode, axis):
    return np.stack([ndimage.sobel(plane, axis, mode=mode) for plane in image])


def edges(image):
    return abs(slope(image, "mirror", 0)) + abs(slope(image, "mirror", 1))


def planes(*images):
    return [image.detach().double().numpy()[:, 0] for image in images]


def gray_batch():
    batch = smooth_batch()
    return Batch(batch.infrared, batch.visible[:, :1].expand(-1, 3, -1, -1).contiguous())


def test_reconstruction_loss_is_its_equations():
    weights = CDDFuseReconstructionLossConfig(ssim=2.0, mse=3.0, gradient=5.0, decomposition=7.0)
    phase = reconstruction(loss=weights)
    batch, network = gray_batch(), phase.method
    randomized(network, std=0.15)
    losses = phase(batch)
    sources = (batch.infrared, batch.visible[:, :1])
    features = [network.encoder(source) for source in sources]
    rebuilt = planes(
        *(network.decoder(torch.cat(f, 1), s) for f, s in zip(features, sources, strict=True))
    )
    sources = planes(*sources)
    expected = {
        "ssim": sum((1 - ssim(r, s)) / 2 for r, s in zip(rebuilt, sources, strict=True)),
        "mse": sum(((r - s) ** 2).mean() for r, s in zip(rebuilt, sources, strict=True)),
        "gradient": np.mean(
            [
                abs(slope(sources[1], "nearest", axis) - slope(rebuilt[1], "nearest", axis)) / 8
                for axis in (0, 1)
            ]
        ),
        "decomposition": decomposition(*features).item(),
    }
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value, rel=1e-4), name
    total = sum(getattr(weights, name) * value for name, value in expected.items())
    assert losses["loss"].item() == pytest.approx(total, rel=1e-4)


def test_fusion_loss_is_its_equations():
    weights = CDDFuseFusionLossConfig(intensity=2.0, gradient=3.0, decomposition=5.0)
    phase = fusion(randomized(CDDFuse(TINY), std=0.15), loss=weights)
    batch, network = gray_batch(), phase.method
    losses = phase(batch)
    features = [network.encoder(source) for source in (batch.infrared, batch.visible[:, :1])]
    fused, infrared, visible = planes(
        network(batch.infrared, batch.visible), batch.infrared, batch.visible[:, :1]
    )
    expected = {
        "intensity": abs(fused - np.maximum(infrared, visible)).mean(),
        "gradient": abs(edges(fused) - np.maximum(edges(infrared), edges(visible))).mean(),
        "decomposition": decomposition(*features).item(),
    }
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value, rel=1e-4), name
    total = sum(getattr(weights, name) * value for name, value in expected.items())
    assert losses["loss"].item() == pytest.approx(total, rel=1e-4)


def test_default_weights_are_the_papers():
    assert tuple(CDDFuseReconstructionPhaseConfig(**SCHEDULE).loss.model_dump().values()) == (
        5,
        1,
        5,
        2,
    )
    assert tuple(CDDFuseFusionPhaseConfig(**SCHEDULE).loss.model_dump().values()) == (1, 10, 2)


def test_reconstruction_trains_encoder_and_decoder_and_lets_the_fusion_layers_wait():
    phase = reconstruction()
    before = state(phase.method)
    train_briefly(phase)
    waiting = {name for name in before if name.startswith(FUSION_LAYERS)}
    assert changed(before, phase.method) == before.keys() - waiting
    gradients = {name: p.grad for name, p in phase.method.named_parameters()}
    assert all(gradients[name] is None for name in waiting)


def test_fusion_trains_everything_from_where_reconstruction_ended(tmp_path):
    first = reconstruction()
    train_briefly(first)
    save_model(tmp_path, "cddfuse", first.method, {})
    phase = fusion(load_model(tmp_path))
    before = state(phase.method)
    assert not changed(state(first.method), phase.method)
    train_briefly(phase)
    assert changed(before, phase.method) == before.keys()
    assert phase.method.training


def test_a_black_infrared_image_does_not_stop_the_training():
    batch = smooth_batch()
    batch = batch._replace(infrared=torch.zeros_like(batch.infrared))
    first = reconstruction()
    assert np.isfinite(train_briefly(first, batch=batch)).all()
    assert np.isfinite(train_briefly(fusion(first.method), batch=batch)).all()


def test_fusion_without_reconstruction_is_refused():
    with pytest.raises(ValueError, match="starts from the weights of reconstruction"):
        fusion(None)


def test_encoder_layers_are_compared_across_modalities(pair_folder):
    folder = pair_folder(count=2)
    pairs = find_pairs(folder / "ir", folder / "vi")
    network = randomized(CDDFuse(TINY), std=0.2)
    table = layer_similarity(network, pairs, device=torch.device("cpu"), positions=64)
    assert table.infrared == table.visible == ["stem", "block 1", "base", "detail"]
    assert table.values.isfinite().all()


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (CDDFuseConfig, {"channels": 64, "heads": 7}, r"channels \(64\) must be a multiple of he"),
        (CDDFuseConfig, {"channels": 9, "heads": 3}, "multiple of 2"),
        (CDDFuseConfig, {"nodes": 0}, "greater than or equal to 1"),
        (
            CDDFuseFusionPhaseConfig,
            SCHEDULE | {"loss": {"gradient": -1.0}},
            "greater than or equal to 0",
        ),
        (CDDFuseReconstructionPhaseConfig, SCHEDULE | {"loss": {"tv": 5.0}}, "not permitted"),
    ],
)
def test_impossible_settings_are_refused(model, values, message):
    with pytest.raises(ValidationError, match=message):
        model(**values)
