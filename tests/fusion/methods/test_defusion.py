import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from fusion.images.color import luminance
from fusion.methods.defusion.config import DeFusionConfig, DeFusionDecompositionPhaseConfig
from fusion.methods.defusion.method import DeFusion
from fusion.methods.defusion.phases import (
    LossSchedule,
    change_colors,
    hide,
    loss_schedule,
    random_images,
)
from fusion.methods.defusion.published import convert, names
from fusion.methods.files import load_model, save_model
from tests.fusion.methods.published import (
    committed,
    grid_of,
    needs_reference,
    noise_inputs,
    noise_rule,
    published_shapes,
    rgb,
    stored,
)
from tests.fusion.toys import (
    SCHEDULE,
    changed,
    pair,
    parameters,
    smooth_batch,
    state,
    train_briefly,
)

VARIANTS = {
    "A": ("common2222", DeFusionConfig()),
    "B": ("common4466", DeFusionConfig(common_blocks=[4, 4, 6, 6])),
    "C": ("common4466_noskip", DeFusionConfig(common_blocks=[4, 4, 6, 6], common_skips=False)),
}
PARAMETERS = {"A": 7_874_473, "B": 8_043_817, "C": 7_879_977}
SIZES = [(64, 64), (45, 58)]
TINY = DeFusionConfig(
    width=4,
    encoder_blocks=[1, 1, 1, 1],
    ensemble_blocks=1,
    common_blocks=[1, 1, 1, 1],
    unique_blocks=[1, 1, 1, 1],
)


def start(**settings):
    torch.manual_seed(0)
    config = DeFusionDecompositionPhaseConfig(**(SCHEDULE | settings))
    return DeFusion.start_phase("decomposition", TINY, config, None)


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return DeFusion(TINY).eval()


@pytest.fixture(scope="module", params=VARIANTS)
def filled(request):
    """Its variant and the network, filled from a file as the authors save it."""
    with torch.device("meta"):
        network = DeFusion(VARIANTS[request.param][1])
        shapes = published_shapes(network, names(network))
    entries = noise_rule(shapes, 0.6) | {"fusion_rule.0.bias": torch.ones(3)}
    checkpoint = {f"state_dict.{name}": value for name, value in entries.items()}
    checkpoint["state_dict.encoder_lower.0.bias"] = entries["encoder_upper.0.bias"]
    converted = convert(checkpoint)
    network = DeFusion(converted.config).eval()
    network.load_state_dict(converted.weights)
    return request.param, converted, network


@torch.inference_mode()
def drawn(network, size):
    infrared, visible = noise_inputs(*size)
    return network.fuse(network.decompose(rgb(infrared), rgb(visible)))


@pytest.mark.slow
def test_variants_are_recognized_from_their_weights(filled):
    variant, converted, network = filled
    assert converted.variant == variant
    assert converted.config == VARIANTS[variant][1]
    assert parameters(network) == PARAMETERS[variant]


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_network_draws_what_the_authors_does(filled, size):
    variant, _, network = filled
    image = drawn(network, size).mean(1, keepdim=True)
    expected = committed("defusion")["output_{}_{}x{}".format(VARIANTS[variant][0], *size)]
    np.testing.assert_allclose(grid_of(image), expected, atol=1e-5)


