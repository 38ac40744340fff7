"""The authors' checkpoint of SeAFusion (Linfeng-Tang/SeAFusion, Linfeng-Tang/VIF-Benchmark).

`fusionmodel_final.pth`, `fusion_model.pth` and `SeAFusion.pth` hold the same network.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from fusion.core.published import CONVOLUTION, Converted, inside, rename, renamed_parts
from fusion.methods.seafusion.config import SeAFusionConfig
from fusion.methods.seafusion.network import SeAFusionNetwork

ENCODERS = {"vis": "visible", "inf": "infrared"}
BLOCK = {
    "dense.conv1.conv": "dense1",
    "dense.conv2.conv": "dense2",
    "convdown.conv": "merge",
    "convup.conv": "residual",
}
UNUSED = r"decode\d\.bn\..*"
"""Four batch normalizations that the authors' forward pass never calls."""


def published_names() -> dict[str, str]:
    """Published name -> name in our state dict."""
    parts = {f"decode{4 - layer}.conv": f"decoder.layers.{layer}" for layer in range(4)}
    kernels: dict[str, str] = {}
    for theirs, ours in ENCODERS.items():
        parts[f"{theirs}_conv.conv"] = f"{ours}.stem"
        for number in (1, 2):
            block, our_block = f"{theirs}_rgbd{number}", f"{ours}.block{number}"
            parts |= {f"{block}.{a}": f"{our_block}.{b}" for a, b in BLOCK.items()}
            for axis in ("x", "y"):
                kernel = f"{block}.sobelconv.conv{axis}.weight"
                kernels[kernel] = f"{our_block}.gradient.{axis}.weight"
    return kernels | renamed_parts(parts, CONVOLUTION)


def convert(checkpoint: Mapping[str, Tensor]) -> Converted:
    """A `Converter`."""
    config = SeAFusionConfig()
    with torch.device("meta"):
        network = SeAFusionNetwork(config)
    weights = inside(checkpoint, "module.")
    return Converted(config, rename(weights, published_names(), network, unused=UNUSED))
