"""Trained networks, ready to fuse: `fuse = load("pomai-tiny"); fused = fuse(infrared, visible)`."""

from functools import cached_property
from importlib.resources import files
from math import inf
from pathlib import Path
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fusion.core.errors import InputError
from fusion.core.runtime import require_device
from fusion.inference.fuse import fuse_batch
from fusion.inference.tiles import MemoryPlan, plan_memory
from fusion.methods.base import FusionMethod
from fusion.methods.files import CARD, WEIGHTS, files_of, load_model
from fusion.methods.onnx.config import OnnxConfig
from fusion.methods.onnx.method import Onnx

BOX = Path(str(files("fusion"))) / "weights"
"""Networks that come with the package: `<name>.safetensors` and its card, `<name>.json`."""


def in_the_box() -> list[str]:
    """Names that `load` knows without a file."""
    return sorted(weights.stem for weights in BOX.glob("*.safetensors"))


def load(name: str | Path, device: str | torch.device = "cpu", memory_gib: float = 10.0) -> "Fuser":
    """Load a trained method.

    Args:
        name: a name in the box (`in_the_box()`), a file `<name>.safetensors` with its card
            `<name>.json` beside it, a folder with `weights.safetensors` and `card.json` (what
            training leaves in `models/<method>`), a file `<name>.onnx` that tells what its inputs
            are, or a Hugging Face repository `owner/name` that holds a folder's two files; only
            this one asks the network. A `Path` is a file or folder.
        device: where to fuse.
        memory_gib: ceiling of what fusing holds in tensors; larger images are fused in tiles
            (`fusion.inference.tiles` says what that changes).

    Raises:
        InputError: there is no such model or device, the model's files are damaged or do not
            belong together, or the memory is not a positive number.
    """
    if not isinstance(memory_gib, int | float) or not 0 < memory_gib < inf:
        raise InputError(f"memory_gib {memory_gib!r}", "is no amount of memory", "give GiB above 0")
    method = _find(name).to(require_device(device)).to(memory_format=torch.channels_last)
    return Fuser(method, memory_gib)


def _find(name: str | Path) -> FusionMethod:
    if name in in_the_box():
        return load_model(BOX / f"{name}.safetensors")
    if not str(name).strip() or "\0" in str(name):
        raise InputError(repr(name), "is no model's name", f"give one of {', '.join(in_the_box())}")
    try:
        return _find_path(name)
    except OSError as error:  # a name too long, a folder that may not be entered, a loop of links
        reason = f"cannot be looked up ({error.strerror})"
        raise InputError(str(name)[:80], reason, "check the name and its permissions") from error


def _find_path(name: str | Path) -> FusionMethod:
    path = Path(name)
    if path.name in (WEIGHTS, CARD) and (path.parent / CARD).is_file():
        path = path.parent
    elif path.suffix == ".json" and path.is_file():
        path = path.with_suffix(".safetensors")
    if path.suffix == ".onnx" and path.is_file():
        return Onnx.read(path, OnnxConfig())
    if path.is_dir() or any(file.is_file() for file in files_of(path)):
        return load_model(path)
    if path.exists():
        remedy = f"give a .safetensors file or a folder with {WEIGHTS} and {CARD}"
        raise InputError(path, "is no model", remedy)
    local = (
        isinstance(name, Path)
        or path.suffix in (".safetensors", ".onnx")
        or name[:1] in ("/", ".", "~")
    )
    if not local and str(name).count("/") == 1:
        return load_model(_download(str(name)))
    known = ", ".join(in_the_box())
    remedy = f"give one of {known}, a .safetensors file, a folder with {CARD}, or owner/name"
    raise InputError(name, "is no model: no such file or folder is here", remedy)


