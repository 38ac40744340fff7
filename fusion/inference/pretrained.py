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
from fusion.images.decode import to_rgb
from fusion.inference.fuse import fuse_batch
from fusion.inference.tiles import MemoryPlan, plan_memory
from fusion.methods.base import FusionMethod
from fusion.methods.files import CARD, WEIGHTS, files_of, load_model
from fusion.methods.onnx.config import config_beside
from fusion.methods.onnx.method import Onnx

RELEASED = Path(str(files("fusion"))) / "weights"
"""Networks that come with the package: `<name>.safetensors` and its card, `<name>.json`."""


def released_networks() -> list[str]:
    """Names of the released networks, sorted."""
    return sorted(weights.stem for weights in RELEASED.glob("*.safetensors"))


def load(name: str | Path, device: str | torch.device = "cpu", memory_gib: float = 10.0) -> "Fuser":
    """Load a trained method.

    Args:
        name: a released network (`released_networks()`), a file `<name>.safetensors` with its card
            `<name>.json` beside it, a folder with `weights.safetensors` and `card.json` (training
            writes them to `models/<method>`), a file `<name>.onnx` with its config `<name>.json`
            beside it where it needs one (`fusion.methods.onnx.config`), or a Hugging Face
            repository `owner/name` that holds a folder's two files. Only a repository needs the
            network. A `Path` is a file or a folder.
        device: the device to fuse on.
        memory_gib: memory limit for tensors, GiB; larger images are fused in tiles
            (`fusion.inference.tiles` describes the effect).

    Raises:
        InputError: the model or device does not exist, the model's files are damaged or do not
            match each other, or the memory is not a positive number.

    >>> fuse = load("pomai-tiny")
    >>> infrared = torch.full((1, 1, 32, 48), 200, dtype=torch.uint8)
    >>> visible = torch.full((1, 3, 32, 48), 90, dtype=torch.uint8)
    >>> fuse(infrared, visible).shape
    torch.Size([1, 3, 32, 48])
    """
    if not isinstance(memory_gib, int | float) or not 0 < memory_gib < inf:
        reason = "is not an amount of memory"
        raise InputError(f"memory_gib {memory_gib!r}", reason, "give GiB above 0")
    method = _find(name).to(require_device(device)).to(memory_format=torch.channels_last)
    return Fuser(method, memory_gib)


def _find(name: str | Path) -> FusionMethod:
    if name in released_networks():
        return load_model(RELEASED / f"{name}.safetensors")
    if not str(name).strip() or "\0" in str(name):
        remedy = f"give one of {', '.join(released_networks())}"
        raise InputError(repr(name), "is not the name of a model", remedy)
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
        return Onnx.read(path, config_beside(path))
    if path.is_dir() or any(file.is_file() for file in files_of(path)):
        return load_model(path)
    if path.exists():
        remedy = f"give a .safetensors file or a folder with {WEIGHTS} and {CARD}"
        raise InputError(path, "is not a model", remedy)
    local = (
        isinstance(name, Path)
        or path.suffix in (".safetensors", ".onnx")
        or name[:1] in ("/", ".", "~")
    )
    if not local and str(name).count("/") == 1:
        return load_model(_download(str(name)))
    known = ", ".join(released_networks())
    remedy = (
        f"give one of {known}, a .safetensors or .onnx file, a folder with {CARD}, or owner/name"
    )
    raise InputError(name, "is not a model: this file or folder does not exist", remedy)


def _download(repository: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        hf_hub_download(repository, WEIGHTS)
        return Path(hf_hub_download(repository, CARD)).parent
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = f"is not a file or folder, and on Hugging Face {_why(error)}"
        remedy = "check the name, the working folder and the network"
        raise InputError(repository, reason, remedy) from error


def _why(error: Exception) -> str:
    """The meaning of a huggingface_hub error in a few words."""
    from huggingface_hub import errors

    meanings: list[tuple[type[Exception], str]] = [  # the first that fits
        (errors.LocalEntryNotFoundError, "it cannot be reached (offline?)"),
        (errors.OfflineModeIsEnabled, "it cannot be reached (HF_HUB_OFFLINE is set)"),
        (errors.EntryNotFoundError, f"the repository does not have {WEIGHTS} or {CARD}"),
        (errors.GatedRepoError, "the repository requires permission"),
        (errors.RepositoryNotFoundError, "there is no such repository, or it is private"),
        (errors.HFValidationError, "no repository can have this name"),
    ]
    name = type(error).__name__
    return next((text for kind, text in meanings if isinstance(error, kind)), f"failed ({name})")


class Fuser:
    """A trained method that fuses uint8 images: NumPy arrays or torch tensors.

    Attributes:
        method: the network, in eval mode.
        memory_gib: memory limit for tensors, GiB.
    """

    def __init__(self, method: FusionMethod, memory_gib: float = 10.0) -> None:
        self.method = method.eval()
        self.memory_gib = memory_gib

    @cached_property
    def plan(self) -> MemoryPlan:
        """The memory plan; measured once, on the first call."""
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
            Like the input: NumPy uint8 H×W×3 (H×W for a gray visible image), or torch uint8
            B×3×H×W.

        Raises:
            TypeError: the images are not uint8, or one is NumPy and the other torch.
            ValueError: the sizes differ, or a side is below 16.
        """
        if isinstance(infrared, Tensor) and isinstance(visible, Tensor):
            return self._fuse(infrared, visible, stretch)
        if not (isinstance(infrared, np.ndarray) and isinstance(visible, np.ndarray)):
            raise TypeError("give two NumPy arrays or two torch tensors")
        gray = visible.ndim == 2
        color = to_rgb(visible)
        batch = torch.from_numpy(np.ascontiguousarray(color)).permute(2, 0, 1)[None]
        fused = self._fuse(
            torch.from_numpy(np.ascontiguousarray(infrared))[None, None], batch, stretch
        )
        pixels = fused[0].permute(1, 2, 0).numpy()
        return np.ascontiguousarray(pixels[..., 0] if gray else pixels)

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
