"""The authors' checkpoint of LRRNet (hli1221/imagefusion-LRRNet)."""

from collections.abc import Mapping

import torch
from torch import Tensor

from fusion.core.published import CONVOLUTION, Converted, inside, rename, renamed_parts
from fusion.methods.lrrnet.config import LRRNetConfig
from fusion.methods.lrrnet.network import LRRNetNetwork

CODERS = {"get_ls1": "infrared", "get_ls2": "visible"}
DECODER = {
    "conv_ReZx": "infrared_low_rank",
    "conv_ReUx": "infrared_sparse",
    "conv_ReZy": "visible_low_rank",
    "conv_ReUy": "visible_sparse",
    "conv_ReL": "merge_low_rank",
    "conv_ReH": "merge_sparse",
}


def published_names(steps: int = LRRNetConfig().steps) -> dict[str, str]:
    """Published name -> name in our state dict, for coders of so many steps."""
    names: dict[str, str] = {}
    convolutions = {
        f"decoder.{theirs}.conv2d": f"decoder.{ours}" for theirs, ours in DECODER.items()
    }
    for theirs, ours in CODERS.items():
        names |= {f"{theirs}.lamj": f"{ours}.threshold", f"{theirs}.lamz": f"{ours}.momentum"}
        convolutions[f"{theirs}.conv_W00.conv2d"] = f"{ours}.start"
        for step in range(steps):
            block = f"{theirs}.lrrblock{step}"
            convolutions[f"{block}.conv_Wdz.conv2d"] = f"{ours}.steps.{step}.synthesis"
            convolutions[f"{block}.conv_Wdtz.conv2d"] = f"{ours}.steps.{step}.analysis"
    return names | renamed_parts(convolutions, CONVOLUTION)


def convert(checkpoint: Mapping[str, Tensor]) -> Converted:
    """A `Converter`: 4 steps of 128 + 128 channels."""
    config = LRRNetConfig()
    with torch.device("meta"):
        network = LRRNetNetwork(config)
    return Converted(config, rename(inside(checkpoint, "module."), published_names(), network))