def _download(repository: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        hf_hub_download(repository, WEIGHTS)
        return Path(hf_hub_download(repository, CARD)).parent
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = f"is no file or folder here, and on Hugging Face {_why(error)}"
        remedy = "check the name, the working folder and the network"
        raise InputError(repository, reason, remedy) from error


def _why(error: Exception) -> str:
    """What an error of huggingface_hub means; its own messages are several lines long."""
    from huggingface_hub import errors

    meanings: list[tuple[type[Exception], str]] = [  # the first that fits
        (errors.LocalEntryNotFoundError, "it cannot be reached (offline?)"),
        (errors.OfflineModeIsEnabled, "it cannot be reached (HF_HUB_OFFLINE is set)"),
        (errors.EntryNotFoundError, f"the repository lacks {WEIGHTS} or {CARD}"),
        (errors.GatedRepoError, "the repository asks for permission"),
        (errors.RepositoryNotFoundError, "there is no such repository, or it is private"),
        (errors.HFValidationError, "no repository can have this name"),
    ]
    name = type(error).__name__
    return next((text for kind, text in meanings if isinstance(error, kind)), f"failed ({name})")


class Fuser:
    """A fusion method that takes images as people have them.

    Attributes:
        method: the network, in eval mode.
        memory_gib: ceiling of what fusing holds in tensors.
    """

    def __init__(self, method: FusionMethod, memory_gib: float = 10.0) -> None:
        self.method = method.eval()
        self.memory_gib = memory_gib

    @cached_property
    def plan(self) -> MemoryPlan:
        """What fits into memory; measured once, when something is fused."""
        return plan_memory(self.memory_gib, self.method, self._device())

    def _device(self) -> torch.device:
        return next(self.method.parameters(), torch.empty(0)).device

    @overload
    def __call__(self, infrared: Tensor, visible: Tensor, *, stretch: bool = False) -> Tensor: ...

    @overload
    def __call__(
        self, infrared: NDArray[np.uint8], visible: NDArray[np.uint8], *, stretch: bool = False
    ) -> NDArray[np.uint8]: ...

    @torch.inference_mode()
    def __call__(self, infrared, visible, *, stretch=False):  # type: ignore[no-untyped-def]
        """Fuse one pair of arrays, or a batch of tensors.

        Args:
            infrared: NumPy uint8 H×W; or torch uint8 B×1×H×W.
            visible: NumPy uint8 H×W×3 (RGB) or H×W; or torch uint8 B×3×H×W.
            stretch: stretch each fused image to its full range.

        Returns:
            As given: NumPy uint8 H×W×3 (H×W for a grey visible image), or torch uint8 B×3×H×W.

        Raises:
            TypeError: not uint8, or NumPy and torch mixed.
            ValueError: the sizes differ, or a side is below 16.
        """
        if isinstance(infrared, Tensor) and isinstance(visible, Tensor):
            return self._fuse(infrared, visible, stretch)
        if not (isinstance(infrared, np.ndarray) and isinstance(visible, np.ndarray)):
            raise TypeError("give two NumPy arrays or two torch tensors")
        grey = visible.ndim == 2
        colour = np.repeat(visible[..., None], 3, axis=2) if grey else visible
        batch = torch.from_numpy(np.ascontiguousarray(colour)).permute(2, 0, 1)[None]
        fused = self._fuse(
            torch.from_numpy(np.ascontiguousarray(infrared))[None, None], batch, stretch
        )
        pixels = fused[0].permute(1, 2, 0).numpy()
        return np.ascontiguousarray(pixels[..., 0] if grey else pixels)

    def _fuse(self, infrared: Tensor, visible: Tensor, stretch: bool) -> Tensor:
        if infrared.dtype != torch.uint8 or visible.dtype != torch.uint8:
            raise TypeError(f"images are uint8 0..255, not {infrared.dtype} and {visible.dtype}")
        shapes = f"{tuple(infrared.shape)} and {tuple(visible.shape)}"
        wanted = len(infrared), infrared.shape[-2:]
        if infrared.dim() != 4 or infrared.shape[1] != 1 or visible.shape[1:2] != (3,):
            raise ValueError(f"infrared is B×1×H×W and visible B×3×H×W, not {shapes}")
        if (len(visible), visible.shape[-2:]) != wanted or min(infrared.shape[-2:]) < 16:
            raise ValueError(f"a pair has one size of at least 16×16, not {shapes}")
        count = self.plan.batch_size(infrared.shape[-2:].numel(), len(infrared))
        return torch.cat(
            [
                self._fuse_at_once(*chunk, stretch)
                for chunk in zip(infrared.split(count), visible.split(count), strict=True)
            ]
        )

    def _fuse_at_once(self, infrared: Tensor, visible: Tensor, stretch: bool) -> Tensor:
        device, tiles = self._device(), self.plan.tiling(*infrared.shape[-2:])
        fused = fuse_batch(
            self.method, infrared.to(device), visible.to(device), stretched=stretch, tiles=tiles
        )
        return fused.to(infrared.device)
