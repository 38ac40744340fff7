"""Encoder weights by name: whether they are cached, or can be downloaded.

segmentation-models-pytorch and timm load them from Hugging Face when a network is built.
"""

import os
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import segmentation_models_pytorch as smp
import timm
from huggingface_hub import constants, hf_hub_url, try_to_load_from_cache

from fusion.core.errors import InputError
from segmentation.encoders import is_timm

SECONDS = 5.0
"""How long an answer is waited for."""

REMEDY = (
    "set encoder_weights to a weight file on disk, or to null (with frozen_epochs: 0) to train "
    "from scratch"
)


class _Place(NamedTuple):
    """Files of a repository on Hugging Face.

    any_file: whether one of the files is enough.
    """

    repository: str
    files: tuple[str, ...]
    revision: str | None = None
    any_file: bool = False

    def is_cached(self) -> bool:
        found = (
            isinstance(try_to_load_from_cache(self.repository, name, revision=self.revision), str)
            for name in self.files
        )
        return any(found) if self.any_file else all(found)


def require_obtainable(encoder: str, name: str) -> list[str]:
    """Check that named weights are cached, or that Hugging Face offers them now.

    Args:
        encoder: `segmentation.encoder`.
        name: `segmentation.encoder_weights`, not a file.

    Returns:
        A note for the user where they will be downloaded.

    Raises:
        InputError: the encoder has no weights of this name, or they cannot be had.
    """
    place = _place(encoder, name)
    if place.is_cached():
        return []
    if problem := _problem(place):
        where = f"encoder_weights: {name}"
        reason = f"weights of {encoder} are not cached here and cannot be downloaded: {problem}"
        raise InputError(where, reason, REMEDY)
    return [f"the weights of {encoder} will be downloaded from Hugging Face ({place.repository})"]


def _place(encoder: str, name: str) -> _Place:
    where = f"encoder_weights: {name}"
    if is_timm(encoder):
        if name != "imagenet":
            tagged = f"{encoder.partition('.')[0]}.{name}"
            remedy = f"give it with the encoder, {tagged}, and set imagenet here"
            raise InputError(where, "is not valid for a timm encoder", remedy)
        found: Any = timm.models.get_pretrained_cfg(encoder.removeprefix("tu-"))
        if found is None or not found.hf_hub_id:
            raise InputError(where, f"encoder {encoder} has none of this name", REMEDY)
        files = (found.hf_hub_filename or "model.safetensors", "pytorch_model.bin")
        return _Place(found.hf_hub_id, files, any_file=True)
    known: Any = smp.encoders.encoders[encoder]["pretrained_settings"]
    if name not in known:
        reason = f"encoder {encoder} has none of this name (it has {', '.join(known) or 'none'})"
        raise InputError(where, reason, REMEDY)
    files = ("config.json", "model.safetensors")
    return _Place(known[name]["repo_id"], files, known[name]["revision"])


def _problem(place: _Place) -> str:
    """Why Hugging Face does not offer the weights; empty if it does."""
    if constants.HF_HUB_OFFLINE or os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        return "HF_HUB_OFFLINE is set"
    address = hf_hub_url(place.repository, place.files[-1], revision=place.revision)
    if not address.startswith(("https://", "http://")):
        return f"{address} is not an address of the web"
    try:
        with urlopen(Request(address, method="HEAD"), timeout=SECONDS):  # noqa: S310 - see above
            return ""
    except HTTPError as error:
        return f"{address} answers {error.code}"
    except OSError as error:
        return str(getattr(error, "reason", error))
