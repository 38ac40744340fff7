"""The authors' checkpoint of ITFuse (tthinking/ITFuse)."""

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
from fusion.methods.itfuse.config import ITFuseConfig
from fusion.methods.itfuse.network import ITFuseNetwork

CONVOLUTIONS = {"conv16": "single", "conv2_16": "joint", "conv16_16": "shared"}
GATES = {"TS_lv1": "interact", "equalAtt": "cross"}
BLOCK = {
    "norm1": "attention_norm",
    "attn.qkv": "qkv",
    "attn.proj": "project",
    "norm2": "feed_forward_norm",
    "mlp.fc1": "expand",
    "mlp.fc2": "contract",
}
UNUSED = (
    r"(norm|conv1_32|conv32|conv16_32|conv2_32|layer2|mlp|patch_embed)\..*"
    r"|(TS_lv1|equalAtt)\.(bn|se)\..*"
    r"|.*\.relative_position_(bias_table|index)|.*\.attn_mask"
)
"""Layers that the authors' forward pass never calls, and a bias within windows of one token."""


def published_names() -> dict[str, str]:
    """Published name -> name in our state dict."""
    weighted = {
        "CoordAtt.conv1": "coordinate.squeeze",
        "CoordAtt.conv_h": "coordinate.rows",
        "CoordAtt.conv_w": "coordinate.columns",
        "convolutional_out.conv": "head",
    }
    normed = {"CoordAtt.bn1": "coordinate.norm"}
    unbiased: dict[str, str] = {}
    for theirs, ours in CONVOLUTIONS.items():
        weighted[f"{theirs}.conv"], normed[f"{theirs}.bn"] = f"{ours}.0", f"{ours}.1"
    for theirs, ours in GATES.items():
        weighted |= {
            f"{theirs}.key_embed.conv": f"{ours}.key.0",
            f"{theirs}.embed.3": f"{ours}.weight.3",
        }
        unbiased |= {
            f"{theirs}.embed.0": f"{ours}.weight.0",
            f"{theirs}.conv1x1.0": f"{ours}.value.0",
        }
        normed |= {
            f"{theirs}.key_embed.bn": f"{ours}.key.1",
            f"{theirs}.embed.1": f"{ours}.weight.1",
            f"{theirs}.embed.4": f"{ours}.weight.4",
            f"{theirs}.conv1x1.1": f"{ours}.value.1",
        }
    for number in range(ITFuseConfig().blocks):
        block = f"basicLayer.blocks.{number}"
        weighted |= {f"{block}.{a}": f"blocks.{number}.{b}" for a, b in BLOCK.items()}
    return (
        renamed_parts(weighted, CONVOLUTION)
        | renamed_parts(unbiased, ["weight"])
        | renamed_parts(normed, BATCH_NORM)
    )


def convert(checkpoint: Mapping[str, Tensor]) -> Converted:
    """A `Converter`."""
    config = ITFuseConfig()
    with torch.device("meta"):
        network = ITFuseNetwork(config)
    weights = inside(checkpoint, "module.")
    return Converted(config, rename(weights, published_names(), network, unused=UNUSED))
