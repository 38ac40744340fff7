"""EMMA's guards against stripes: what they measure, and when they stop a run."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from fusion.blocks.skip import DARKEST, skip_logit
from fusion.core.config import RuntimeConfig
from fusion.core.processes import launch
from fusion.images.color import luminance
from fusion.methods.base import Batch
from fusion.methods.emma.config import EMMAFusionPhaseConfig
from fusion.methods.emma.method import EMMA
from fusion.methods.emma.periodic import excess, periodic_energy
from fusion.methods.emma.phases import noisy
from fusion.methods.emma.tone import ToneCurves
from fusion.methods.emma.ufuser import binomial
from fusion.training.faults import TrainingError
from fusion.training.loop import train_phase
from fusion.training.sampler import load_pairs
from tests.fusion.methods.test_emma import (
    FUSION,
    SENSING,
    TINY,
    fusion_phase,
    pairs,
    sensing_phase,
)
from tests.fusion.toys import pair, randomized, smooth_batch, train_briefly

# five pairs, so an epoch is one update
ONE_UPDATE = {"epochs": 8, "batch_size": 5, "crop": 16}


@pytest.mark.parametrize("period", [2, 4])
def test_energy_is_one_line_of_the_fourier_transform(period):
    images = torch.rand(3, 2, 13, 22, generator=torch.Generator().manual_seed(0))
    planes = images.numpy().astype(np.float64)
    expected = 0
    for axis in (2, 3):
        length = planes.shape[axis] // period * period
        spectrum = np.fft.fft(planes.take(range(length), axis), axis=axis) / length
        line = np.abs(spectrum.take(length // period, axis)) ** 2
        expected = expected + line.reshape(3, -1).mean(1)
    torch.testing.assert_close(periodic_energy(images, period).double(), torch.tensor(expected))


def test_energy_of_stripes_is_their_squared_amplitude_and_that_of_a_plane_is_zero():
    column = torch.arange(16)
    stripes = 0.5 + 0.1 * (-1.0) ** column.expand(1, 1, 12, 16)
    assert periodic_energy(stripes, 2).item() == pytest.approx(0.01)
    assert periodic_energy(stripes.mT, 2).item() == pytest.approx(0.01)
    assert periodic_energy(stripes, 4).item() == pytest.approx(0, abs=1e-12)
    wave = 0.5 + 0.1 * torch.cos(math.pi / 2 * column).expand(1, 1, 12, 16)
    assert periodic_energy(wave, 4).item() == pytest.approx(0.0025)
    assert periodic_energy(torch.full((1, 1, 12, 16), 0.7), 4).item() == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match="period 3"):
        periodic_energy(wave, 3)


def test_excess_compares_with_the_more_patterned_source():
    flat, stripes = torch.full((1, 1, 8, 8), 0.5), 0.5 + 0.1 * (-1.0) ** torch.arange(8.0)
    stripes = stripes.expand(1, 1, 8, 8)
    doubled = 2 * stripes - 0.5
    assert excess(doubled, (flat, stripes), 2).item() == pytest.approx(4)
    assert excess(stripes, (doubled, flat), 2).item() == pytest.approx(1 / 4)


def test_the_binomial_filter_is_121_along_both_sides_and_removes_period_2():
    images = torch.rand(2, 1, 9, 14, generator=torch.Generator().manual_seed(0))
    expected = images.numpy()
    for axis in (2, 3):
        expected = ndimage.correlate1d(expected, [0.25, 0.5, 0.25], axis, mode="mirror")
    np.testing.assert_allclose(binomial(images).numpy(), expected, atol=1e-6)
    columns = (-1.0) ** torch.arange(14).expand(1, 1, 9, 14)
    assert binomial(columns).abs().max() < 1e-7
    assert binomial(columns.mT).abs().max() < 1e-7


def test_with_blur_nothing_the_fuser_draws_alternates_from_pixel_to_pixel():
    """Whatever its weights, in the logit that is added to the skip's."""
    infrared, visible = pair(24, 40)
    added = {}
    for blur in (False, True):
        network = randomized(EMMA(TINY.model_copy(update={"skip": "brighter", "blur": blur})), 0.1)
        skipped = skip_logit("brighter", infrared, luminance(visible))
        added[blur] = torch.logit(network(infrared, visible)) - skipped
    energies = {blur: periodic_energy(drawn, 2).item() for blur, drawn in added.items()}
    assert energies[True] < 1e-2 * energies[False]
    torch.testing.assert_close(added[True], binomial(added[False]), atol=1e-4, rtol=1e-3)


