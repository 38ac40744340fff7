import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from fusion.images.decode import write_image
from fusion.inference import tiles
from fusion.inference.fuse import fuse_batch
from fusion.inference.tiles import (
    ALIGNMENT,
    SMALLEST_TILE,
    MemoryPlan,
    Tiling,
    bytes_per_pixel,
    fuse_in_tiles,
)
from fusion.methods.pomai.config import PoMAIConfig
from fusion.methods.pomai.method import PoMAI

CPU = torch.device("cpu")


class Blur(nn.Module):
    """Every pixel sees `reach` pixels around it."""

    def __init__(self, reach):
        super().__init__()
        self.reach = reach

    def forward(self, infrared, visible):
        mean = (infrared + visible.mean(1, keepdim=True)) / 2
        padded = F.pad(mean, [self.reach] * 4, mode="reflect")
        return F.avg_pool2d(padded, 2 * self.reach + 1, stride=1)


def pair(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.rand(1, 1, height, width, generator=generator),
        torch.rand(1, 3, height, width, generator=generator),
    )


@settings(deadline=None, max_examples=15)
@given(st.integers(16, 300), st.integers(16, 300), st.sampled_from([64, 96]))
def test_tiles_of_a_local_method_are_the_whole_image(height, width, side):
    """The receptive field fits into a quarter of the overlap, so there is nothing to see."""
    images = pair(height, width)
    whole, tiled = (
        fuse_in_tiles(Blur(8), *images, tiles) for tiles in (None, Tiling(side, overlap=32))
    )
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_a_receptive_field_beyond_the_overlap_leaves_a_trace():
    images = pair(200, 200)
    tiled = fuse_in_tiles(Blur(24), *images, Tiling(64, overlap=32))
    assert (tiled - Blur(24)(*images)).abs().max() > 1e-3


class Column(nn.Module):
    """Gives every tile another constant: what a seam would look like at its worst."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, infrared, visible):
        self.calls += 1
        return torch.full_like(infrared, self.calls % 2)


def test_tiles_that_disagree_are_joined_by_a_ramp_without_a_step():
    fused = fuse_in_tiles(Column(), *pair(64, 300), Tiling(96, overlap=32))
    assert {0.0, 1.0} <= set(fused[0, 0, 0].tolist())
    assert fused.diff(dim=-1).abs().max() <= 1 / 16 + 1e-6, "over half of 32 pixels"


@pytest.mark.slow
def test_what_tiling_changes_in_pomai_is_small():
    """Its attention is global: tiles see other statistics, so only nearly the same image."""
    torch.manual_seed(0)
    network = PoMAI(PoMAIConfig(channels=8, heads=2, blocks=1)).eval()
    infrared, visible = ((images * 255).to(torch.uint8) for images in pair(200, 260))
    with torch.inference_mode():
        whole, tiled = (
            fuse_batch(network, infrared, visible, stretched=False, tiles=tiles).int()
            for tiles in (None, Tiling(128, 64))
        )
    assert (whole - tiled).abs().float().mean() <= 2
    assert not torch.equal(whole, tiled)


def test_the_whole_image_is_taken_when_it_fits():
    assert MemoryPlan(1.0, 1000).tiling(1000, 1000) is None
    tiles = MemoryPlan(1.0, 1000).tiling(1000, 2000)
    assert tiles is not None
    assert (1000) * tiles.side**2 + 64 * 2_000_000 <= 2**30
    assert tiles.side % 16 == 0
    assert MemoryPlan(0.001, 1000).tiling(1000, 2000) == Tiling(SMALLEST_TILE)


def test_batches_shrink_to_the_ceiling():
    plan = MemoryPlan(1.0, 1000 - 64)
    assert plan.batch_size(2**30 // 1000 // 4, wanted=16) == 4
    assert plan.batch_size(100, wanted=16) == 16
    assert plan.batch_size(2**30, wanted=16) == 1


def test_the_ceiling_is_what_a_cuda_device_has_free(monkeypatch):
    """What torch keeps of freed tensors is free too."""
    known = {
        "mem_get_info": (2 * 2**30, 24 * 2**30),
        "memory_reserved": 3 * 2**30,
        "memory_allocated": 2**30,
    }
    for name, value in known.items():
        monkeypatch.setattr(torch.cuda, name, lambda _device, value=value: value)
    monkeypatch.setattr(tiles, "bytes_per_pixel", lambda *_: 1000.0)
    cuda = torch.device("cuda")
    assert tiles.plan_memory(10.0, Blur(1), cuda).gib == 4
    assert tiles.plan_memory(3.0, Blur(1), cuda).gib == 3
    assert tiles.plan_memory(10.0, Blur(1), CPU).gib == 10


def test_bytes_are_those_of_living_tensors():
    class Known(nn.Module):
        def forward(self, infrared, visible):
            first = torch.ones_like(visible)  # 12 bytes a pixel
            second = first + 1  # 12 more, then 24 without the first
            del first
            return torch.cat([second, second], 1).sum(1, keepdim=True)  # + 24, then + 4

    assert bytes_per_pixel(Known(), CPU) == 12 + 24 + 4
    wide, narrow = (
        bytes_per_pixel(PoMAI(PoMAIConfig(channels=channels, heads=2)).eval(), CPU)
        for channels in (32, 8)
    )
    assert 3 < wide / narrow < 5


LARGEST = """
import sys
from pathlib import Path
from fusion.core.memory import keep_freed_memory
keep_freed_memory()
import torch
from fusion import methods
from fusion.inference.tiles import plan_memory

