import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.nn import functional as F

from fusion.images.color import luminance
from fusion.methods.base import Batch
from fusion.methods.pomai.compensation import ModalityInteractiveCompensation
from fusion.methods.pomai.config import (
    CAMNConfig,
    FusionLossConfig,
    MICMConfig,
    NGMMConfig,
    PoMAIConfig,
    PoMAIStageOnePhaseConfig,
    PoMAIStageTwoPhaseConfig,
    PoMAITuningPhaseConfig,
)
from fusion.methods.pomai.context import ContextAwareModeling
from fusion.methods.pomai.method import PoMAI
from fusion.methods.pomai.neighbor_groups import NeighborGroupMatching
from tests.fusion import toys

SCHEDULE = {"epochs": 1, "batch_size": 2, "crop": 16, "learning_rate": 1e-2}
TINY = PoMAIConfig(channels=8, heads=2, blocks=1, ngmm=NGMMConfig(group_size=20))


def randomized(module, std=0.3):
    torch.manual_seed(1)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=std)
    return module.eval()


def pair(height, width, batch=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    infrared = torch.rand(batch, 1, height, width, generator=generator)
    return infrared, torch.rand(batch, 3, height, width, generator=generator)


@pytest.mark.parametrize("rounds", [1, 3])
def test_ngmm_is_a_residual_attention_among_pixels_with_one_hash_code(rounds):
    config = NGMMConfig(group_size=10, rounds=rounds, buckets=6, temperature=4.0)
    module = randomized(NeighborGroupMatching(4, config))
    features = torch.randn(1, 4, 6, 8)
    left = module.left(features).flatten(2)[0].T
    right = F.normalize(module.right(features).flatten(2)[0].T, dim=-1)
    round_outputs, round_scores = [], []
    for rotation in module.rotation[..., :2]:  # even(48 / 10) = 4 buckets
        codes = torch.cat([right @ rotation, -right @ rotation], dim=1).argmax(1)
        order = codes.argsort(stable=True).tolist()
        order += order[-2:]  # 48 pixels in groups of ten: two repeats
        output, score = torch.zeros(48, 4), torch.zeros(48)
        for start in reversed(range(0, 50, 10)):  # first placement wins over its repeat
            group = order[start : start + 10]
            logits = module.temperature * right[group] @ right[group].T
            output[group[::-1]] = (logits.softmax(1) @ left[group]).flip(0)
            score[group[::-1]] = logits.logsumexp(1).flip(0)
        round_outputs.append(output)
        round_scores.append(score)
    weights = torch.stack(round_scores).softmax(0).unsqueeze(-1)
    attended = (torch.stack(round_outputs) * weights).sum(0)
    expected = features + attended.T.view(1, 4, 6, 8)
    torch.testing.assert_close(module(features), expected, atol=1e-5, rtol=1e-4)


def test_ngmm_redraws_its_rotation_only_in_training():
    module = NeighborGroupMatching(8, NGMMConfig(group_size=16))
    features = torch.randn(1, 8, 20, 20)
    saved = module.rotation.clone()
    assert not torch.equal(module(features), module(features))
    module.eval()
    assert torch.equal(module(features), module(features))
    assert torch.equal(module.rotation, saved)


def test_ngmm_memory_is_linear_in_pixels():
    """No saved tensor may hold more than a fixed number of values a pixel."""
    module = NeighborGroupMatching(8, NGMMConfig(group_size=16))

    def largest(side):
        sizes = []
        hooks = torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: sizes.append(tensor.numel()) or tensor, lambda tensor: tensor
        )
        with hooks:
            module(torch.randn(1, 8, side, side, requires_grad=True)).sum().backward()
        return max(sizes) / side**2

    assert largest(96) <= 1.05 * largest(24)


def test_camn_is_equations_4_and_5():
    module = randomized(ContextAwareModeling(6, CAMNConfig(dilation=2)))
    x = torch.randn(2, 6, 12, 15)
    first, dilated, last = module.spatial
    spread = torch.zeros_like(x)
    hidden = F.pad(first(x), (6, 6, 6, 6))
    for dy in range(7):
        for dx in range(7):
            window = hidden[:, :, 2 * dy : 2 * dy + 12, 2 * dx : 2 * dx + 15]
            spread = spread + dilated.weight[:, 0, dy, dx].view(1, 6, 1, 1) * window
    x_scb = last(spread + dilated.bias.view(1, 6, 1, 1)) + x
    norm, up, _, down = module.channel
    normal = F.layer_norm(x_scb.permute(0, 2, 3, 1), (6,), norm.weight, norm.bias, norm.eps)
    x_ccb = down(F.gelu(up(normal.permute(0, 3, 1, 2)))) + x_scb
    torch.testing.assert_close(module(x), x_ccb + x, atol=1e-4, rtol=1e-4)


