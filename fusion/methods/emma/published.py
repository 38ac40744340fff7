"""The checkpoints of EMMA's authors (Zhaozixiang1228/MMIF-EMMA) renamed to this project's names.

Their `EMMA.pth` is the U-Fuser, which is all that fusing needs; the sensing networks that they
trained it with are not published.
"""

from collections.abc import Mapping

from torch import Tensor

from fusion.blocks.dense_attention import PUBLISHED_NAMES as ATTENTION
from fusion.core.published import (
    CONVOLUTION,
    Converted,
    inside,
    rename,
    renamed_parts,
)
from fusion.methods.emma.config import EMMAConfig
from fusion.methods.emma.network import EMMANetwork

LEVELS = 4
LOCAL_BLOCKS = 2


def names() -> dict[str, str]:
    """Published name -> name in this project's state dict."""
    table = renamed_parts({"last.0": "fuser.decoder.head"}, CONVOLUTION)
    for modality in ("infrared", "visible"):
        table |= _encoder(modality[0].upper(), f"fuser.{modality}.levels")
    for level in range(LEVELS):
        table |= _block(f"f_{level + 1}", f"fuser.fuse.{level}")
    table |= _block("de_4", "fuser.decoder.deepest")
    for step, level in enumerate((3, 2, 1)):
        table |= _block(f"de_{level}", f"fuser.decoder.merge.{step}")
        table[f"up{level + 1}.0.weight"] = f"fuser.decoder.up.{step}.0.weight"
    return table


def _encoder(theirs: str, ours: str) -> dict[str, str]:
    table = _block(f"{theirs}_en_1", f"{ours}.0")
    for level in range(1, LEVELS):
        table[f"{theirs}_down{level}.weight"] = f"{ours}.{level}.0.weight"
        table |= _block(f"{theirs}_en_{level + 1}", f"{ours}.{level}.1")
    return table


def _block(theirs: str, ours: str) -> dict[str, str]:
    table = {
        f"{theirs}.embed.weight": f"{ours}.embed.weight",
        f"{theirs}.FFN.weight": f"{ours}.merge.weight",
    }
    for name, own in ATTENTION.items():
        table[f"{theirs}.GlobalFeature.{name}"] = f"{ours}.attention.{own}"
    for block in range(LOCAL_BLOCKS):
        local = f"{theirs}.LocalFeature.Extraction.{block}.conv", f"{ours}.local.{block}.residual"
        layers = {f"{local[0]}.{layer}": f"{local[1]}.{layer}" for layer in (0, 2)}
        table |= renamed_parts(layers, CONVOLUTION)
    return table


NAMES = names()


def convert(checkpoint: Mapping[str, Tensor]) -> Converted:
    """See `fusion.core.published.Converter`."""
    config = EMMAConfig()
    return Converted(config, rename(inside(checkpoint, "module."), NAMES, EMMANetwork(config)))
