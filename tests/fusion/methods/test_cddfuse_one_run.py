"""CDDFuse trained in one run, against the authors' loop of four optimizers written out here."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import StepLR

from fusion.core.config import RuntimeConfig
from fusion.core.processes import launch
from fusion.methods.cddfuse.config import (
    CDDFuseFusionLossConfig,
    CDDFuseOneRunPhaseConfig,
    CDDFuseReconstructionLossConfig,
)
from fusion.methods.cddfuse.loss import FusionLoss, ReconstructionLoss
from fusion.methods.cddfuse.method import CDDFuse
from fusion.methods.cddfuse.phases import CDDFuseOneRunPhase
from fusion.training.faults import TrainingError, require_all_at_once
from fusion.training.loop import learning_rate, train_phase
from fusion.training.sampler import CropSampler, load_pairs, step_seed
from tests.fusion.methods.test_cddfuse import FUSION_LAYERS, TINY
from tests.fusion.toys import changed, state

EPOCHS, RECONSTRUCTION = 6, 3
UPDATES = 2
"""Of an epoch: 5 pairs in batches of 3."""

SETTINGS = {
    "epochs": EPOCHS,
    "reconstruction_epochs": RECONSTRUCTION,
    "batch_size": 3,
    "crop": 16,
    "learning_rate": 1e-2,
    "decay": 0.5,
    "decay_epochs": 2,
    "lowest_learning_rate": 4e-3,
    "gradient_clip": 0.01,
}
RUNTIME = RuntimeConfig(accelerator="cpu", channels_last=False, checkpoint_seconds=0.0)


def one_run(**changes):
    torch.manual_seed(0)
    settings = CDDFuseOneRunPhaseConfig(**(SETTINGS | changes))
    return CDDFuse.start_phase("one_run", TINY, settings, None), settings


def train(phase, settings, folder, checkpoints, fabric=None, on_epoch=lambda _: None):
    return train_phase(
        fabric or launch(RUNTIME),
        phase,
        load_pairs([folder], 16),
        settings,
        runtime=RUNTIME,
        seed=0,
        checkpoints=checkpoints,
        on_epoch=on_epoch,
    )


def trained(folder, checkpoints, on_epoch=lambda _: None, stop=None):
    """Train; die in update `stop`."""
    phase, settings = one_run()
    if stop is not None:
        calls = iter(range(stop))

        def mortal(batch):
            if next(calls, None) is None:
                raise KeyboardInterrupt
            return CDDFuseOneRunPhase.forward(phase, batch)

        phase.forward = mortal
    report = train(phase, settings, folder, checkpoints, on_epoch=on_epoch)
    return phase.method, report


@pytest.fixture(scope="module")
def folder(pair_folder):
    return pair_folder(5)


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """The network of a run that never stopped."""
    return trained(folder, tmp_path_factory.mktemp("whole"))[0]


def test_it_trains_as_the_authors_loop_of_four_optimizers(folder, tmp_path):
    means = []
    weights = trained(folder, tmp_path, means.append)[0].state_dict()
    network = one_run()[0].method
    modules = [getattr(network, n) for n in ("encoder", "decoder", "base_fusion", "detail_fusion")]
    optimizers = [torch.optim.Adam(module.parameters(), lr=1e-2) for module in modules]
    schedulers = [StepLR(optimizer, 2, 0.5) for optimizer in optimizers]
    sampler = CropSampler(load_pairs([folder], 16), 3, 16, seed=0)
    losses = (
        ReconstructionLoss(CDDFuseReconstructionLossConfig()),
        FusionLoss(CDDFuseFusionLossConfig(), "constant"),
    )
    for epoch in range(EPOCHS):
        fuses = epoch >= RECONSTRUCTION
        active = range(4 if fuses else 2)
        seen = []
        for step in range(epoch * UPDATES, (epoch + 1) * UPDATES):
            for optimizer in optimizers:
                optimizer.zero_grad()
            torch.manual_seed(step_seed(0, step))
            values = losses[fuses](network, sampler.batch(step, torch.device("cpu")))
            values["loss"].backward()
            for number in active:
                clip_grad_norm_(modules[number].parameters(), 0.01)
                optimizers[number].step()
            seen.append(values["loss"].item())
        for number in active:
            schedulers[number].step()
            for group in optimizers[number].param_groups:
                group["lr"] = max(group["lr"], 4e-3)
        assert means[epoch]["loss"] == pytest.approx(np.mean(seen), rel=1e-4)
        assert ("fusion_intensity" in means[epoch]) == fuses
        assert ("reconstruction_ssim" in means[epoch]) != fuses
    for name, value in network.state_dict().items():
        torch.testing.assert_close(weights[name], value, atol=1e-5, rtol=1e-3)


def test_the_fusion_layers_wait_bit_identical_and_start_at_the_full_rate(folder, tmp_path):
    """Adam's first update is the rate in size, whatever the gradient."""
    before = state(one_run()[0].method)
    trained(folder, tmp_path)
    assert len(list(tmp_path.glob("*-step-*"))) == 2, "older checkpoints are removed"
    moved = {}
    for stop in (RECONSTRUCTION * UPDATES, RECONSTRUCTION * UPDATES + 1):
        with pytest.raises(KeyboardInterrupt):
            trained(folder, tmp_path / str(stop), stop=stop)
        newest = max((tmp_path / str(stop)).glob("*-step-*"))
        weights = load_file(newest / "weights.safetensors")
        for part in FUSION_LAYERS:
            names = [name for name in before if name.startswith(part)]
            changes = [(weights[f"method.{n}"] - before[n]).abs().max().item() for n in names]
            moved.setdefault(stop, []).append(max(changes))
    waiting, started = moved.values()
    assert waiting == [0, 0]
    assert started == pytest.approx([1e-2, 1e-2], rel=1e-2)


