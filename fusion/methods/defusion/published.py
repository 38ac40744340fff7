"""The checkpoints of DeFusion's authors (erfect2020/DecompositionForFusion), renamed.

A file names shared modules twice; a "lower" entry equals its "upper" twin. Their repository has
three networks; the number of blocks of the common decoder and the inputs of its first stage
identify the network of a file.
"""

import re
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from fusion.core.published import Converted, inside, names_below, rename
from fusion.methods.defusion.config import DeFusionConfig
from fusion.methods.defusion.network import DeFusionNetwork

LOWER = r"(encoder_lower|lower_|decoder_lower).*"
STAGES = {
    "encoder_upper.2": "encoder.stages.0",
    "upper_encoder_layer1": "encoder.stages.1",
    "upper_encoder_layer2": "encoder.stages.2",
    "upper_encoder_layer3": "encoder.stages.3",
    "common_encoder.0": "ensemble",
    **{
        f"decoder_{theirs}_layer{number}{'.0' * (number == 4)}": f"{ours}.stages.{number - 1}"
        for theirs, ours in (("common", "common"), ("upper", "unique"))
        for number in range(1, 5)
    },
}
CONVOLUTIONS = {
    "encoder_upper.0": "encoder.stem",
    "decoder_common_projection_layer.0": "to_common",
    "decoder_upper_projection_layer.0": "to_unique",
    "fusion_rule.0": "to_fused",
}
BLOCK = {
    "conv1": "enter",
    "conv2.conv": "split.conv",
    "conv2.fc1": "split.squeeze",
    "conv2.fc2": "split.excite",
    "conv3": "leave",
}
VARIANTS: dict[tuple[tuple[int, ...], bool], str] = {
    ((2, 2, 2, 2), True): "A",
    ((4, 4, 6, 6), True): "B",
    ((4, 4, 6, 6), False): "C",
}
"""By the common decoder's blocks and skips: what the authors test with (A), what they train with
now (B), and what they trained with when the paper came out (C)."""


def names(network: DeFusionNetwork) -> dict[str, str]:
    """Published name -> name in this project's state dict; of shared modules the "upper" one."""
    parts = dict(CONVOLUTIONS)
    for theirs, ours in STAGES.items():
        shortcut = 0 if theirs.startswith("decoder") else 1
        inner = BLOCK | {f"downsample.{shortcut}": "shortcut.1"}
        for block in range(len(cast(nn.Sequential, network.get_submodule(ours)))):
            for layer, own in inner.items():
                parts[f"{theirs}.layer.{block}.{layer}"] = f"{ours}.{block}.{own}"
    return names_below(parts, network)


def convert(checkpoint: Mapping[str, Tensor]) -> Converted:
    """See `fusion.core.published.Converter`."""
    found = inside(checkpoint, "state_dict.", "module.")
    config = _config_of(found)
    with torch.device("meta"):
        network = DeFusionNetwork(config)
    weights = rename(found, names(network), network, unused=LOWER)
    variant = VARIANTS.get((tuple(config.common_blocks), config.common_skips), "")
    return Converted(config, weights, variant)


def _config_of(found: Mapping[str, Tensor]) -> DeFusionConfig:
    """Settings read from the common decoder's entries; the published settings without them."""
    default = DeFusionConfig()
    blocks = list(default.common_blocks)
    for name in found:
        if match := re.match(r"decoder_common_layer(\d)\.(?:0\.)?layer\.(\d{1,2})\.", name):
            stage, block = int(match[1]) - 1, int(match[2])
            blocks[stage] = max(blocks[stage], block + 1)
    first = found.get("decoder_common_layer1.layer.0.conv1.weight")
    skips = first is None or first.shape[1] == 192 * default.width
    return DeFusionConfig(common_blocks=blocks, common_skips=skips)
