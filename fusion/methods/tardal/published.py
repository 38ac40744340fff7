"""The authors' checkpoints of TarDAL (JinyuanLiu-CV/TarDAL, Linfeng-Tang/VIF-Benchmark).

`tardal.pt`, `tardal+.pt` and `tardal++.pt` hold one network. They differ in how batch normalization
was run, which the count of its updates tells: the first file's running statistics are not of its
weights and were never counted.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from fusion.core.published import (
    BATCH_NORM,
    CONVOLUTION,
    Converted,
    inside,
    rename,
    renamed_parts,
)
from fusion.methods.tardal.config import TarDALConfig
from fusion.methods.tardal.network import TarDALNetwork

NEGLIGIBLE = 1e-20
"""Weights below it are set to zero. Most of TarDAL++'s largest layers are denormal numbers, which
a CPU computes with twenty times as slowly; the output stays the same."""

VARIANTS = {0: "TarDAL", 41_500: "TarDAL+", 41_168: "TarDAL++"}
"""Which file has so many updates of its running statistics."""


def published_names() -> dict[str, str]:
    """Published name -> name in our state dict."""
    layers = {"encoder": "stem", "fuse.1": "head.1", "fuse.2": "head.2"}
    layers |= {f"dense.{number}": f"dense.{number}" for number in range(TarDALConfig().depth)}
    convolutions = {f"{theirs}.0": f"generator.{ours}.0" for theirs, ours in layers.items()}
    convolutions |= {"fuse.0.0": "generator.head.0.0", "fuse.3.0": "generator.head.3"}
    norms = {f"{theirs}.1": f"generator.{ours}.1" for theirs, ours in layers.items()}
    return renamed_parts(convolutions, CONVOLUTION) | renamed_parts(norms, BATCH_NORM)


def convert(checkpoint: Mapping[str, Tensor]) -> Converted:
    """A `Converter`; files of the newer code, with the generator below "fuse", are read too."""
    nested = any(name.startswith("fuse.encoder.") for name in checkpoint)
    weights = inside(checkpoint, "fuse.") if nested else inside(checkpoint, "module.")
    updates = weights.get("encoder.1.num_batches_tracked", torch.tensor(0)).item()
    config = TarDALConfig(statistics="running" if updates else "image")
    with torch.device("meta"):
        network = TarDALNetwork(config)
    found = rename(weights, published_names(), network, unused="use_eval")
    cleared = {name: _without_denormals(value) for name, value in found.items()}
    return Converted(config, cleared, VARIANTS.get(int(updates), ""))


def _without_denormals(values: Tensor) -> Tensor:
    if not values.is_floating_point():
        return values
    return values.masked_fill(values.abs() < NEGLIGIBLE, 0)