@pytest.mark.parametrize("stop", [3, RECONSTRUCTION * UPDATES, 9])
def test_a_run_that_stops_in_either_part_ends_like_one_that_never_stopped(
    folder, whole, tmp_path, stop
):
    with pytest.raises(KeyboardInterrupt):
        trained(folder, tmp_path, stop=stop)
    resumed, report = trained(folder, tmp_path)
    assert (report.resumed_from, report.updates) == (stop, EPOCHS * UPDATES)
    assert not changed(state(whole), resumed)


def test_weights_that_have_not_started_stay_even_if_the_loss_depends_on_them(folder, tmp_path):
    class Eager(CDDFuseOneRunPhase):
        def set_epoch(self, epoch):
            self.fuses = True

    phase, settings = one_run()
    phase.__class__ = Eager
    before = state(phase.method)
    shorter = settings.model_copy(update={"epochs": RECONSTRUCTION})
    train(phase, shorter, folder, tmp_path)
    waiting = {name for name in before if name.startswith(FUSION_LAYERS)}
    assert changed(before, phase.method) == before.keys() - waiting


def test_every_trained_weight_must_be_in_a_group(folder, tmp_path):
    phase, settings = one_run()
    phase.groups = lambda: CDDFuseOneRunPhase.groups(phase)[1:]
    with pytest.raises(ValueError, match="must have every parameter that requires a gradient once"):
        train(phase, settings, folder, tmp_path)


def test_fusion_pads_edges_with_zeros_and_reconstruction_by_replication():
    phase, _ = one_run()
    flat = torch.full((1, 1, 16, 16), 0.6)
    edges = phase.fusion.gradient(flat)
    assert edges[..., 1:-1, 1:-1].abs().max() < 1e-6
    assert edges[..., 0, 5].item() == pytest.approx(4 * 0.6, rel=1e-5)
    assert phase.reconstruction.gradient(flat).abs().max() < 1e-6


def test_several_processes_are_refused_before_anything_is_trained(folder, tmp_path):
    phase, settings = one_run(batch_size=4)
    with pytest.raises(TrainingError, match=r"several processes cannot do; train it on one device"):
        train(phase, settings, folder, tmp_path, fabric=SimpleNamespace(world_size=2))
    require_all_at_once(SimpleNamespace(world_size=2), one_run(reconstruction_epochs=0)[0])


def test_a_run_that_would_never_fuse_is_refused():
    with pytest.raises(ValidationError, match=r"reconstruction_epochs \(6\) must be below epochs"):
        CDDFuseOneRunPhaseConfig(**(SETTINGS | {"reconstruction_epochs": 6}))
    CDDFuseOneRunPhaseConfig(**(SETTINGS | {"epochs": 0}))


def test_a_floor_above_the_rate_is_refused():
    with pytest.raises(ValidationError, match=r"lowest_learning_rate \(0.004\) is above learning_"):
        CDDFuseOneRunPhaseConfig(**(SETTINGS | {"learning_rate": 1e-3}))


def test_rates_fall_from_where_a_group_starts_to_the_floor_or_along_the_whole_cosine():
    settings = CDDFuseOneRunPhaseConfig(**SETTINGS)
    rates = [learning_rate(settings, step, UPDATES) for step in range(0, 12, UPDATES)]
    np.testing.assert_allclose(rates, [1e-2, 1e-2, 5e-3, 5e-3, 4e-3, 4e-3])
    rates = [learning_rate(settings, step, UPDATES, 3) for step in range(0, 12, UPDATES)]
    np.testing.assert_allclose(rates, [0, 0, 0, 1e-2, 1e-2, 5e-3])
    wave = settings.model_copy(update={"schedule": "cosine", "lowest_learning_rate": 0.0})
    rates = [learning_rate(wave, step, UPDATES, 4) for step in range(8, 12)]
    np.testing.assert_allclose(rates, [1e-2, 1e-2, 5e-3, 5e-3])
