"""Segmentation networks of segmentation-models-pytorch, for images of any size."""

import difflib
import inspect
import pickle
from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from fusion.images import InputError
from segmentation.config import SegmentationConfig
from segmentation.msrs import CLASSES

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CENTRED = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))

_OWN_ARGUMENTS = {
    "self",
    "kwargs",
    "encoder_name",
    "encoder_weights",
    "in_channels",
    "classes",
    "activation",
    "aux_params",
}


_UNREADABLE = (OSError, EOFError, pickle.UnpicklingError, SafetensorError)


class Segmenter(nn.Module):
    """Normalises, pads to what the network can take, predicts, and crops back."""

    network: Any  # the library has no types
    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean_std: tuple[tuple[float, ...], ...]) -> None:
        super().__init__()
        self.network = network
        for name, values in zip(("mean", "std"), mean_std, strict=True):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Class logits of each pixel.

        Args:
            images: RGB, B×3×H×W in [0, 1], H and W at least 16.

        Returns:
            B×9×H×W float32.
        """
        height, width = images.shape[-2:]
        multiple = self.network.encoder.output_stride
        top, bottom = _halves(-height % multiple)
        left, right = _halves(-width % multiple)
        padded = F.pad((images - self.mean) / self.std, (left, right, top, bottom), mode="reflect")
        logits: Tensor = self.network(padded)
        return logits[..., top : top + height, left : left + width].float()

    def freeze_encoder(self, frozen: bool) -> None:
        """Hold the encoder's parameters and BatchNorm statistics, also through `train()`."""
        if not frozen:
            self.network.unfreeze_encoder()
            return
        # The library leaves a frozen encoder in whatever mode it is, so its dropout would stay on.
        self.network.encoder.eval()
        self.network.freeze_encoder()


def _halves(total: int) -> tuple[int, int]:
    return total // 2, total - total // 2


def build(config: SegmentationConfig) -> Segmenter:
    """Build the network, the encoder's weights loaded; everything else is random.

    Inputs are normalised with ImageNet's mean and deviation where the encoder has weights, and to
    (x − 0.5) / 0.25 where it starts from random ones.

    Raises:
        InputError: an option the architecture does not have, a combination it refuses, or encoder
            weights that cannot be had.
    """
    _check_options(config)
    file = config.weight_file()
    if file and not Path(file).is_file():
        raise InputError(file, "does not exist", "encoder_weights is null, a file, or a name")
    try:
        network = smp.create_model(
            config.architecture,
            config.encoder,
            None if file else config.encoder_weights,
            classes=len(CLASSES),
            **config.own_options(),
        )
    except OSError as error:
        raise InputError(
            f"encoder_weights: {config.encoder_weights}",
            f"weights of encoder {config.encoder} cannot be downloaded, and no copy is cached here",
            "set encoder_weights to a weight file on disk, or to null (with frozen_epochs: 0) to "
            "train from scratch",
        ) from error
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise InputError(
            f"{config.architecture} with encoder {config.encoder}",
            f"cannot be built: {error}",
            "choose another architecture, encoder or encoder_weights",
        ) from error
    if file:
        _load_encoder(network.encoder, Path(file), config.encoder)
    return Segmenter(network, CENTRED if config.encoder_weights is None else IMAGENET)


def _check_options(config: SegmentationConfig) -> None:
    """The library takes unknown keywords in silence; a misspelt option must not pass."""
    allowed = set(inspect.signature(getattr(smp, config.architecture).__init__).parameters)
    allowed -= _OWN_ARGUMENTS
    for name in config.own_options():
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, n=1)
            raise InputError(
                f"options.{config.architecture}.{name}",
                f"{config.architecture} has no such option",
                f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(allowed))}",
            )


def _load_encoder(encoder: nn.Module, file: Path, name: str) -> None:
    try:
        if file.suffix == ".safetensors":
            state = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
        inside = {
            key.split("encoder.", 1)[1]: value for key, value in state.items() if "encoder." in key
        }
        encoder.load_state_dict(inside or state)
    except (*_UNREADABLE, RuntimeError, AttributeError, KeyError, TypeError) as error:
        raise InputError(
            file,
            f"holds no weights of encoder {name} ({str(error)[:300]})",
            "give a state dictionary of that encoder, or of a whole model that contains it",
        ) from error
