"""The checkpoints of CDDFuse's authors (Zhaozixiang1228/MMIF-CDDFuse), renamed.

A file holds the state dicts of four modules, each wrapped in `DataParallel`.
"""

from collections.abc import Mapping
from itertools import product

from torch import Tensor

from fusion.blocks.dense_attention import PUBLISHED_NAMES as BASE_BLOCK
from fusion.core.published import Converted, rename
from fusion.methods.cddfuse.config import CDDFuseConfig
from fusion.methods.cddfuse.network import CDDFuseNetwork

RESTORMER_BLOCK = {
    "norm1.body.weight": "attention_norm.weight",
    "norm1.body.bias": "attention_norm.bias",
    "attn.temperature": "attention.temperature",
    "attn.qkv.weight": "attention.expand.weight",
    "attn.qkv_dwconv.weight": "attention.depthwise.weight",
    "attn.project_out.weight": "attention.project.weight",
    "norm2.body.weight": "feed_forward_norm.weight",
    "norm2.body.bias": "feed_forward_norm.bias",
    "ffn.project_in.weight": "feed_forward.expand.weight",
    "ffn.dwconv.weight": "feed_forward.depthwise.weight",
    "ffn.project_out.weight": "feed_forward.project.weight",
}
NODE = {
    "shffleconv.weight": "mix.weight",
    "shffleconv.bias": "mix.bias",
    **{
        f"theta_{part}.bottleneckBlock.{theirs}.weight": f"{part}.{ours}.weight"
        for part, (theirs, ours) in product(("phi", "rho", "eta"), ((0, 0), (3, 2), (5, 4)))
    },
}


def names(config: CDDFuseConfig) -> dict[str, str]:
    """Published name, behind its module's own and without "module.", -> name in our state dict."""
    encoder = {"patch_embed.proj.weight": "stem.weight"}
    decoder = {
        "reduce_channel.weight": "reduce.weight",
        "output.0.weight": "head.0.weight",
        "output.2.weight": "head.2.weight",
    }
    for block in range(config.blocks):
        encoder |= _below(f"encoder_level1.{block}.", f"blocks.{block}.", RESTORMER_BLOCK)
        decoder |= _below(f"encoder_level2.{block}.", f"blocks.{block}.", RESTORMER_BLOCK)
    encoder |= _below("baseFeature.", "base.", BASE_BLOCK)
    for node in range(config.nodes):
        encoder |= _below(f"detailFeature.net.{node}.", f"detail.{node}.", NODE)
    return {
        **_below("DIDF_Encoder.", "encoder.", encoder),
        **_below("DIDF_Decoder.", "decoder.", decoder),
        **_below("BaseFuseLayer.", "base_fusion.", BASE_BLOCK),
        **_below("DetailFuseLayer.net.0.", "detail_fusion.", NODE),
    }


def _below(theirs: str, ours: str, table: Mapping[str, str]) -> dict[str, str]:
    return {f"{theirs}{name}": f"{ours}{own}" for name, own in table.items()}


NAMES = names(CDDFuseConfig())


def convert(checkpoint: Mapping[str, Tensor]) -> Converted:
    """See `fusion.core.published.Converter`."""
    config = CDDFuseConfig()
    found = {name.replace(".module.", ".", 1): value for name, value in checkpoint.items()}
    return Converted(config, rename(found, NAMES, CDDFuseNetwork(config)))
