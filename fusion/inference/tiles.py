"""Fusing images of any size within a memory ceiling: whole if they fit, else overlapped tiles.

What tiling changes: the network sees one tile at a time. A method of local operations gives the
same image (its receptive field must fit into a quarter of the overlap). A method with global
operations (PoMAI's channel attention and hash groups, squeeze-excitation, normalization over the
image) takes its statistics from the tile instead of the image. A class with `whole_image` set is
never tiled.
"""

import weakref
from collections.abc import Sequence
from itertools import product
from math import inf
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fusion.methods.base import FusionMethod

OVERLAP = 128
SMALLEST_TILE = 256
"""Choices: from these sizes on, seams of a network with global attention are invisible."""

ALIGNMENT = 16
"""Tiles start and end on multiples of this: networks that halve four times see the same grid."""

_GIB = 2**30
_PROBE = 128
_GAPS = 1.9
"""Memory of freed tensors stays with the process (`fusion.core.memory`) in pieces that later
ones fit only in part: 1.4 (PoMAI) to 1.85 (CDDFuse) times the tensors' own bytes were seen at
width 64."""

_IMAGE_BYTES = 64  # a pixel: both inputs, the sum of tiles, and color while it is restored


class WholeImageError(RuntimeError):
    """An image does not fit into memory, and its method cannot be fused in tiles."""


class Tiling(NamedTuple):
    """Squares of `side` pixels that overlap by at least `overlap`."""

    side: int
    overlap: int = OVERLAP


class MemoryPlan(NamedTuple):
    """The images and tiles that fit into a memory limit.

    gib: limit for tensors and the gaps between them; Python and torch need up to 1 GiB more.
    network_bytes: bytes per pixel that the network needs (`plan_memory`).
    """

    gib: float
    network_bytes: float

    def tiling(self, height: int, width: int) -> Tiling | None:
        """The largest tiles that fit; None if the whole image does.

        Never smaller than `SMALLEST_TILE`, even if that exceeds a very low limit.
        """
        left = self.gib * _GIB - _IMAGE_BYTES * height * width
        if left >= self.network_bytes * height * width:
            return None
        if not self.network_bytes:
            return Tiling(SMALLEST_TILE)
        side = int(max(0.0, left / self.network_bytes) ** 0.5) // ALIGNMENT * ALIGNMENT
        return Tiling(max(side, SMALLEST_TILE))

    def shortage(self, height: int, width: int) -> str:
        """A sentence where an image needs more than the ceiling with any tiles; empty if not."""
        tile = min(height * width, SMALLEST_TILE**2)
        needed = (_IMAGE_BYTES * height * width + self.network_bytes * tile) / _GIB
        if needed <= self.gib:
            return ""
        return f"needs {needed:.1f} GiB whatever the tiles, more than the limit of {self.gib:g} GiB"

    def batch_size(self, pixels: int, wanted: int) -> int:
        """How many images of so many pixels fit into a batch, 1 to `wanted`."""
        fitting = int(self.gib * _GIB / ((self.network_bytes + _IMAGE_BYTES) * pixels))
        return max(1, min(wanted, fitting))


def fuse_in_tiles(
    method: nn.Module, infrared: Tensor, visible: Tensor, tiles: Tiling | None
) -> Tensor:
    """`method(infrared, visible)`, tile by tile.

    In an overlap, the outer quarters of both tiles count nothing and the middle half goes over
    from one to the other linearly, so no seam shows.

    Args:
        method: B×1×H×W and B×3×H×W -> B×1×H×W.
        infrared, visible: its inputs.
        tiles: None for the whole image at once.

    Returns:
        Fused luminance, B×1×H×W float32.

    Raises:
        WholeImageError: `tiles` for a method that needs the whole image.
    """
    if tiles is None:
        fused: Tensor = method(infrared, visible)
        return fused.float()
    if isinstance(method, FusionMethod) and method.whole_image:
        height, width = infrared.shape[-2:]
        raise WholeImageError(
            f"an image of {width}×{height} pixels does not fit into memory, and this method cannot "
            "be fused in tiles"
        )
    result = torch.zeros_like(infrared)
    down, across = (_windows(size, tiles, infrared.device) for size in infrared.shape[-2:])
    for (rows, vertical), (columns, horizontal) in product(down, across):
        tile = method(infrared[..., rows, columns], visible[..., rows, columns]).float()
        result[..., rows, columns] += tile * torch.outer(vertical, horizontal)
    return result


def _windows(length: int, tiles: Tiling, device: torch.device) -> list[tuple[slice, Tensor]]:
    """Where tiles lie along one side, and their weights there, which sum to one everywhere."""
    side = min(tiles.side, length)
    last = -(-(length - side) // ALIGNMENT) * ALIGNMENT
    steps = -(-last // (tiles.side - tiles.overlap - ALIGNMENT + 1))
    starts = [last * step // steps // ALIGNMENT * ALIGNMENT for step in range(steps)]
    spans = [slice(start, min(start + side, length)) for start in [*starts, last]]
    weights = torch.zeros(len(spans), length, device=device)
    for weight, span in zip(weights, spans, strict=True):
        size = span.stop - span.start
        inside = torch.arange(size, device=device) + 0.5
        # an image's own border has no neighbor: full weight
        near = inside if span.start else torch.full_like(inside, length)
        far = size - inside if span.stop < length else torch.full_like(inside, length)
        edge, ramp = tiles.overlap / 4, tiles.overlap / 2
        weight[span] = ((torch.minimum(near, far) - edge) / ramp).clamp(0, 1)
    weights /= weights.sum(0)
    return [(span, weight[span]) for span, weight in zip(spans, weights, strict=True)]


def plan_memory(gib: float, method: nn.Module, device: torch.device) -> MemoryPlan:
    """Plan what `method` can fuse within `gib`.

    The plan depends on the method and the precision, not on the machine, with one exception:
    if a CUDA device has less than `gib` free, the free memory is the limit.
    """
    if isinstance(method, FusionMethod) and method.tiles_itself:
        network_bytes = 0.0
    else:
        network_bytes = _GAPS * bytes_per_pixel(method, device)
    return MemoryPlan(min(gib, _free_gib(device)), network_bytes)


def _free_gib(device: torch.device) -> float:
    """GiB that this process can still allocate on a CUDA device; infinite for other devices."""
    if device.type != "cuda":
        return inf
    free, _ = torch.cuda.mem_get_info(device)
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return (free + kept) / _GIB


@torch.inference_mode()
def bytes_per_pixel(method: nn.Module, device: torch.device) -> float:
    """Peak bytes of tensors per pixel while `method` fuses one pair.

    The count uses a small probe, so it depends on method and precision only. Every method here is
    linear in pixels; the workspace of convolutions is negligible.
    """
    infrared, visible = (torch.zeros(1, planes, _PROBE, _PROBE, device=device) for planes in (1, 3))
    count = _TensorBytes([infrared, visible])
    with count:
        method(infrared, visible)
    return count.peak / _PROBE**2


class _TensorBytes(TorchDispatchMode):
    """Counts the bytes of living tensors that operations under it made, views of inputs aside."""

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._living = {tensor.untyped_storage().data_ptr(): 0 for tensor in inputs}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Whether torch leaves out its compiler here, which takes seconds to import."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(output):
            if isinstance(tensor, Tensor):
                self._add(tensor.untyped_storage())
        self.peak = max(self.peak, sum(self._living.values()))
        return output

    def _add(self, storage: torch.UntypedStorage) -> None:
        address = storage.data_ptr()
        if address not in self._living:
            self._living[address] = storage.nbytes()
            weakref.finalize(storage, self._living.pop, address, None)
