"""The checkpoints of SegMiF's authors (JinyuanLiu-CV/SegMiF) renamed to this project's names.

They are two files: the fusion network (`modelfusion-final2.pth`), and the segmenter, of which the
first two stages of the encoder act (`model-fusion_add_final2.pth`). `convert` takes the entries of
both. The second file's license, NVIDIA's for SegFormer, is for non-commercial use only.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from fusion.blocks.dilated_dense import published_names
from fusion.core.published import Converted, inside, names_below, rename
from fusion.methods.segmif.config import SegMiFConfig
from fusion.methods.segmif.method import SegMiF

FUSION = {
    "conv1_ir": "infrared.stem",
    "conv1_vis": "visible.stem",
    "conv3": "adapt.0",
    "conv4": "adapt.1",
    "conv2": "tail.0",
    "conv21": "tail.1",
    "conv22": "tail.2",
    "relu": "activation",
    **published_names("DRDB1", "infrared.blocks.0"),
    **published_names("DRDB2", "visible.blocks.0"),
    **published_names("DRDB3", "infrared.blocks.1"),
    **published_names("DRDB4", "visible.blocks.1"),
    "ffm.cross.channel_proj1": "interact.infrared.expand",
    "ffm.cross.channel_proj2": "interact.visible.expand",
    "ffm.cross.channel_proj3": "interact.expand",
    "ffm.cross.cross_attn.kv3": "interact.semantic.key_value",
    "ffm.cross.cross_attn2.kv1": "interact.infrared.attention.key_value",
    "ffm.cross.cross_attn2.kv2": "interact.visible.attention.key_value",
    "ffm.cross.end_proj1": "interact.infrared.project",
    "ffm.cross.end_proj2": "interact.visible.project",
    "ffm.cross.norm1": "interact.infrared.norm",
    "ffm.cross.norm2": "interact.visible.norm",
}
TRANSFORMER_BLOCK = {
    "norm1": "attention_norm",
    "attn.q": "attention.query",
    "attn.kv": "attention.key_value",
    "attn.proj": "attention.project",
    "attn.sr": "attention.reduce",
    "attn.norm": "attention.norm",
    "norm2": "feed_forward_norm",
    "mlp.fc1": "feed_forward.expand",
    "mlp.dwconv.dwconv": "feed_forward.depthwise",
    "mlp.fc2": "feed_forward.project",
}
ENCODER = "denoise_net.encoder."
UNUSED = (
    r"ffm2\..*"  # declared there, never called
    r"|denoise_net\.(decoder|classifier)\..*"
    r"|denoise_net\.encoder\.(patch_embed|block|norm)[34]\..*"
)


def names(network: SegMiF) -> dict[str, str]:
    """Published name -> name in this project's state dict."""
    parts = dict(FUSION)
    depths = network.config.semantic_depths
    for number, depth in enumerate(depths, start=1):
        ours = f"semantic.stages.{number - 1}"
        parts[f"{ENCODER}patch_embed{number}.proj"] = f"{ours}.entry"
        parts[f"{ENCODER}patch_embed{number}.norm"] = f"{ours}.entry_norm"
        parts[f"{ENCODER}norm{number}"] = f"{ours}.norm"
        for block in range(depth):
            for theirs, own in TRANSFORMER_BLOCK.items():
                parts[f"{ENCODER}block{number}.{block}.{theirs}"] = f"{ours}.blocks.{block}.{own}"
    return names_below(parts, network)


def convert(checkpoint: Mapping[str, Tensor]) -> Converted:
    """See `fusion.core.published.Converter`."""
    config = SegMiFConfig()
    with torch.device("meta"):
        network = SegMiF(config)
    found = inside(checkpoint, "module.")
    return Converted(config, rename(found, names(network), network, unused=UNUSED))
