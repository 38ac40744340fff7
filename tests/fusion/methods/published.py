"""Weights filled by a rule, and reference pictures: parity with networks published elsewhere.

Every weight is a function of its published name and shape, so that a network of ours and the
published class can be given the same weights without any file. Set FUSION_REFERENCE to the folder
of references, and FUSION_DATA to the folder of image pairs, to compare with stored outputs,
published weights and the pictures that the published code makes of real pairs.
"""

import json
import os
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from fusion.images.decode import read_infrared, read_visible
from fusion.inference.fuse import as_planes

REFERENCE = os.environ.get("FUSION_REFERENCE")
DATA = os.environ.get("FUSION_DATA")

needs_reference = pytest.mark.skipif(
    not REFERENCE, reason="FUSION_REFERENCE, the folder of published references, is not set"
)
needs_pairs = pytest.mark.skipif(
    not (REFERENCE and DATA),
    reason="FUSION_REFERENCE and FUSION_DATA, the folders of references and pairs, are not set",
)


PAIRS = tuple(
    pytest.param(name, marks=() if name in ("tno-03", "msrs-00004N") else pytest.mark.slow)
    for name in ("tno-01", "tno-02", "tno-03", "msrs-00004N", "msrs-00016N", "msrs-00028N")
)
"""Names of all reference pictures, for `parametrize`: three of TNO, three of MSRS at night."""


def reference(kind: str) -> Path:
    """The folder of references of one method."""
    return Path(REFERENCE or "") / "methods" / kind


def stored(kind: str, name: str = "fixture") -> dict[str, torch.Tensor]:
    """A file of the method's references: `fixture` or one of its published weights."""
    return load_file(reference(kind) / f"{name}.safetensors")


# Rules. Both take shapes by published name, and return weights by published name.


def sine_rule(shapes: Mapping[str, Sequence[int]]) -> dict[str, torch.Tensor]:
    """The rule of bdlfusion, ignet, seafusion, segmif and tardal."""
    return {
        name: _tensor(_sine_values(name, shapes[name], index), shapes[name])
        for index, name in enumerate(sorted(shapes))
    }


def _sine_values(name: str, shape: Sequence[int], index: int) -> np.ndarray:
    count = prod(shape)
    x = np.sin(0.7 * np.arange(count) + 1.3 * index)
    entry = name.rpartition(".")[2]
    if entry == "num_batches_tracked":
        return np.zeros(count, np.int64)
    if entry == "running_var":
        return 1 + x / 2
    if len(shape) >= 2:
        return x * np.sqrt(2 / (count / shape[0]))
    if entry == "weight":
        return 0.25 + 0.1 * x if count == 1 else 1 + 0.3 * x
    return np.full(count, 0.5) if entry == "gamma" else 0.1 * x


def sine_inputs(height: int = 64, width: int = 80) -> tuple[torch.Tensor, torch.Tensor]:
    """Infrared and visible luminance of that rule, 1×1×H×W."""
    y, x = np.mgrid[:height, :width].astype(float)
    return _images(
        0.5 + 0.5 * np.sin(0.21 * x + y * y / 160), 0.5 + 0.5 * np.cos(0.17 * x - 0.13 * y)
    )


def noise_rule(shapes: Mapping[str, Sequence[int]], gain: float) -> dict[str, torch.Tensor]:
    """The rule of caf (gain 1), defusion (0.6), tim (0.7) and umf (0.5).

    Also that of cddfuse (0.6), emma (0.6) and mmaunet (1), module by module.
    """
    return {
        name: _tensor(_noise_values(name, shapes[name], index, gain), shapes[name])
        for index, name in enumerate(sorted(shapes))
    }


def _noise_values(name: str, shape: Sequence[int], index: int, gain: float) -> np.ndarray:
    count = prod(shape)
    z = 43758.5453 * np.sin(12.9898 * np.arange(count) + 78.233 * (index + 1))
    s = 2 * (z - np.floor(z)) - 1
    entry = name.rpartition(".")[2]
    if entry == "num_batches_tracked":
        return np.zeros(count, np.int64)
    if entry == "running_var":
        return 1 + 0.5 * s * s
    if entry == "running_mean":
        return 0.05 * s
    if entry in ("scale", "temperature"):
        return 1 + 0.5 * s
    if count > 1 and len(shape) >= 2:
        return gain * np.sqrt(6 / (count / shape[0])) * s
    if entry != "weight":
        return 0.05 * s
    return np.full(count, 0.25) if count == 1 else 1 + 0.1 * s


