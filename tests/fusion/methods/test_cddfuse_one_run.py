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
from fusion.methods.base import Batch
from fusion.methods.cddfuse.config import (
    CDDFuseFusionLossConfig,
    CDDFuseOneRunPhaseConfig,
    CDDFuseReconstructionLossConfig,
)
from fusion.methods.cddfuse.loss import FusionLoss, ReconstructionLoss
from fusion.methods.cddfuse.method import CDDFuse
from fusion.training.faults import TrainingError, require_all_at_once
from fusion.training.loop import learning_rate, train_phase
from fusion.training.sampler import CropSampler, load_pairs, step_seed
from tests.fusion.methods.test_cddfuse import TINY
from tests.fusion.toys import changed, smooth_batch, state

EPOCHS, RECONSTRUCTION, PAIRS = 6, 3, 5
SETTINGS = {
    "epochs": EPOCHS,
    "reconstruction_epochs": RECONSTRUCTION,
    "batch_size": PAIRS,  # so an epoch is one update
    "crop": 16,
    "learning_rate": 1e-2,
    "decay": 0.5,
    "decay_epochs": 2,
    "lowest_learning_rate": 4e-3,
    "gradient_clip": 0.01,
}
PARTS = ("encoder.", "base_fusion.", "detail_fusion.")
RUNTIME = RuntimeConfig(accelerator="cpu", channels_last=False, checkpoint_seconds=0.0)


def one_run(**changes):
    torch.manual_seed(0)
    settings = CDDFuseOneRunPhaseConfig(**(SETTINGS | changes))
    return CDDFuse.start_phase("one_run", TINY, settings, None), settings


def trained(folder, checkpoints, on_epoch=lambda _: None):
    phase, settings = one_run()
    store = load_pairs([folder], 16)
    report = train_phase(
        launch(RUNTIME),
        phase,
        store,
        settings,
        runtime=RUNTIME,
        seed=0,
        checkpoints=checkpoints,
        on_epoch=on_epoch,
    )
    return phase.method, report


@pytest.fixture(scope="module")
def folder(pair_folder):
    return pair_folder(PAIRS)


def test_it_trains_as_the_authors_loop_of_four_optimizers(folder, tmp_path):
    means = []
    weights = trained(folder, tmp_path, means.append)[0].state_dict()
    network = one_run()[0].method
    modules = [getattr(network, n) for n in ("encoder", "decoder", "base_fusion", "detail_fusion")]
    optimizers = [torch.optim.Adam(module.parameters(), lr=1e-2) for module in modules]
    schedulers = [StepLR(optimizer, 2, 0.5) for optimizer in optimizers]
    sampler = CropSampler(load_pairs([folder], 16), PAIRS, 16, seed=0)
    losses = (
        ReconstructionLoss(CDDFuseReconstructionLossConfig()),
        FusionLoss(CDDFuseFusionLossConfig(), "constant"),
    )
    for epoch in range(EPOCHS):
        fuses = epoch >= RECONSTRUCTION
        active = range(4 if fuses else 2)
        for optimizer in optimizers:
            optimizer.zero_grad()
        torch.manual_seed(step_seed(0, epoch))
        values = losses[fuses](network, sampler.batch(epoch, torch.device("cpu")))
        values["loss"].backward()
        for number in active:
            clip_grad_norm_(modules[number].parameters(), 0.01)
        for number in active:
            optimizers[number].step()
            schedulers[number].step()
            for group in optimizers[number].param_groups:
                group["lr"] = max(group["lr"], 4e-3)
        assert means[epoch]["loss"] == pytest.approx(values["loss"].item(), rel=1e-4)
        assert ("intensity" in means[epoch]) == fuses
    for name, value in network.state_dict().items():
        torch.testing.assert_close(weights[name], value, atol=1e-5, rtol=1e-3)


def test_the_fusion_layers_wait_bit_identical_and_start_at_the_full_rate(folder, tmp_path):
    """Adam's first update is the rate in size, whatever the gradient."""
    before = state(one_run()[0].method)
    largest = []

    def note(_):
        newest = max(tmp_path.glob("*-step-*"))
        weights = load_file(newest / "weights.safetensors")
        moved = {
            name: (weights[f"method.{name}"] - value).abs().max().item()
            for name, value in before.items()
        }
        largest.append([max(moved[n] for n in moved if n.startswith(p)) for p in PARTS])

    trained(folder, tmp_path, note)
    waiting = np.array(largest)[:, 1:]
    assert (waiting[:RECONSTRUCTION] == 0).all()
    np.testing.assert_allclose(waiting[RECONSTRUCTION], 1e-2, rtol=1e-2)
    assert largest[0][0] == pytest.approx(1e-2, rel=1e-2)


def test_a_run_that_stops_in_either_part_ends_like_one_that_never_stopped(folder, tmp_path):
    whole, _ = trained(folder, tmp_path / "whole")
    for stop in (2, 4):
        done = []

        def die_at(_, stop=stop, done=done):
            done.append(1)
            if len(done) == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            trained(folder, tmp_path / str(stop), die_at)
        resumed, report = trained(folder, tmp_path / str(stop))
        assert report.resumed_from == stop
        assert not changed(state(whole), resumed)


def test_fusion_pads_edges_with_zeros_and_reconstruction_by_replication():
    phase, _ = one_run()
    assert phase.fusion.gradient.border == "constant"
    assert phase.reconstruction.gradient.border == "replicate"
    batch = smooth_batch()
    plane = torch.full_like(batch.infrared, 0.6)
    flat = Batch(plane, plane.expand(-1, 3, -1, -1))
    edges = phase.fusion.gradient(flat.infrared)
    assert edges[..., 1:-1, 1:-1].abs().max() < 1e-6
    assert edges[..., 0, 5].min().item() == pytest.approx(4 * 0.6, rel=1e-5)


def test_several_processes_are_refused_before_they_wait_for_each_other():
    phase, _ = one_run()
    with pytest.raises(TrainingError, match=r"several processes cannot share; train it on one"):
        require_all_at_once(SimpleNamespace(world_size=2), phase)
    require_all_at_once(SimpleNamespace(world_size=1), phase)
    require_all_at_once(SimpleNamespace(world_size=2), one_run(reconstruction_epochs=0)[0])


def test_a_run_that_would_never_fuse_is_refused():
    with pytest.raises(ValidationError, match=r"reconstruction_epochs \(6\) must be below epochs"):
        CDDFuseOneRunPhaseConfig(**(SETTINGS | {"reconstruction_epochs": 6}))
    CDDFuseOneRunPhaseConfig(**(SETTINGS | {"epochs": 0}))


def test_the_rate_has_a_floor():
    settings = CDDFuseOneRunPhaseConfig(**SETTINGS)
    rates = [learning_rate(settings, step, 1) for step in range(EPOCHS)]
    np.testing.assert_allclose(rates, [1e-2, 1e-2, 5e-3, 5e-3, 4e-3, 4e-3])
