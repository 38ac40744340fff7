"""The checkpoint of IGNet's authors (lok-18/IGNet) renamed to this project's names.

Their code calls the infrared branch "rgb" and the visible one "dep".
"""

from collections.abc import Mapping

from torch import Tensor

from fusion.core.published import (
    BATCH_NORM,
    CONVOLUTION,
    Converted,
    inside,
    rename,
    renamed_parts,
)
from fusion.methods.ignet.config import IGNetConfig
from fusion.methods.ignet.graph import NODES
from fusion.methods.ignet.method import IGNet

LEVELS = 3
LAYERS = 4
MODALITIES = (("infrared", "inf", "rgb"), ("visible", "vis", "dep"))
"""This project's name of each part, and the authors' names in the encoder and the graph."""


def names() -> dict[str, str]:
    """Published name -> name in this project's state dict."""
    table = renamed_parts({"graph.C_cls": "last"}, CONVOLUTION)
    for index, (ours, encoder, graph) in enumerate(MODALITIES):
        table |= _encoder(f"{encoder}_conv", ours)
        for level in range(LEVELS):
            table |= _branch(f"graph.graph.{level}", graph, index, f"levels.{level}.{ours}")
            after = level + LEVELS * index
            table |= _normalized(f"graph.C_cat.{after}", f"levels.{level}.{ours}.merge")
            table |= _normalized(f"graph.C_up.{after}", f"{ours}_cascade.steps.{level}")
    for level in range(LEVELS):
        for index, receiver in enumerate(("visible", "infrared")):
            theirs = f"graph.graph.{level}.C_pa.{index}.weight"
            table[theirs] = f"levels.{level}.exchange.to_{receiver}.weight"
    return table


def _encoder(theirs: str, ours: str) -> dict[str, str]:
    layers = {f"{theirs}.conv{layer + 1}": f"{ours}.layers.{layer}" for layer in range(LAYERS)}
    return renamed_parts(layers, CONVOLUTION) | {
        f"{theirs}.fc1.weight": f"{ours}.attention.squeeze.weight",
        f"{theirs}.fc2.weight": f"{ours}.attention.excite.weight",
    }


def _branch(theirs: str, modality: str, index: int, ours: str) -> dict[str, str]:
    graph = f"{theirs}.graph_{modality}"
    table = {
        f"{theirs}.C_ca.{index}.1.weight": f"{ours}.leader_gate.squeeze.weight",
        f"{theirs}.C_ca.{index}.3.weight": f"{ours}.leader_gate.excite.weight",
        f"{graph}.C_wgt.weight": f"{ours}.messages.edge.weight",
        f"{graph}.gamma": f"{ours}.messages.gain",
    }
    update = {"ConvGates": "gates", "Conv_ct": "candidate"}
    gru = {
        f"{graph}.ConvGRU.{name}": f"{ours}.messages.update.{own}" for name, own in update.items()
    }
    table |= renamed_parts(gru, CONVOLUTION)
    for node in range(NODES):
        table |= _normalized(f"{theirs}.ppm_{modality}.convs.{node}", f"{ours}.nodes.{node}")
    return table


def _normalized(theirs: str, ours: str) -> dict[str, str]:
    norm = renamed_parts({f"{theirs}.1": f"{ours}.1"}, BATCH_NORM)
    return {f"{theirs}.0.weight": f"{ours}.0.weight", **norm}


NAMES = names()


def convert(checkpoint: Mapping[str, Tensor]) -> Converted:
    """See `fusion.core.published.Converter`."""
    config = IGNetConfig()
    return Converted(config, rename(inside(checkpoint, "module."), NAMES, IGNet(config)))
