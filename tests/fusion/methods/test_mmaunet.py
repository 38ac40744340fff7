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
from fusion.methods.files import load_model, save_model
from fusion.methods.mmaunet.config import MMAUNetConfig, MMAUNetLossConfig, MMAUNetPhaseConfig
from fusion.methods.mmaunet.loss import MMAUNetLoss
from fusion.methods.mmaunet.method import MMAUNet
from fusion.methods.mmaunet.unets import GuidedGate
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

TINY = MMAUNetConfig(width=8, reduction=1)
PHASES = ("visible", "infrared", "fusion")


def start(name, previous=None, **changes):
    torch.manual_seed(0)
    settings = MMAUNetPhaseConfig(**(SCHEDULE | changes))
    return MMAUNet.start_phase(name, TINY, settings, previous)


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(0)
    return MMAUNet(TINY)


@pytest.fixture
def network():
    """Nothing is as at the start of training, batch normalization neither; in eval mode."""
    torch.manual_seed(0)
    network = MMAUNet(TINY)
    for norm in network.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            for value in (norm.running_mean, norm.bias.data):
                value.uniform_(-0.2, 0.2)
            norm.running_var.uniform_(0.05, 0.2)
    return network.eval()


def test_published_width_has_the_published_numbers_of_parameters():
    with torch.device("meta"):
        network = MMAUNet(MMAUNetConfig())
    assert MMAUNetConfig() == MMAUNetConfig(width=64, reduction=16)
    assert parameters(network.visible) == 31_037_763
    assert parameters(network.infrared) == 31_212_355
    assert parameters(network.fusion) == 36_397_263


def test_guided_gate_squeezes_the_guide_and_scales_the_features():
    gate = randomized(GuidedGate(8, 4), std=1.0)
    features, guide = torch.randn(2, 2, 8, 5, 6).unbind()
    squeeze = gate.attention.squeeze.weight[:, :, 0, 0]
    excite = gate.attention.excite.weight[:, :, 0, 0]
    logits = (guide.mean((2, 3)) @ squeeze.T).clamp(min=0) @ excite.T
    expected = features / (1 + torch.exp(-logits))[:, :, None, None]
    torch.testing.assert_close(gate(features, guide), expected, atol=1e-6, rtol=1e-5)
    assert gate.attention.squeeze.bias is None
    assert gate.attention.excite.bias is None


def decoded(decoder, features):
    """A U-Net's way up, written out; skips first."""
    x = features[-1]
    for level in (3, 2, 1, 0):
        rise, merge = decoder.expansion.rises[3 - level], decoder.expansion.merges[3 - level]
        risen = F.conv_transpose2d(x, rise.weight, rise.bias, stride=2)
        x = merge(torch.cat([features[level], risen], dim=1))
    return torch.tanh(decoder.head(x))


def encoded(network, infrared, visible):
    """Both ways down, written out."""
    levels, plain = network.visible.encoder.levels, network.infrared.encoder.plain.levels
    gates = network.infrared.encoder.gates
    x, y = infrared.expand(-1, 3, -1, -1), visible.expand(-1, 3, -1, -1)
    infrared_features, visible_features = [], []
    for level in range(5):
        if level:
            x, y = F.max_pool2d(x, 2), F.max_pool2d(y, 2)
        y = levels[level](y)
        x = gates[level](plain[level](x), y)
        infrared_features.append(x)
        visible_features.append(y)
    return infrared_features, visible_features


def test_networks_are_composed_as_published(network):
    infrared, visible = pair(32, 48)[0], pair(32, 48, seed=1)[0]
    features, guides = encoded(network, infrared, visible)
    expected = network.fusion(features, guides)
    assert expected.shape == (1, 3, 32, 48)
    torch.testing.assert_close(network.fuse(infrared, visible), expected)
    torch.testing.assert_close(
        network.reconstruct_visible(visible), decoded(network.visible.decoder, guides)
    )
    torch.testing.assert_close(
        network.reconstruct_infrared(infrared, visible),
        decoded(network.infrared.decoder, features),
    )


