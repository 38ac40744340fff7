"""Checkpoints of UMF-CMGR's fusion network, DIFN (wdhudiekou/UMF-CMGR)."""

from collections.abc import Mapping

import torch
from torch import Tensor

from fusion.core.published import CONVOLUTION, Converted, inside, rename, renamed_parts
from fusion.methods.umf.config import UMFConfig
from fusion.methods.umf.network import UMFNetwork

HEADS = {"conv1_1.0": "infrared.head", "conv2_1.0": "visible.head"}
BLOCKS = {"ir_path.0": "infrared.dense", "vi_path.0": "visible.dense"}
REST = {
    "fuse.query_conv": "interaction.query",
    "fuse.key_conv": "interaction.key",
    "fuse.gamma1": "interaction.mix_infrared",
    "fuse.gamma2": "interaction.mix_visible",
    "fuse_res": "merge",
    "out_conv": "out",
}


def published_names() -> dict[str, str]:
    """Published name -> name in our state dict."""
    kernels: dict[str, str] = {}
    for theirs, ours in BLOCKS.items():
        kernels[f"{theirs}.conv_1x1"] = f"{ours}.back"
        for layer in range(UMFConfig().layers):
            kernels[f"{theirs}.dense_layers.{layer}.conv"] = f"{ours}.dense.{layer}"
    return renamed_parts(HEADS | REST, CONVOLUTION) | renamed_parts(kernels, ["weight"])


def convert(checkpoint: Mapping[str, Tensor]) -> Converted:
    """A `Converter`; the state dict alone, or below "net" as the authors' loader wants it."""
    config = UMFConfig()
    with torch.device("meta"):
        network = UMFNetwork(config)
    weights = inside(checkpoint, "net.", "module.")
    return Converted(config, rename(weights, published_names(), network))