def noise_inputs(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Infrared and visible luminance of that rule, 1×1×H×W."""
    y, x = np.mgrid[:height, :width].astype(float)
    return _images(0.5 + 0.5 * np.sin(0.11 * y + 0.07 * x), 0.5 + 0.5 * np.cos(0.05 * y - 0.13 * x))


def _images(*images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    infrared, visible = (torch.from_numpy(image).float()[None, None] for image in images)
    return infrared, visible


def _tensor(values: np.ndarray, shape: Sequence[int]) -> torch.Tensor:
    tensor = torch.from_numpy(values).reshape(tuple(shape))
    return tensor if tensor.dtype == torch.int64 else tensor.float()


def published_shapes(network, names: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """Shapes by published name, of a network of ours and its table of names."""
    state = network.state_dict()
    return {published: tuple(state[ours].shape) for published, ours in names.items()}


def part_by_part(
    shapes: Mapping[str, Sequence[int]], gain: float, parts: Sequence[str]
) -> dict[str, torch.Tensor]:
    """`noise_rule` for a checkpoint of several files or modules: each has its own order."""
    filled: dict[str, torch.Tensor] = {}
    for part in parts:
        below = {
            name.removeprefix(part): shape
            for name, shape in shapes.items()
            if name.startswith(part)
        }
        filled |= {f"{part}{name}": value for name, value in noise_rule(below, gain).items()}
    return filled


# Comparisons.


def load_converted(method, converted):
    """The network of a `Converted`, in eval mode."""
    network = method(converted.config)
    network.load_state_dict(converted.weights)
    return network.eval()


def grid_of(image: torch.Tensor) -> list[float]:
    """Mean, standard deviation and 5×5 pixels of 1×1×H×W, corners included: 27 numbers."""
    plane = image.double()[0, 0]
    rows, columns = (torch.linspace(0, side - 1, 5).round().long() for side in plane.shape)
    pixels = plane[rows][:, columns].flatten()
    return [plane.mean().item(), plane.std().item(), *pixels.tolist()]


def committed(kind: str) -> dict[str, list[float]]:
    """`grid_of` the stored outputs of a method, by name: parity without the references."""
    path = Path(__file__).parent / "outputs" / f"{kind}.json"
    outputs: dict[str, list[float]] = json.loads(path.read_bytes())
    return outputs


def rgb(luminance: torch.Tensor) -> torch.Tensor:
    """Gray B×1×H×W as the visible image of a method, B×3×H×W."""
    return luminance.expand(-1, 3, -1, -1)


def pair_of(name: str, gray: str = "") -> tuple[torch.Tensor, torch.Tensor]:
    """A pair of the shared data by its picture's name, such as `msrs-00004N`.

    Args:
        name: `<set>-<stem>`, of msrs/dev or of another set's test split.
        gray: for a visible image that is gray already, rounded to 8 bits. "opencv": as OpenCV reads
            a file in gray. "pillow": as Pillow converts colors, and OpenCV its BGR to GRAY. They
            differ by a level in half of a color image's pixels, and so may outputs differ. By
            default the visible image is in color, as `pomai fuse` gives it to a method.

    Returns:
        Infrared 1×1×H×W and visible 1×3×H×W, in [0, 1].
    """
    dataset, stem = name.split("-", 1)
    folder = Path(DATA or "") / dataset / ("dev" if dataset == "msrs" else "test")
    infrared, visible = (next((folder / kind).glob(f"{stem}.*")) for kind in ("ir", "vi"))
    if gray == "opencv":
        pixels = cv2.imread(str(visible), cv2.IMREAD_GRAYSCALE)
    elif gray == "pillow":
        pixels = np.array(Image.open(visible).convert("L"))
    else:
        pixels = read_visible(visible).pixels
    planes = as_planes(read_infrared(infrared).pixels)[:1], as_planes(pixels)
    first, second = (plane.unsqueeze(0).float() / 255 for plane in planes)
    return first, second


def share_apart(fused: torch.Tensor, picture: Path, *, truncated: bool = False) -> float:
    """Share of pixels more than one gray level from a reference picture.

    Args:
        fused: 1×1×H×W in [0, 1].
        picture: 8-bit gray.
        truncated: how the picture was saved; by default rounded.
    """
    levels = fused[0, 0] * 255
    ours = (levels.floor() if truncated else levels.round()).int().numpy()
    theirs = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE).astype(int)
    return float((abs(ours - theirs) > 1).mean())
