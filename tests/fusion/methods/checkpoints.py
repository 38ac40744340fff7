"""A published checkpoint of every method that has a table, its weights filled by a rule."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from fusion.methods.bdlfusion import published as bdlfusion
from fusion.methods.bdlfusion.method import BDLFusion
from fusion.methods.caf import published as caf
from fusion.methods.caf.method import CAF
from fusion.methods.cddfuse import published as cddfuse
from fusion.methods.cddfuse.method import CDDFuse
from fusion.methods.defusion import published as defusion
from fusion.methods.defusion.method import DeFusion
from fusion.methods.emma import published as emma
from fusion.methods.emma.method import EMMA
from fusion.methods.ignet import published as ignet
from fusion.methods.ignet.method import IGNet
from fusion.methods.itfuse import published as itfuse
from fusion.methods.itfuse.method import ITFuse
from fusion.methods.lrrnet import published as lrrnet
from fusion.methods.lrrnet.method import LRRNet
from fusion.methods.mmaunet import published as mmaunet
from fusion.methods.mmaunet.method import MMAUNet
from fusion.methods.mmdrfuse import published as mmdrfuse
from fusion.methods.mmdrfuse.config import MMDRFuseConfig
from fusion.methods.mmdrfuse.method import MMDRFuse
from fusion.methods.seafusion import published as seafusion
from fusion.methods.seafusion.method import SeAFusion
from fusion.methods.segmif import published as segmif
from fusion.methods.segmif.method import SegMiF
from fusion.methods.tardal import published as tardal
from fusion.methods.tardal.method import TarDAL
from fusion.methods.tim import published as tim
from fusion.methods.tim.config import TIMConfig
from fusion.methods.tim.method import TIM
from fusion.methods.umf import published as umf
from fusion.methods.umf.method import UMF
from tests.fusion.methods.published import noise_rule, published_shapes, sine_rule

Files = Mapping[str, Mapping[str, Tensor]]


class Checkpoint(NamedTuple):
    """A method's class, one of its variants, and its files by name (`part=` before it)."""

    method: type
    config: object
    files: Files
    variant: str | None = None


def build(kind: str) -> Checkpoint:
    return _BUILDERS[kind]()


def _one_file(method, names, fill, config=None, variant=None) -> Checkpoint:
    """`names` is a table, or a function that makes it of the network."""
    config = config or method.config_class()
    with torch.device("meta"):
        network = method(config)
    table = names(network) if callable(names) else names
    weights = fill(published_shapes(network, table))
    return Checkpoint(method, config, {"weights": weights}, variant)


def _noise(gain):
    return lambda shapes: noise_rule(shapes, gain)


def _split(checkpoint: Checkpoint, files: Mapping[str, tuple[str, ...]], cut: bool) -> Checkpoint:
    """Several files instead of one: file -> how its names begin; `cut` takes that off."""
    (weights,) = checkpoint.files.values()
    content = {
        file: {
            name[len(start) if cut else 0 :]: value
            for start in starts
            for name, value in weights.items()
            if name.startswith(start)
        }
        for file, starts in files.items()
    }
    assert sum(map(len, content.values())) == len(weights)
    return checkpoint._replace(files=content)


def _tim() -> Checkpoint:
    config = TIMConfig(variant="main")
    whole = _one_file(TIM, tim.names, _noise(0.7), config, "main")
    first = ("stem.", "stem_out.", "cells.")
    second = ("stem2.", "stem3.", "stem_out2.", "stem_out3.", "stem_out4.", "cells2.", "cells3.")
    return _split(whole, {"one": first, "two": (*second, "spa.")}, cut=False)


def _segmif() -> Checkpoint:
    whole = _one_file(SegMiF, segmif.names, sine_rule)
    (weights,) = whole.files.values()
    fusion = tuple({name.split(".")[0] + "." for name in weights} - {"denoise_net."})
    return _split(whole, {"fusion": fusion, "segmenter": (segmif.ENCODER,)}, cut=False)


def _mmaunet() -> Checkpoint:
    whole = _one_file(MMAUNet, mmaunet.names, _noise(1.0))
    return _split(whole, {f"{part}={part}": (f"{part}.",) for part in mmaunet.PARTS}, cut=True)


def _mmdrfuse() -> Checkpoint:
    names = mmdrfuse.NAMES["student"]
    return _one_file(MMDRFuse, names, _noise(0.7), MMDRFuseConfig(network="student"), "student")


_BUILDERS = {
    "bdlfusion": lambda: _one_file(BDLFusion, bdlfusion.NAMES, sine_rule),
    "caf": lambda: _one_file(CAF, caf.NAMES, _noise(1.0)),
    "cddfuse": lambda: _one_file(CDDFuse, cddfuse.NAMES, _noise(0.6)),
    "defusion": lambda: _one_file(DeFusion, defusion.names, _noise(0.6), variant="A"),
    "emma": lambda: _one_file(EMMA, emma.NAMES, _noise(0.6)),
    "ignet": lambda: _one_file(IGNet, ignet.NAMES, sine_rule),
    "itfuse": lambda: _one_file(ITFuse, itfuse.published_names(), _noise(0.7)),
    "lrrnet": lambda: _one_file(LRRNet, lrrnet.published_names(), _noise(0.3)),
    "mmaunet": _mmaunet,
    "mmdrfuse": _mmdrfuse,
    "seafusion": lambda: _one_file(SeAFusion, seafusion.published_names(), sine_rule),
    "segmif": _segmif,
    "tardal": lambda: _one_file(TarDAL, tardal.published_names(), sine_rule, variant="TarDAL"),
    "tim": _tim,
    "umf": lambda: _one_file(UMF, umf.published_names(), _noise(0.5)),
}
