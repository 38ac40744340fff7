"""One metric object over batches, sizes and processes equals plain means over the images."""

import math
import os
import socket

import pytest
import torch
from torch import distributed
from torchmetrics import MetricCollection

from fusion.metrics import compute
from fusion.metrics.collection import FusionMetrics

NAMES = ("SD", "MI", "VIF", "SSIM")
SIZES = [(44, 50), (44, 50), (30, 60), (50, 44), (41, 41)]


def images(index):
    generator = torch.Generator().manual_seed(index)
    return torch.randint(0, 256, (3, 1, 1, *SIZES[index]), generator=generator).float()


def means():
    values = [compute(*images(index), names=NAMES) for index in range(len(SIZES))]
    stacked = {name: torch.stack([value[name] for value in values]) for name in NAMES}
    return {name: column.nanmean().item() for name, column in stacked.items()}


def measure(folder, port, rank):
    """As one of two processes: every second image."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    distributed.init_process_group("gloo", rank=rank, world_size=2)
    metric = FusionMetrics(NAMES)
    for index in range(rank, len(SIZES), 2):
        metric.update(*images(index))
    result = {name: value.item() for name, value in metric.compute().items()}
    torch.save(result, folder / f"{rank}.pt")
    distributed.destroy_process_group()


def test_batches_of_any_size_add_up():
    metric = FusionMetrics(NAMES)
    metric.update(*(torch.cat(pair) for pair in zip(images(0), images(1), strict=True)))
    for index in range(2, len(SIZES)):
        metric.update(*images(index))
    assert {name: value.item() for name, value in metric.compute().items()} == pytest.approx(
        means(), rel=1e-6
    )


@pytest.mark.slow
def test_two_processes_reduce_to_what_one_measures(start_process, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    processes = [start_process(measure, tmp_path, port, rank) for rank in range(2)]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    for rank in range(2):
        assert torch.load(tmp_path / f"{rank}.pt", weights_only=True) == pytest.approx(means())


def test_a_metric_that_was_never_defined_is_nan_and_a_collection_can_hold_it():
    collection = MetricCollection([FusionMetrics(["SD", "VIF"])])
    collection.update(*images(2)[:, :, :, :20, :20])
    result = collection.compute()
    assert math.isnan(result["VIF"])
    assert math.isfinite(result["SD"])


def test_an_unknown_name_is_refused():
    with pytest.raises(KeyError, match="SDD"):
        FusionMetrics(["SDD"])