@needs_reference
@pytest.mark.parametrize("size", SIZES)
def test_network_draws_every_stored_pixel(filled, size):
    variant, _, network = filled
    expected = stored("defusion")["output_{}_{}x{}".format(VARIANTS[variant][0], *size)]
    torch.testing.assert_close(drawn(network, size), expected, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_luminance_is_fused_inside_a_reflected_border(tiny):
    infrared, visible = pair(20, 29, batch=2)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    gray = (weights * visible).sum(1, keepdim=True)
    images = [rgb(F.pad(image, (16, 16, 16, 16), mode="reflect")) for image in (infrared, gray)]
    planes = tiny.fuse(tiny.decompose(*images)).clamp(0, 1)[..., 16:36, 16:45]
    expected = (weights * planes).sum(1, keepdim=True)
    torch.testing.assert_close(tiny(infrared, visible), expected)


@torch.inference_mode()
def test_smallest_images_are_fused(tiny):
    assert tiny(*pair(16, 16)).shape == (1, 1, 16, 16)


@torch.inference_mode()
def test_images_of_a_batch_do_not_see_each_other(tiny):
    infrared, visible = pair(24, 32, batch=3)
    together = tiny(infrared, visible)
    for i in range(3):
        alone = tiny(infrared[i : i + 1], visible[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)


def test_initial_weights_keep_the_scale_of_gradients():
    """N(0, 2 / (k² · outputs)), whatever the groups."""
    torch.manual_seed(0)
    config = TINY.model_copy(update={"width": 8})
    convolution = DeFusion(config).unique.stages[0][0].split.conv
    assert convolution.weight.shape == (192, 48, 3, 3)
    assert convolution.weight.std().item() == pytest.approx((2 / (9 * 192)) ** 0.5, rel=0.02)


def test_nothing_is_hidden_in_both_views():
    torch.manual_seed(0)
    images = torch.rand(8, 3, 60, 44)
    hidden = hide(images)
    shown = hidden.common + hidden.first_only + hidden.second_only
    torch.testing.assert_close(shown, torch.ones(8, 1, 60, 44), rtol=0, atol=0)
    for view, alone in ((hidden.first, hidden.first_only), (hidden.second, hidden.second_only)):
        mask = hidden.common + alone
        assert 0 < mask.mean() < 1
        torch.testing.assert_close(mask * view, mask * images)
        noise = view[(mask == 0).expand_as(view)]
        # |N(0, 1)| clipped at 1: its mean is the truncated half normal's plus the clipped share
        assert noise.mean().item() == pytest.approx(0.631, abs=0.01)
        assert ((noise >= 0) & (noise <= 1)).all()


def test_hidden_parts_are_blocks():
    torch.manual_seed(0)
    mask = hide(torch.rand(1, 3, 40, 60)).common
    cells = mask.unflatten(3, (-1, 10)).unflatten(2, (-1, 10))  # B × 1 × 4 × 10 × 6 × 10
    assert torch.equal(cells.amin((3, 5)), cells.amax((3, 5)))


def test_both_modalities_are_shown_and_colors_only_lose():
    torch.manual_seed(0)
    batch = smooth_batch(batch=32)
    images = random_images(batch)
    of_infrared = (images == batch.infrared).flatten(1).all(1)
    of_visible = (images == batch.visible).flatten(1).all(1)
    assert (of_infrared ^ of_visible).all()
    assert 0 < of_infrared.sum() < 32
    faded = change_colors(images)
    assert faded.min() >= 0
    assert faded.amax() <= 1
    assert (faded.flatten(1).std(1) < images.flatten(1).std(1)).all()
    darkened = luminance(faded).mean((1, 2, 3)) / luminance(images).mean((1, 2, 3))
    assert ((darkened >= 0.1) & (darkened < 1)).all()


@pytest.mark.parametrize(
    ("update", "leak", "fused"),
    [
        (0, 0, 0),
        (2999, 0, 0),
        (3000, 0.15 * (3 / 7) ** 2, 0),
        (7000, 0.15, 0),
        (16_999, 0.15, 0),
        (17_000, 0.15, 0.25),
        (24_000, 0.15, 1),
        (40_001, 0.015, 1),
        (637_500, 0.015, 1),
    ],
)
def test_loss_follows_the_published_schedule(update, leak, fused):
    schedule = loss_schedule(torch.tensor(float(update)))
    assert schedule.leak.item() == pytest.approx(leak, abs=1e-7)
    assert schedule.fused.item() == pytest.approx(fused, abs=1e-7)


def test_updates_are_counted_and_scaled_to_the_planned_ones():
    phase = start(schedule_updates=6375)
    schedules = []
    losses = phase.losses
    phase.losses = lambda *args: (schedules.append(args[2]), losses(*args))[1]
    phase.updates += 239
    train_briefly(phase, steps=2)
    assert int(phase.updates) == 241
    wanted = [loss_schedule(torch.tensor(update)) for update in (23_900.0, 24_000.0)]
    torch.testing.assert_close(torch.tensor(schedules), torch.tensor(wanted))


def test_loss_is_its_equation():
    phase = start()
    torch.manual_seed(1)
    images = torch.rand(2, 3, 32, 32)
    hidden = hide(images)
    losses = phase.losses(images, hidden, LossSchedule(torch.tensor(0.3), torch.tensor(0.7)))
    network = phase.method
    parts = network.decompose(hidden.first, hidden.second)
    predictions = {
        "common": (network.to_common(parts.common), hidden.common),
        "first": (network.to_unique(parts.first), hidden.first_only),
        "second": (network.to_unique(parts.second), hidden.second_only),
    }
    expected = {}
    for name, (prediction, mask) in predictions.items():
        softened = 0.3 * prediction + 0.7 * mask * prediction
        expected[name] = (softened - mask * images).abs().mean()
    whole = (network.to_fused(sum(parts)) - images).abs().mean()
    torch.testing.assert_close(losses["unique"], expected["first"] + expected["second"])
    torch.testing.assert_close(losses["loss"], sum(expected.values()) + 0.7 * whole)


@pytest.mark.slow
def test_one_batch_is_learned_and_the_network_is_saved(tmp_path):
    phase = start(schedule_updates=1)
    before = state(phase.method)
    batch = smooth_batch()

    def fixed(_):
        torch.manual_seed(3)
        images = random_images(batch)
        return phase.losses(images, hide(images), LossSchedule(torch.tensor(0.1), torch.tensor(1)))

    phase.forward = fixed
    losses = train_briefly(phase, steps=80, rate=1e-3, batch=batch)
    assert losses[-1] < 0.5 * losses[0]
    for part in ("encoder", "ensemble", "common", "unique", "to_common", "to_unique", "to_fused"):
        assert any(name.startswith(part) for name in changed(before, phase.method)), part
    save_model(tmp_path, "defusion", phase.method, {})
    assert not changed(state(phase.method), load_model(tmp_path))


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (DeFusionConfig, {"width": 6}, "multiple of 4"),
        (DeFusionConfig, {"common_blocks": [2, 2]}, "at least 4"),
        (
            DeFusionDecompositionPhaseConfig,
            SCHEDULE | {"schedule_updates": 0},
            "greater than or equal to 1",
        ),
    ],
)
def test_impossible_settings_are_refused(model, values, message):
    with pytest.raises(ValidationError, match=message):
        model(**values)
