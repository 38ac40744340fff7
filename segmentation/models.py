"""Segmentation networks of segmentation-models-pytorch, for images of any size."""

import difflib
import inspect
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fusion.core.errors import InputError
from fusion.core.tensors import read_checkpoint
from fusion.core.weight_files import check_weight_file
from fusion.images.stacked import STACKED, filters_with_infrared
from segmentation.classes import MSRS
from segmentation.config import SegmentationConfig
from segmentation.encoders import (
    State,
    Statistics,
    is_timm,
    not_of_encoder,
    require_complete,
    statistics_of_file,
    statistics_of_name,
)
from segmentation.named_weights import REMEDY, require_obtainable

CENTERED: Statistics = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))

_TIMM = "timm.list_models() has the names"

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


class Segmenter(nn.Module):
    """Normalizes, pads to a size that the network accepts, predicts, and crops back."""

    network: Any  # the library has no types
    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean_std: Statistics) -> None:
        super().__init__()
        self.network = network
        for name, values in zip(("mean", "std"), mean_std, strict=True):
            self.register_buffer(name, torch.tensor(values).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Class logits of each pixel.

        Args:
            images: B×C×H×W in [0, 1], H and W at least 16; C is 3 (RGB), or 4 (RGB, infrared).

        Returns:
            B×K×H×W float32.
        """
        height, width = images.shape[-2:]
        multiple = self.network.encoder.output_stride
        if isinstance(self.network, smp.DPT):
            multiple = math.lcm(multiple, 32)  # its decoder halves what the encoder gives
        top, bottom = _halves(-height % multiple)
        left, right = _halves(-width % multiple)
        padded = F.pad((images - self.mean) / self.std, (left, right, top, bottom), mode="reflect")
        logits: Tensor = self.network(padded)
        return logits[..., top : top + height, left : left + width].float()

    def freeze_encoder(self, frozen: bool) -> None:
        """Freeze the encoder's parameters and BatchNorm statistics, also after `train()`."""
        if not frozen:
            self.network.unfreeze_encoder()
            return
        # The library does not change the mode of a frozen encoder, so its dropout would stay on.
        self.network.encoder.eval()
        self.network.freeze_encoder()


def require_buildable(config: SegmentationConfig) -> None:
    """Build the network without memory and weights.

    Raises:
        InputError: timm has no such encoder, or the architecture does not have an option or
            rejects a combination.
    """
    if is_timm(config.encoder) and not timm.is_model(config.encoder.removeprefix("tu-")):
        near = difflib.get_close_matches(config.encoder[3:], timm.list_models(), n=3)
        hint = f"did you mean {' or '.join(f'tu-{name}' for name in near)}?" if near else _TIMM
        raise InputError("segmentation.encoder", f"timm has no '{config.encoder[3:]}'", hint)
    _check_options(config)
    with torch.device("meta"):
        _create(config, None, len(MSRS))


def _halves(total: int) -> tuple[int, int]:
    return total // 2, total - total // 2


def build(config: SegmentationConfig, classes: int = len(MSRS), channels: int = 3) -> Segmenter:
    """Build the network for K classes and load the encoder's weights; all others are random.

    With four channels, the same network gets infrared as a further one: trained filters of the
    image become `filters_with_infrared`, random ones stay random, and infrared's mean and deviation
    are the means of the colors' (a choice).

    Inputs are normalized with the mean and deviation that the encoder's weights were trained with
    (ImageNet's for files, unless timm has others), and to (x − 0.5) / 0.25 if its weights are
    random.

    Raises:
        InputError: the architecture does not have an option or rejects a combination, or the
            encoder weights are unavailable.
    """
    _check_options(config)
    colors = _for_colors(config, classes)
    return colors if channels == 3 else _with_infrared(colors, config, classes)


def _for_colors(config: SegmentationConfig, classes: int) -> Segmenter:
    encoder, name = config.encoder, config.encoder_weights
    if name is None:
        return Segmenter(_create(config, None, classes), CENTERED)
    file = config.weight_file()
    if file is None:
        return _with_named_weights(config, name, classes)
    return Segmenter(_with_file(config, Path(file), classes), statistics_of_file(encoder))


def _with_infrared(colors: Segmenter, config: SegmentationConfig, classes: int) -> Segmenter:
    network = _create(config, None, classes, in_channels=STACKED)
    state = colors.network.state_dict()
    for name, value in network.state_dict().items():
        if value.shape != state[name].shape:
            trained = config.encoder_weights is not None
            state[name] = filters_with_infrared(state[name]) if trained else value
    network.load_state_dict(state)
    mean, std = (values.flatten().tolist() for values in (colors.mean, colors.std))
    return Segmenter(network, ((*mean, sum(mean) / 3), (*std, sum(std) / 3)))


def _with_named_weights(config: SegmentationConfig, name: str, classes: int) -> Segmenter:
    """Weights that the libraries download, or find in their cache."""
    encoder = config.encoder
    require_obtainable(encoder, name)
    try:
        statistics = statistics_of_name(encoder, name)
        network = _create(config, True if is_timm(encoder) else name, classes)
    except OSError as error:
        reason = f"weights of {encoder} are not cached here and cannot be downloaded: {error}"
        raise InputError(f"encoder_weights: {name}", reason, REMEDY) from error
    return Segmenter(network, statistics)


def _with_file(config: SegmentationConfig, file: Path, classes: int) -> Any:
    encoder = config.encoder
    check_weight_file(file)
    state = read_checkpoint(file)
    inside = _inside(state)
    if is_timm(encoder) and inside is None:
        require_complete(state, file, encoder)
        # The overlay takes the place of a download.
        return _create(config, True, classes, pretrained_cfg_overlay={"file": str(file)})
    network = _create(config, None, classes)
    _load_encoder(network.encoder, inside or state, file, encoder)
    return network


def require_sizes(model: Segmenter, sizes: Iterable[tuple[int, int]]) -> None:
    """Reject a network that cannot predict images of these heights and widths.

    Raises:
        InputError: naming the network, the size and its reason.
    """
    model.eval()
    for height, width in sizes:
        try:
            with torch.inference_mode():
                model(torch.zeros(1, model.mean.shape[1], height, width))
        except (RuntimeError, ValueError, AssertionError) as error:  # timm's encoders assert
            raise InputError(
                type(model.network).__name__,
                f"cannot take images of {width}×{height}: {error}",
                "choose another architecture, a larger crop, or larger images",
            ) from error


def _create(
    config: SegmentationConfig, pretrained: str | bool | None, classes: int, **arguments: Any
) -> Any:
    if config.architecture == "DPT":  # else it takes images of one size only
        arguments["dynamic_img_size"] = True
    try:
        return smp.create_model(
            config.architecture,
            config.encoder,
            pretrained,
            classes=classes,
            **config.own_options(),
            **arguments,
        )
    except OSError:
        raise  # a download that failed; some of these are ValueErrors too
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise InputError(
            f"{config.architecture} with encoder {config.encoder}",
            f"cannot be built: {error}",
            "choose another architecture, encoder or encoder_weights",
        ) from error


def _check_options(config: SegmentationConfig) -> None:
    """Reject unknown options, which the library silently ignores."""
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


def _inside(state: State) -> State | None:
    """The encoder's tensors in a state dictionary of a whole model, or of smp's timm encoder."""
    if all(key.startswith("model.") for key in state):
        return state
    found = {
        key.split("encoder.", 1)[1]: value for key, value in state.items() if "encoder." in key
    }
    return found or None


def _load_encoder(encoder: nn.Module, state: State, file: Path, name: str) -> None:
    try:
        encoder.load_state_dict(state)
    except (RuntimeError, AttributeError, KeyError, TypeError) as error:
        raise not_of_encoder(file, name, str(error)) from error