def test_micm_gate_is_equations_6_to_8():
    module = randomized(ModalityInteractiveCompensation(4, MICMConfig(reduction=2)))
    infrared, visible = torch.randn(2, 2, 4, 9, 11).unbind()
    total = infrared + visible
    pooled = torch.stack([total.mean(1), total.max(1).values], dim=1)
    spatial = F.conv2d(
        F.pad(pooled, (3, 3, 3, 3), mode="reflect"),
        module.spatial.conv.weight,
        module.spatial.conv.bias,
    )
    squeeze, excite = module.channel.squeeze, module.channel.excite
    hidden = F.relu(total.mean((2, 3)) @ squeeze.weight.flatten(1).T + squeeze.bias)
    channel = hidden @ excite.weight.flatten(1).T + excite.bias
    attention = spatial + channel[:, :, None, None]
    gate = torch.zeros_like(total)
    for c in range(4):  # each group sees its own channel of the attention and of the sum
        planes = F.pad(torch.stack([attention[:, c], total[:, c]], 1), (3, 3, 3, 3), mode="reflect")
        gate[:, c] = F.conv2d(planes, module.gate.weight[c : c + 1])[:, 0] + module.gate.bias[c]
    expected = torch.sigmoid(gate)
    torch.testing.assert_close(module(infrared, visible), expected, atol=1e-4, rtol=1e-4)


def test_forward_composes_equations_1_and_9_to_13():
    network = randomized(PoMAI(TINY.model_copy(update={"micm": MICMConfig()})), std=0.1)
    infrared, visible = pair(20, 24)
    x_i = network.encoder(network.infrared_stem(infrared))
    x_v = network.encoder(network.visible_stem(visible))
    gate = network.micm(x_i, x_v)
    enhanced_visible = gate * x_v + network.camn(x_v)
    enhanced_infrared = (1 - gate) * x_i + network.ngmm(x_i)
    expected = network.decoder(torch.cat([enhanced_infrared, enhanced_visible], dim=1))
    torch.testing.assert_close(network(infrared, visible), expected, atol=1e-5, rtol=1e-4)


def test_paper_width_has_cddfuses_decoder():
    network = PoMAI(PoMAIConfig())
    assert sum(p.numel() for p in network.decoder.parameters()) == 207_936
    assert sum(p.numel() for p in network.encoder.parameters()) == 4 * 45_256


@settings(max_examples=12, deadline=None)
@given(st.integers(16, 45), st.integers(16, 45), st.booleans())
def test_any_size_in_the_same_size_out_within_range(height, width, compensated):
    network = PoMAI(TINY.model_copy(update={"micm": MICMConfig() if compensated else None})).eval()
    with torch.inference_mode():
        fused = network(*pair(height, width, batch=2))
    assert fused.shape == (2, 1, height, width)
    assert fused.min() >= 0
    assert fused.max() <= 1


def silent_decoder(skip):
    """A network whose decoder has nothing to add."""
    network = randomized(PoMAI(TINY.model_copy(update={"skip": skip})))
    torch.nn.init.zeros_(network.decoder.head[-1].weight)
    return network


@pytest.mark.parametrize("skip", ["none", "visible", "brighter"])
def test_the_decoder_starts_from_the_skip(skip):
    infrared, visible = pair(20, 24)
    visible[..., :2, :2], infrared[..., -2:, -2:] = 0.0, 1.0
    starts = {
        "none": torch.full_like(infrared, 0.5),
        "visible": luminance(visible),
        "brighter": torch.maximum(infrared, luminance(visible)),
    }
    fused = silent_decoder(skip)(infrared, visible)
    torch.testing.assert_close(fused, starts[skip], atol=0.5 / 255, rtol=0)


