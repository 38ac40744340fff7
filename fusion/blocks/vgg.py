"""VGG features (Simonyan & Zisserman 2015) for losses, from a file of weights that you have."""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional as F

from fusion.core.errors import InputError
from fusion.core.tensors import read_checkpoint

WIDTHS = (64, 128, 256, 512, 512)
CONVOLUTIONS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Of each of the five stages, by the number of layers."""


class VGGFeatures(nn.Module):
    """Features behind the last ReLU of the first stages; frozen, and no part of a state dict.

    Args:
        file: weights of VGG-16 or VGG-19 under any names that sort as the layers do: torchvision's
            (`features.0.weight`, …) and Caffe's (`conv1_1.weight`, …) both do.
        layers: 16 or 19.
        stages: how many of the five.

    Raises:
        InputError: the file cannot be read, or holds another network.
    """

    def __init__(self, file: Path, layers: int, stages: int) -> None:
        super().__init__()
        kernels, biases = _in_order(read_checkpoint(file))
        self.counts = CONVOLUTIONS[layers][:stages]
        inputs = 3
        for number, outputs in enumerate(
            width for width, count in zip(WIDTHS, self.counts, strict=False) for _ in range(count)
        ):
            found = [tuple(some[number].shape) for some in (kernels, biases) if number < len(some)]
            if found != [(outputs, inputs, 3, 3), (outputs,)]:
                reason = f"is not VGG-{layers}: convolution {number + 1} has shapes {found}"
                raise InputError(file, reason, "give the weights of that network")
            self.register_buffer(f"kernel{number}", kernels[number].float(), persistent=False)
            self.register_buffer(f"bias{number}", biases[number].float(), persistent=False)
            inputs = outputs

    def forward(self, image: Tensor) -> list[Tensor]:
        """B×1×H×W, repeated to three channels -> features of every stage, finest first."""
        features = image.expand(-1, 3, -1, -1)
        found: list[Tensor] = []
        number = 0
        for count in self.counts:
            if found:
                features = F.max_pool2d(features, 2)
            for _ in range(count):
                kernel, bias = self.get_buffer(f"kernel{number}"), self.get_buffer(f"bias{number}")
                features = F.relu(F.conv2d(features, kernel, bias, padding=1))
                number += 1
            found.append(features)
        return found


def _in_order(tensors: Mapping[str, Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Kernels and biases of the convolutions, sorted by the numbers in their names."""
    kernels = [name for name, tensor in tensors.items() if tensor.ndim == 4]
    kernels.sort(key=lambda name: [int(number) for number in re.findall(r"\d+", name)])
    biases = [f"{name.removesuffix('weight')}bias" for name in kernels]
    return [tensors[name] for name in kernels], [
        tensors[name] for name in biases if name in tensors
    ]
