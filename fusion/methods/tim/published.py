"""The checkpoints of TIM's authors (LiuZhu-CV/TIMFusion) renamed to this project's names.

The main model is two files, for `weights_1` and `weights_2`; `convert` takes the entries of both.
The light one is a single file, recognized by the cells that it has.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from fusion.core.published import Converted, inside, names_below, rename
from fusion.methods.tim.config import TIMConfig
from fusion.methods.tim.method import TIM

DENSE = {f"conv{number}.conv": f"layers.{number - 1}" for number in (1, 2, 3)}
DENSE |= {"lrelu": "activation"}
RESIDUAL = {"op.0.conv": "residual.0"} | {f"op.{n}": f"residual.{n}" for n in (1, 2, 3, 4)}
DILATED = {"op.1.conv": "residual.1", "op.2": "residual.2", "op.3": "residual.3"}
CHANNEL = {"se.conv": "kernel", "conv1": "conv", "relu": "activation"}
SPATIAL = {"se.spatial.conv": "conv"}
DOWN = {"top.0": "deep.0", "top.1": "deep.1", "top.2": "deep.2", "top.3": "deep.3"}
DOWN |= {"top.5": "deep.5", "bot.1": "plain.1"}
UP = {f"top.{layer}": f"deep.{layer}" for layer in range(5)} | {"bot.1": "plain.1"}
UNUSED = r".*\.filt"
"""Their blur's kernel, which is a constant."""


def _below(theirs: str, ours: str, table: Mapping[str, str]) -> dict[str, str]:
    return {f"{theirs}.{name}": f"{ours}.{own}" for name, own in table.items()}


def _image_head(theirs: str, ours: str) -> dict[str, str]:
    layers = {f"{theirs}.{layer}.conv2d": f"{ours}.{layer}" for layer in (0, 2, 3)}
    return layers | {f"{theirs}.1": f"{ours}.1"}


def _enter(theirs: str, ours: str) -> dict[str, str]:
    return {f"{theirs}.preprocess1.op.{layer}": f"{ours}.enter.{layer}" for layer in (1, 2)}


def _chain(theirs: str, ours: str, *operations: Mapping[str, str]) -> dict[str, str]:
    table = _enter(theirs, ours)
    for index, operation in enumerate(operations):
        table |= _below(f"{theirs}._ops.{index}._op", f"{ours}.operations.{index}", operation)
    return table


def _multi_scale(theirs: str, ours: str, *operations: Mapping[str, str]) -> dict[str, str]:
    table = _enter(theirs, ours)
    for scale, name in enumerate(("_ops", "_ops_1", "_ops_2")):
        for index, operation in enumerate(operations):
            own = f"{ours}.operations.{scale}.{index}"
            table |= _below(f"{theirs}.{name}.{index}._op", own, operation)
    table |= _below(f"{theirs}.down_2.body.0", f"{ours}.to_half", DOWN)
    table |= _below(f"{theirs}.upsample_2.body.0", f"{ours}.from_half", UP)
    for step in (0, 1):
        table |= _below(f"{theirs}.down_4.body.{step}", f"{ours}.to_quarter.{step}", DOWN)
        table |= _below(f"{theirs}.upsample_4.body.{step}", f"{ours}.from_quarter.{step}", UP)
    for layer in (0, 1):
        table[f"{theirs}.SKFF.conv_du.{layer}"] = f"{ours}.squeeze.{layer}"
    return table | {f"{theirs}.SKFF.fcs.{n}": f"{ours}.excite.{n}" for n in range(3)}


def _first() -> dict[str, str]:
    table = {"stem.0.conv2d": "first.stem.0", "stem.2.conv2d": "first.stem.2"}
    table |= {"stem.1": "first.stem.1", "stem.3": "first.stem.3"}
    return table | _image_head("stem_out", "first.head")


def _stream(number: int, ours: str, *operations: Mapping[str, str]) -> dict[str, str]:
    """Their stream 2 is the visible one, with cells 3; stream 3 the infrared one, with cells 2."""
    table = {f"stem{number}.{layer}.conv2d": f"{ours}.stem.{layer}" for layer in (0, 2)}
    table |= {f"stem{number}.{layer}": f"{ours}.stem.{layer}" for layer in (1, 3, 4)}
    table |= _image_head(f"stem_out{number}", f"{ours}.head")
    for cell in (0, 1):
        table |= _chain(f"cells{5 - number}.{cell}", f"{ours}.cells.{cell}", *operations)
    return table


LIGHT = _first()
for _cell in (0, 1):
    LIGHT |= _chain(f"cells.{_cell}", f"first.cells.{_cell}", RESIDUAL, CHANNEL)
MAIN = {
    **_first(),
    **_multi_scale("cells.0", "first.cells.0", RESIDUAL, DILATED),
    **_chain("cells.1", "first.cells.1", DENSE, DILATED),
    **_stream(2, "second.visible", CHANNEL, SPATIAL),
    **_stream(3, "second.infrared", SPATIAL, DILATED),
    "spa.spatial.conv": "second.mask",
    **{f"stem_out4.{layer}.conv2d": f"second.head.{layer}" for layer in range(3)},
}


def names(network: TIM) -> dict[str, str]:
    """Published name -> name in this project's state dict."""
    return names_below(LIGHT if network.second is None else MAIN, network)


def convert(checkpoint: Mapping[str, Tensor]) -> Converted:
    """See `fusion.core.published.Converter`."""
    found = inside(checkpoint, "module.")
    several_scales = any(name.startswith("cells.0._ops_1.") for name in found)
    light = not several_scales and "cells.1._ops.1._op.se.conv.weight" in found
    config = TIMConfig(variant="light" if light else "main")
    with torch.device("meta"):
        network = TIM(config)
    weights = rename(found, names(network), network, unused=UNUSED)
    return Converted(config, weights, config.variant)