def test_a_tone_curve_is_the_mean_source_at_every_gray_level_of_all_crops_so_far():
    generator = torch.Generator().manual_seed(0)
    curves, seen = ToneCurves(), []
    for _ in range(3):
        fused = torch.randint(0, 5, (4, 2, 6, 7), generator=generator) / 255
        sources = torch.rand(2, 4, 1, 6, 7, generator=generator).unbind()
        weight = torch.tensor([1.0, 0.0, 1.0, 1.0])
        seen.append((fused[weight > 0], [source[weight > 0] for source in sources]))
        found = curves(fused, sources, weight)
        for number in range(2):
            levels = torch.cat([images.flatten() for images, _ in seen]).double()
            values = torch.cat([s[number].expand_as(i).flatten() for i, s in seen]).double()
            squares = 0.0
            for level in levels.unique():
                own = values[levels == level]
                squares += (own - own.mean()).square().sum().item()
            assert found[number].item() == pytest.approx(squares / len(values), rel=1e-4)


def test_a_tone_curve_of_no_crop_has_no_error():
    images = torch.rand(2, 1, 8, 8)
    assert ToneCurves()(images, (images, images), torch.zeros(2)).tolist() == [0, 0]


def test_phase_sensing_logs_its_error_beside_the_tone_curves():
    phase = sensing_phase()
    batch = pairs()
    losses = phase(batch)
    assert losses["sensing_mse"].item() == pytest.approx(losses["loss"].item() / 2)
    assert not losses["sensing_mse"].requires_grad
    sources = batch.infrared, luminance(batch.visible)
    expected = ToneCurves()(batch.fused, sources, torch.ones(2)).mean()
    torch.testing.assert_close(losses["tone_curve_mse"], expected)


def test_a_run_that_resumes_goes_on_with_the_tone_curves_but_the_saved_method_has_none():
    phase = sensing_phase()
    phase(pairs())
    resumed = sensing_phase()
    resumed.load_state_dict(phase.state_dict())
    batch = pairs(32, 48)
    torch.testing.assert_close(resumed(batch)["tone_curve_mse"], phase(batch)["tone_curve_mse"])
    assert not any("tone" in name for name in phase.method.state_dict())


def test_sensors_see_noise_of_the_given_deviation_and_none_is_drawn_for_zero():
    images = torch.full((2, 1, 64, 64), 0.5)
    torch.manual_seed(0)
    added = noisy(images, 0.1) - images
    assert added.std().item() == pytest.approx(0.1, rel=0.05)
    assert added.mean().item() == pytest.approx(0, abs=0.01)
    torch.manual_seed(0)
    assert torch.equal(noisy(images, 0.0), images)
    drawn = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(3), drawn)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sensing", "fusion"])
def test_noise_reaches_the_sensors_of_both_phases(name):
    def terms(noise):
        if name == "sensing":
            phase = sensing_phase(noise=noise)
        else:
            phase = fusion_phase(FUSION.model_copy(update={"noise": noise}))
        seen = []
        network = phase.method.sensing if name == "sensing" else phase.sensing
        network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
        torch.manual_seed(3)
        phase(pairs())
        return seen[0]

    difference = terms(0.1) - terms(0.0)
    assert difference.std().item() == pytest.approx(0.1, rel=0.1)