def test_fused_luminance_is_the_clipped_mean_of_the_planes(network):
    with torch.no_grad():
        network.fusion.last.weight.mul_(20)
    infrared, visible = pair(32, 32)
    gray = 0.299 * visible[:, :1] + 0.587 * visible[:, 1:2] + 0.114 * visible[:, 2:]
    mean = network.fuse(infrared, gray).mean(1, keepdim=True)
    clipped = torch.where(mean < 0, torch.zeros_like(mean), torch.where(mean > 1, 1.0, mean))
    assert (mean < 0).any()
    assert (mean > 1).any()
    torch.testing.assert_close(network(infrared, visible), clipped)


@settings(max_examples=10, deadline=None)
@given(st.integers(16, 50), st.integers(16, 50))
def test_any_size_in_the_same_size_out_within_range(untrained, height, width):
    network = untrained.eval()
    with torch.inference_mode():
        fused = network(*pair(height, width, batch=2))
    assert fused.shape == (2, 1, height, width)
    assert fused.min() >= 0
    assert fused.max() <= 1
    assert fused.min() < fused.max()


def test_other_sizes_are_reflected_up_to_a_multiple_of_16_and_cropped(network):
    infrared, visible = pair(20, 33)
    padded = [F.pad(image, (0, 15, 0, 12), mode="reflect") for image in (infrared, visible)]
    expected = network(*padded)[..., :20, :33]
    torch.testing.assert_close(network(infrared, visible), expected)


def test_images_of_a_batch_do_not_see_each_other(network):
    infrared, visible = pair(32, 32, batch=3)
    together = network(infrared, visible)
    for i in range(3):
        alone = network(infrared[i : i + 1], visible[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)


def slow_ssim(image, reference):
    return structural_similarity(
        image,
        reference,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        full=True,
    )[1][5:-5, 5:-5].mean()


def slow_edges(image):
    """|Sobel_x| + |Sobel_y| with zeros beyond the border, not normalized."""
    return sum(abs(ndimage.sobel(image, axis, mode="constant")) for axis in (0, 1))


def slow_loss(output, references):
    """Every plane of every image on its own; only the mean edge error is squared."""
    squares, ssims, edges = [], [], []
    for image, sources in zip(output, zip(*references, strict=True), strict=True):
        mean = sum(sources) / len(sources)
        for plane in image:
            squares.append((plane - mean) ** 2)
            ssims.append(sum((1 - slow_ssim(plane, source)) / 2 for source in sources))
            wanted = np.max([slow_edges(source) for source in sources], axis=0)
            edges.append(abs(slow_edges(plane) - wanted))
    return {"mse": np.mean(squares), "ssim": np.mean(ssims), "edge": np.mean(edges) ** 2}


@pytest.mark.parametrize("count", [1, 2])
def test_loss_is_its_three_equations(count):
    generator = torch.Generator().manual_seed(0)
    output = torch.rand(2, 3, 20, 23, generator=generator)
    references = [torch.rand(2, 1, 20, 23, generator=generator) for _ in range(count)]
    weights = MMAUNetLossConfig(mse=2.0, ssim=3.0, edge=5.0)
    losses = MMAUNetLoss(weights)(output, references)
    expected = slow_loss(
        output.double().numpy(), [source.double().numpy()[:, 0] for source in references]
    )
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value, rel=1e-4), name
    total = sum(getattr(weights, name) * value for name, value in expected.items())
    assert losses["loss"].item() == pytest.approx(total, rel=1e-4)


def test_default_weights_are_the_published_ones():
    assert MMAUNetPhaseConfig(**SCHEDULE).loss == MMAUNetLossConfig(mse=1.0, ssim=0.5, edge=10.0)


