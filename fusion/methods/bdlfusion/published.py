"""The checkpoint of BDLFusion's authors (LiuZhu-CV/BDLFusion) renamed to this project's names.

It also holds the critic and the detector of their training, which fusing does not need.
"""

from collections.abc import Mapping

from torch import Tensor

from fusion.blocks.dilated_dense import published_names
from fusion.core.published import CONVOLUTION, Converted, inside, rename, renamed_parts
from fusion.methods.bdlfusion.config import BDLFusionConfig
from fusion.methods.bdlfusion.method import BLOCKS, BDLFusion

CONVOLUTIONS = {"conv1": "head", "conv2": "reduce", "conv21": "last"}
for _block in range(BLOCKS):
    CONVOLUTIONS |= published_names(f"DRDB{_block + 1}", f"blocks.{_block}")
NAMES = renamed_parts(CONVOLUTIONS, CONVOLUTION) | {"relu.weight": "activation.weight"}


def convert(checkpoint: Mapping[str, Tensor]) -> Converted:
    """See `fusion.core.published.Converter`."""
    config = BDLFusionConfig()
    found = inside(checkpoint, "module.", "enhance_net.")
    return Converted(config, rename(found, NAMES, BDLFusion(config)))