def test_images_of_a_batch_do_not_see_each_other():
    network = randomized(PoMAI(TINY.model_copy(update={"micm": MICMConfig()})), std=0.1)
    infrared, visible = pair(24, 24, batch=3)
    together = network(infrared, visible)
    for i in range(3):
        alone = network(infrared[i : i + 1], visible[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)


def test_luminance_stem_sees_no_color():
    network = PoMAI(TINY.model_copy(update={"stem": "luminance"})).eval()
    infrared, visible = pair(20, 20)
    gray = (visible * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    torch.testing.assert_close(
        network(infrared, visible), network(infrared, gray.expand_as(visible)), atol=1e-6, rtol=1e-5
    )


def train_briefly(phase, steps=2):
    optimizer = torch.optim.Adam([p for p in phase.parameters() if p.requires_grad], lr=0.01)
    for step in range(steps):
        optimizer.zero_grad()
        phase(Batch(*pair(16, 16, batch=2, seed=step)))["loss"].backward()
        optimizer.step()


def stage_two(**settings):
    first = PoMAI.start_phase("stage_one", TINY, PoMAIStageOnePhaseConfig(**SCHEDULE), None)
    train_briefly(first)
    before = {name: value.clone() for name, value in first.method.state_dict().items()}
    phase = PoMAI.start_phase(
        "stage_two", TINY, PoMAIStageTwoPhaseConfig(**SCHEDULE, **settings), first.method.eval()
    )
    return before, phase


def test_stage_two_trains_micm_alone_and_leaves_the_rest_bit_identical():
    before, phase = stage_two()
    micm = {name: value.clone() for name, value in phase.method.micm.state_dict().items()}
    train_briefly(phase)
    after = phase.method.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(not torch.equal(after[f"micm.{name}"], value) for name, value in micm.items())
    assert phase.method.training is False
    assert phase.method.micm.training is True


def test_without_freezing_stage_two_changes_stage_ones_weights():
    before, phase = stage_two(freeze=False)
    train_briefly(phase)
    after = phase.method.state_dict()
    changed = [name for name, value in before.items() if not torch.equal(after[name], value)]
    assert {name.split(".")[0] for name in changed} >= {"encoder", "ngmm", "camn", "decoder"}


def test_without_micm_stage_two_keeps_stage_ones_network():
    first = PoMAI.start_phase("stage_one", TINY, PoMAIStageOnePhaseConfig(**SCHEDULE), None)
    settings = PoMAIStageTwoPhaseConfig(**(SCHEDULE | {"epochs": 0}), micm=None)
    phase = PoMAI.start_phase("stage_two", TINY, settings, first.method)
    before, after = first.method.state_dict(), phase.method.state_dict()
    assert phase.method.micm is None
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def tuning(**settings):
    """A trained two-stage network's state, and the tuning phase that starts from it."""
    _, second = stage_two()
    before = {name: value.clone() for name, value in second.method.state_dict().items()}
    phase = PoMAI.start_phase(
        "tuning", TINY, PoMAITuningPhaseConfig(**SCHEDULE, **settings), second.method
    )
    return before, phase


def test_tuning_starts_from_the_network_before_and_trains_decoder_and_micm_alone():
    before, phase = tuning()
    assert toys.changed(before, phase.method) == set()
    train_briefly(phase)
    changed = toys.changed(before, phase.method)
    assert {name.split(".")[0] for name in changed} == {"decoder", "micm"}
    assert phase.method.ngmm.training is False  # its rotation is that of inference
    assert phase.method.config.micm == MICMConfig()


def test_tuning_without_freezing_trains_everything():
    before, phase = tuning(freeze=False)
    train_briefly(phase)
    changed = {name.split(".")[0] for name in toys.changed(before, phase.method)}
    assert changed >= {"encoder", "ngmm", "camn", "micm", "decoder"}


def test_tuning_has_a_loss_of_its_own():
    loss = FusionLossConfig(fidelity=3.0, gradient=0.0)
    settings = PoMAITuningPhaseConfig(**(SCHEDULE | {"crop": 48}), loss=loss)
    _, second = stage_two()
    phase = PoMAI.start_phase("tuning", TINY, settings, second.method)
    losses = phase(toys.smooth_batch(side=48))
    weights = {"ssim": 5.0, "mse": 1.0, "intensity": 1.0, "fidelity": 3.0}
    total = sum(weight * losses[name].item() for name, weight in weights.items())
    assert losses["loss"].item() == pytest.approx(total, rel=1e-5)
    assert phase.method.config == second.method.config  # stages one and two were trained with it


@pytest.mark.slow
def test_tuning_learns_vif():
    """Trained for fidelity alone, the network keeps more of both sources."""
    loss = FusionLossConfig(ssim=0, mse=0, intensity=0, gradient=0, fidelity=1.0)
    settings = PoMAITuningPhaseConfig(**(SCHEDULE | {"crop": 48}), loss=loss)
    _, second = stage_two()
    phase = PoMAI.start_phase("tuning", TINY, settings, second.method)
    losses = toys.train_briefly(phase, steps=20, batch=toys.smooth_batch(side=48))
    assert losses[-1] < 0.9 * losses[0]


def test_tuning_needs_weights_to_start_from():
    with pytest.raises(ValueError, match="tuning of pomai starts from the weights"):
        PoMAI.start_phase("tuning", TINY, PoMAITuningPhaseConfig(**SCHEDULE), None)


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (PoMAIConfig, {"channels": 64, "heads": 7}, r"channels \(64\) must be a multiple of heads"),
        (PoMAIConfig, {"stem": "rgb"}, "'separate' or 'luminance'"),
        (PoMAIStageTwoPhaseConfig, SCHEDULE | {"micm": None}, "nothing to train"),
        (PoMAIStageTwoPhaseConfig, SCHEDULE | {"epochs": -1}, "greater than or equal to 0"),
        (FusionLossConfig, {"fidelity": -1.0}, "greater than or equal to 0"),
        (
            PoMAITuningPhaseConfig,
            SCHEDULE | {"crop": 40, "loss": {"fidelity": 1.0}},
            "loss.fidelity needs crops of 41 pixels or more, not 40",
        ),
    ],
)
def test_impossible_settings_are_refused(model, values, message):
    with pytest.raises(ValidationError, match=message):
        model(**values)
