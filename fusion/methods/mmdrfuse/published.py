"""The authors' checkpoints of MMDRFuse (yanglinDeng/MMDRFuse): `student.model`, `teacher.model`."""

from collections.abc import Mapping

import torch
from torch import Tensor

from fusion.core.published import CONVOLUTION, Converted, inside, rename, renamed_parts
from fusion.methods.mmdrfuse.config import MMDRFuseConfig
from fusion.methods.mmdrfuse.network import MMDRFuseNetwork

STUDENT = {"conv1.1": "network.hidden", "conv2.1": "network.head"}
TEACHER = {
    **{f"conv{level}.1": f"network.encoder{level}" for level in range(1, 7)},
    **{f"conv{level}{level}.1": f"network.decoder{level}" for level in range(2, 7)},
    "conv11.1": "network.hidden",
    "conv00.1": "network.head",
}
NAMES = {
    "student": renamed_parts(STUDENT, CONVOLUTION),
    "teacher": renamed_parts(TEACHER, CONVOLUTION),
}
"""Published name -> name in our state dict, of each network."""


def convert(checkpoint: Mapping[str, Tensor]) -> Converted:
    """A `Converter`; a checkpoint with layers that only the teacher has is the teacher's."""
    weights = inside(checkpoint, "module.")
    is_teacher = any(name.startswith(("conv3.", "conv00.", "conv66.")) for name in weights)
    config = MMDRFuseConfig(network="teacher" if is_teacher else "student")
    with torch.device("meta"):
        network = MMDRFuseNetwork(config)
    return Converted(config, rename(weights, NAMES[config.network], network), config.network)