def test_phase_fusion_logs_how_far_the_fuser_is_from_black_and_white():
    phase = fusion_phase()
    batch = pairs()
    losses = phase(batch)
    fused = phase.method(batch.infrared, batch.visible).detach()
    logits = torch.log(fused / (1 - fused)).abs()
    assert losses["max_logit"].item() == pytest.approx(logits.max().item(), rel=1e-4)
    assert losses["saturated"] == 0
    sources = batch.infrared, luminance(batch.visible)
    for period in (2, 4):
        expected = excess(fused, sources, period)
        torch.testing.assert_close(losses[f"period_{period}"], expected)
    assert not any(losses[name].requires_grad for name in ("max_logit", "saturated", "period_2"))


def test_a_fuser_that_draws_black_and_white_only_stops_with_a_remedy():
    phase = fusion_phase()
    sound = {name: value.item() for name, value in phase(pairs()).items()}
    assert phase.fault(sound) is None
    with torch.no_grad():
        phase.method.fuser.decoder.head.bias.fill_(-50)
    means = {name: value.item() for name, value in phase(pairs()).items()}
    assert means["max_logit"] == pytest.approx(13.8, abs=0.1)
    assert means["saturated"] == 1
    fault = phase.fault(means)
    assert fault is not None
    assert "100% of the fused pixels are black or white" in fault.reason
    assert "lower learning_rate" in fault.remedy


def textured_batch():
    """Smooth sources with a little noise, so that they have energy at every period."""
    smooth, generator = smooth_batch(), torch.Generator().manual_seed(1)

    def grained(images):
        return (images + 0.02 * torch.randn(images.shape, generator=generator)).clamp(0, 1)

    infrared, visible = grained(smooth.infrared), grained(smooth.visible)
    brighter = torch.maximum(infrared, luminance(visible))
    return Batch(infrared, visible, torch.cat([brighter, brighter.square()], dim=1))


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "blur"), [(0, True), (1, True), (2, True), (0, False)])
def test_with_a_skip_training_starts_from_the_brighter_source_and_draws_no_stripes(seed, blur):
    config = TINY.model_copy(update={"skip": "brighter", "blur": blur})
    batch = textured_batch()
    sources = batch.infrared, luminance(batch.visible)
    torch.manual_seed(seed)
    sensing = EMMA.start_phase("sensing", config, SENSING.model_copy(update={"noise": 0.05}), None)
    train_briefly(sensing, 20, 1e-3, batch)
    settings = FUSION.model_copy(update={"noise": 0.05})
    phase = EMMA.start_phase("fusion", config, settings, sensing.method.eval())
    skipped = torch.maximum(*sources).clamp(DARKEST, 1 - DARKEST)
    torch.testing.assert_close(phase.method(batch.infrared, batch.visible), skipped)
    train_briefly(phase, 20, 5e-4, batch)
    fused = phase.method(batch.infrared, batch.visible).detach()
    assert not torch.allclose(fused, skipped, atol=0.01), "nothing was learned"
    for period in (2, 4):
        assert 0.3 < excess(fused, sources, period) < 1.1


@pytest.mark.slow
def test_a_rate_that_saturates_the_fuser_stops_training_and_a_lower_one_goes_through(
    pair_folder, tmp_path
):
    sensors = sensing_phase().method.eval()
    store = load_pairs([pair_folder()], 16)
    runtime = RuntimeConfig(accelerator="cpu")

    def train(**changes):
        values = ONE_UPDATE | {"shifts": 1, "rotations": 0} | changes
        settings = EMMAFusionPhaseConfig(**values)
        torch.manual_seed(0)
        phase = EMMA.start_phase("fusion", TINY, settings, sensors)
        fabric = launch(runtime)
        return train_phase(
            fabric, phase, store, settings, runtime=runtime, seed=0, checkpoints=tmp_path
        )

    with pytest.raises(TrainingError, match=r"\d+% of the fused pixels are black or white at step"):
        train(learning_rate=0.1)
    report = train(learning_rate=5e-4, warm_up_updates=4)
    assert (report.updates, report.resumed_from) == (8, 0)
