"""Two processes do what one does with the whole batch."""

import socket

import pytest
import torch
from safetensors.torch import load_file, save_file

from fusion.core.config import Config, RuntimeConfig
from fusion.core.processes import launch
from fusion.methods import PhaseConfig
from fusion.methods.base import FusionMethod, TrainingPhase
from fusion.methods.files import weights_of
from fusion.training.loop import train_phase
from fusion.training.sampler import load_pairs
from tests.torchrun import become_rank


class Blend(FusionMethod):
    """One convolution in double precision, so that only wrong sums differ, not their order."""

    def __init__(self):
        super().__init__(Config())
        self.conv = torch.nn.Conv2d(4, 1, 3, dtype=torch.float64)

    def forward(self, infrared, visible):
        return self.conv(torch.cat([infrared, visible], dim=1).double())


class BlendPhase(TrainingPhase):
    """Its loss is scaled at random, as PoMAI hashes at random: alike in all processes."""

    def __init__(self):
        super().__init__()
        self.method = Blend()

    def forward(self, batch):
        target = batch.infrared[..., 1:-1, 1:-1]
        error = self.method(batch.infrared, batch.visible) - target * torch.rand(())
        return {"loss": error.square().mean(), "bias": error.mean()}


def train(folder, results, devices=1, rank=0, port=0):
    """Train as one of the processes that torchrun starts; write what it ends with."""
    become_rank(devices, rank, port)
    runtime = RuntimeConfig(accelerator="cpu", devices=devices, checkpoint_seconds=0.0)
    fabric = launch(runtime)
    assert (fabric.global_rank, fabric.world_size) == (rank, devices)
    torch.manual_seed(rank)  # the first process's weights count
    phase, means = BlendPhase(), []
    train_phase(
        fabric,
        phase,
        load_pairs([folder], 16),
        PhaseConfig(epochs=3, batch_size=4, crop=16, learning_rate=1e-2),
        runtime=runtime,
        seed=5,
        checkpoints=results / f"checkpoints-{rank}",
        on_epoch=means.append,
    )
    losses = torch.tensor([[epoch["loss"], epoch["bias"]] for epoch in means])
    save_file(weights_of(phase) | {"losses": losses}, results / f"rank-{rank}.safetensors")


@pytest.fixture
def results(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.mark.slow
def test_two_processes_train_as_one(start_process, pair_folder, results):
    folder = pair_folder()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    processes = [
        start_process(train, folder, results / "one"),
        start_process(train, folder, results / "two", 2, 0, port),
        start_process(train, folder, results / "two", 2, 1, port),
    ]
    for process in processes:
        process.join()
        assert process.exitcode == 0

    alone = load_file(results / "one" / "rank-0.safetensors")
    first, second = (load_file(results / "two" / f"rank-{rank}.safetensors") for rank in (0, 1))
    for name, value in alone.items():
        torch.testing.assert_close(first[name], value, rtol=1e-6, atol=1e-7)
    assert all(torch.equal(first[name], second[name]) for name in first if name != "losses")
    assert len(first["losses"]) == 3
    assert len(second["losses"]) == 0, "only the first process reports"
    assert (results / "two" / "checkpoints-0").exists()
    assert not (results / "two" / "checkpoints-1").exists(), "only the first process writes"