def test_each_phase_compares_its_output_with_its_sources():
    batch = smooth_batch()
    infrared = batch.infrared
    visible = (batch.visible * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(
        1, keepdim=True
    )
    previous, outputs = None, {}
    for name in PHASES:
        phase = start(name, previous)
        phase.method.eval()
        previous = phase.method
        outputs[name] = phase(batch)["loss"].item()
    loss = MMAUNetLoss(MMAUNetLossConfig())
    expected = {
        "visible": loss(previous.reconstruct_visible(visible), [visible]),
        "infrared": loss(previous.reconstruct_infrared(infrared, visible), [infrared]),
        "fusion": loss(previous.fuse(infrared, visible), [visible, infrared]),
    }
    for name in PHASES:
        assert outputs[name] == pytest.approx(expected[name]["loss"].item(), rel=1e-5)


@pytest.mark.parametrize("name", PHASES)
def test_a_phase_trains_its_network_alone(name, untrained):
    """Weights and statistics of the others stay bit-identical, and they get no gradient."""
    phase = start(name, untrained)
    before = state(phase.method)
    train_briefly(phase)
    trained = {entry for entry in before if entry.startswith(f"{name}.")}
    assert changed(before, phase.method) == trained
    for entry, parameter in phase.method.named_parameters():
        assert (parameter.grad is not None) == (entry in trained)
    modes = {part: getattr(phase.method, part).training for part in PHASES}
    assert modes == {part: part == name for part in PHASES}


def test_infrared_features_depend_on_the_visible_image(network):
    infrared = pair(32, 32)[0]
    outputs = [network.reconstruct_infrared(infrared, pair(32, 32, seed=s)[0]) for s in (1, 2)]
    assert not torch.allclose(*outputs, atol=1e-4)


@pytest.mark.slow
def test_phases_go_on_where_the_one_before_ended(tmp_path):
    previous = None
    for name in PHASES:
        phase = start(name, previous)
        if previous:
            anew = {"fusion.last.weight"} if name == "fusion" else set()
            assert changed(state(previous), phase.method) == anew
        losses = train_briefly(phase, steps=12)
        assert losses[-1] < 0.6 * losses[0], name
        save_model(tmp_path / name, "mmaunet", phase.method, {})
        previous = load_model(tmp_path / name)


def test_fusion_starts_at_mid_gray(untrained):
    """And not with noise, whose edges would have to be unlearned first."""
    fused = start("fusion", untrained).method(*pair(32, 32))
    torch.testing.assert_close(fused, torch.full_like(fused, 0.5), rtol=0, atol=0)


@pytest.mark.parametrize(("name", "before"), [("infrared", "visible"), ("fusion", "infrared")])
def test_a_phase_without_the_one_before_is_refused(name, before):
    with pytest.raises(ValueError, match=f"phase {name} .* weights of phase {before}"):
        start(name)


def test_levels_of_both_encoders_are_compared(pair_folder, network):
    folder = pair_folder(count=2, smallest=64)
    pairs = find_pairs(folder / "ir", folder / "vi")
    table = layer_similarity(network, pairs, device=torch.device("cpu"), positions=64)
    assert table.infrared == table.visible == [f"level {number}" for number in range(1, 6)]
    assert table.values.isfinite().all()


def test_compared_layers_are_what_the_fusion_sees(network):
    layers = network.encoder_layers()
    infrared, visible = pair(32, 32)[0], pair(32, 32, seed=1)[0]
    seen = {}
    for modality, modules in layers._asdict().items():
        for name, module in modules.items():
            module.register_forward_hook(
                lambda _, __, output, key=(modality, name): seen.__setitem__(key, output)
            )
    for modality, features in zip(
        ("infrared", "visible"), network.encode(infrared, visible), strict=True
    ):
        for number, feature in enumerate(features, start=1):
            assert torch.equal(seen[modality, f"level {number}"], feature)


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (MMAUNetConfig, {"width": 0}, "greater than or equal to 4"),
        (MMAUNetConfig, {"width": 10}, "multiple of 4"),
        (MMAUNetConfig, {"heads": 8}, "not permitted"),
        (MMAUNetPhaseConfig, SCHEDULE | {"batch_size": 1, "crop": 16}, "raise batch_size or crop"),
        (MMAUNetPhaseConfig, SCHEDULE | {"loss": {"edge": -1.0}}, "greater than or equal to 0"),
    ],
)
def test_impossible_settings_are_refused(model, values, message):
    with pytest.raises(ValidationError, match=message):
        model(**values)


def test_the_smallest_allowed_batch_can_be_trained():
    phase = start("visible", batch_size=1, crop=17)
    train_briefly(phase, steps=1, batch=smooth_batch(17, batch=1))