def mib(kind):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1024

method = methods.get(sys.argv[1])
network = method(method.config_class()).eval().to(memory_format=torch.channels_last)
with torch.inference_mode():
    plan = plan_memory(1.0, network, torch.device("cpu"))
    before = mib("VmRSS")
    network(torch.rand(1, 1, 160, 240), torch.rand(1, 3, 160, 240))
print((mib("VmHWM") - before) * 2**20 / (160 * 240) / plan.network_bytes)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is meant")
def test_a_networks_share_of_memory_is_not_underestimated():
    """CDDFuse, whose tensors leave the largest gaps."""
    command = [sys.executable, "-c", LARGEST, "cddfuse"]
    share = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert 0.4 < float(share) <= 1.0


MEASURE = """
import sys
from pathlib import Path
from fusion.core.memory import keep_freed_memory
keep_freed_memory()
from fusion.inference.fuse import fuse_pairs
from fusion.images.pairs import Pair
from fusion.core.config import RuntimeConfig
import torch

class Wide(torch.nn.Module):  # little arithmetic, and some hundred bytes a pixel as networks have
    restores_color = False
    def forward(self, infrared, visible):
        planes = torch.cat([infrared, visible] * 16, 1)
        return (planes + planes.flip(1)).mean(1, keepdim=True)

pair = Pair("big", Path(sys.argv[1]), Path(sys.argv[2]))
runtime = RuntimeConfig(accelerator="cpu", memory_gib=float(sys.argv[4]))
fuse_pairs(Wide().eval(), [pair], Path(sys.argv[3]), stretched=False, batch_size=1, runtime=runtime)
status = Path("/proc/self/status").read_text()  # not getrusage: its peak outlives exec
print(int(status.partition("VmHWM:")[2].split()[0]) / 2**20)
"""


@pytest.mark.slow
def test_a_4k_pair_needs_at_most_2_gib(tmp_path):
    """Whatever the network: a small one gets the larger tiles that fill the limit."""
    generator = np.random.default_rng(0)
    for name, shape in (("ir", (2160, 3840)), ("vi", (2160, 3840, 3))):
        write_image(tmp_path / f"{name}.png", generator.integers(0, 256, shape, dtype=np.uint8))
    command = [sys.executable, "-c", MEASURE]
    command += [str(tmp_path / name) for name in ("ir.png", "vi.png", "out")]
    printed = subprocess.run([*command, "0.8"], check=True, capture_output=True, text=True).stdout
    assert 0.8 < float(printed) <= 2.0
    assert (tmp_path / "out/big.png").is_file()


def test_a_limit_below_the_smallest_tile_is_said():
    plan = MemoryPlan(gib=0.1, network_bytes=20_000.0)
    assert plan.shortage(300, 300).startswith("needs 1.2 GiB whatever the tiles")
    assert MemoryPlan(gib=2.0, network_bytes=20_000.0).shortage(300, 300) == ""


@given(st.integers(16, 700), st.sampled_from([64, 80, 256]))
def test_tiles_start_on_the_grid_of_networks_that_halve(length, side):
    seen = []

    def method(infrared, visible):
        seen.append(infrared)
        return infrared

    ramp = torch.arange(float(length)).expand(1, 1, 16, length)
    fuse_in_tiles(method, ramp, ramp.expand(-1, 3, -1, -1), Tiling(side, overlap=32))
    starts, stops = ([int(tile[0, 0, 0, at]) for tile in seen] for at in (0, -1))
    assert all(start % ALIGNMENT == 0 for start in starts)
    assert stops[-1] == length - 1
    assert all(before - after >= 32 - 1 for before, after in zip(stops, starts[1:], strict=False))


def test_a_method_with_tiles_of_its_own_gets_the_smallest_where_memory_is_short():
    plan = MemoryPlan(0.1, 0.0)
    assert plan.tiling(1080, 1920) == Tiling(SMALLEST_TILE)
    assert "needs 0.1 GiB" in plan.shortage(1080, 1920)
