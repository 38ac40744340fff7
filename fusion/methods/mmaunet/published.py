"""Checkpoints of MMA-UNet's code (JasonWong30/MMA-UNet), renamed to this project's names.

Their training writes three files; none is published, so there is only what you trained yourself.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from fusion.blocks.config import LEVELS
from fusion.core.published import Converted, inside, names_below, rename
from fusion.methods.mmaunet.config import MMAUNetConfig
from fusion.methods.mmaunet.network import MMAUNetNetwork

PARTS = ("visible", "infrared", "fusion")
"""The parts of a checkpoint: the entries of each file, below the part's name."""


def names(network: MMAUNetNetwork) -> dict[str, str]:
    """Published name, below its part's, -> name in our state dict."""
    table = _unet("visible", "visible.encoder") | _unet("infrared", "infrared.encoder.plain")
    for level in range(LEVELS):
        theirs = f"infrared.attention{level + 1}.fc"
        table[f"{theirs}.0"] = f"infrared.encoder.gates.{level}.attention.squeeze"
        table[f"{theirs}.2"] = f"infrared.encoder.gates.{level}.attention.excite"
    return names_below(table | _fusion(), network)


def _unet(part: str, encoder: str) -> dict[str, str]:
    table = {
        f"{part}.inc.double_conv": f"{encoder}.levels.0",
        f"{part}.outc.conv": f"{part}.decoder.head",
    }
    for step in range(1, LEVELS):
        table[f"{part}.down{step}.maxpool_conv.1.double_conv"] = f"{encoder}.levels.{step}"
        expansion = f"{part}.decoder.expansion"
        table[f"{part}.up{step}.up"] = f"{expansion}.rises.{step - 1}"
        table[f"{part}.up{step}.conv.double_conv"] = f"{expansion}.merges.{step - 1}"
    return table


def _fusion() -> dict[str, str]:
    table = {
        "fusion.decoder.up4.body.0": "fusion.rise.0",
        "fusion.decoder.outc.output.6": "fusion.last",
    }
    for layer in (0, 1, 3, 4):
        table[f"fusion.decoder.outc.output.{layer}"] = f"fusion.taper.{layer}"
    for step in range(LEVELS - 1):
        theirs = f"fusion.fusion_encoder.ca{step + 1}"
        gate = f"fusion.gates.{step}"
        table[f"fusion.fusion_encoder.down{step + 1}.maxpool_conv.1"] = f"fusion.descents.{step}.1"
        table |= {
            f"{theirs}.conv": f"{gate}.kernel",
            f"{theirs}.cSE.fc1": f"{gate}.channel.squeeze",
            f"{theirs}.cSE.fc2": f"{gate}.channel.excite",
            f"{theirs}.sSE.conv": f"{gate}.spatial",
        }
        rise = f"fusion.decoder.up{step + 1}"
        table[f"{rise}.up.body.0"] = f"fusion.expansion.rises.{step}.0"
        table[f"{rise}.conv.double_conv"] = f"fusion.expansion.merges.{step}"
    return table


def convert(checkpoint: Mapping[str, Tensor]) -> Converted:
    """See `fusion.core.published.Converter`; entries are named as `PARTS` says."""
    config = MMAUNetConfig()
    with torch.device("meta"):
        network = MMAUNetNetwork(config)
    found = {
        f"{part}.{name}": value
        for part in PARTS
        for name, value in inside(_only(checkpoint, part), f"{part}.", "model.").items()
    }
    return Converted(config, rename(found, names(network), network))


def _only(checkpoint: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    return {name: value for name, value in checkpoint.items() if name.startswith(f"{part}.")}
