"""Weight files of encoders: loaded as data, and rejected if they are of another encoder.

Named weights ("imagenet") are downloaded, or found in the cache, by segmentation-models-pytorch
and timm themselves.
"""

from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch
from torch import Tensor

from fusion.core.errors import InputError

Statistics = tuple[tuple[float, ...], tuple[float, ...]]

IMAGENET: Statistics = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of each channel."""

State = dict[str, Tensor]


def is_timm(encoder: str) -> bool:
    """Whether timm builds the encoder."""
    return encoder.startswith("tu-")


def statistics_of_file(encoder: str) -> Statistics:
    """timm's registry has them; a file of another encoder gets ImageNet's values."""
    found: Any = timm.models.get_pretrained_cfg(encoder.removeprefix("tu-"))
    return (found.mean, found.std) if is_timm(encoder) and found else IMAGENET


def statistics_of_name(encoder: str, name: str) -> Statistics:
    """Mean and deviation of the images that named weights were trained on.

    Raises:
        ValueError: the encoder has no weights of this name.
        OSError: they are not cached and cannot be downloaded.
    """
    facts = smp.encoders.get_preprocessing_params(encoder, name)
    return tuple(facts["mean"]), tuple(facts["std"])


def require_complete(state: State, file: Path, encoder: str) -> None:
    """Reject a weight file without all tensors of a timm encoder; timm would keep random ones.

    Raises:
        InputError: anything but the classifier is missing or has another shape.
    """
    with torch.device("meta"):
        model: Any = timm.create_model(encoder.removeprefix("tu-"))
    classifiers = model.pretrained_cfg.get("classifier") or ()
    heads = (classifiers,) if isinstance(classifiers, str) else tuple(classifiers)
    lacking = [
        name
        for name, value in model.state_dict().items()
        if not name.startswith(heads) and getattr(state.get(name), "shape", None) != value.shape
    ]
    if lacking:
        shown = ", ".join(lacking[:3])
        raise not_of_encoder(file, encoder, f"{len(lacking)} tensors do not fit: {shown}")


def not_of_encoder(file: Path, encoder: str, reason: str) -> InputError:
    """The error for a file that is not the encoder's."""
    return InputError(
        file,
        f"holds no weights of encoder {encoder} ({reason[:300]})",
        "give a state dictionary of that encoder, or of a whole model that contains it",
    )
