"""An encoder's weights: from a setting to a file on disk, and whether the file is this encoder's.

Encoders of segmentation-models-pytorch name their weights by data set ("imagenet"), timm's
(`tu-<name>`) by timm's tags ("a1_in1k"). Nothing is asked for over the network that is on disk.
"""

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import timm
import torch
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from safetensors import SafetensorError
from safetensors.torch import load_file
from segmentation_models_pytorch.encoders import encoders as own_encoders
from timm.models import get_arch_pretrained_cfgs
from torch import Tensor

from fusion.core.errors import InputError
from fusion.core.weight_files import check_weight_file
from segmentation.config import SegmentationConfig

Statistics = tuple[tuple[float, ...], tuple[float, ...]]

IMAGENET: Statistics = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of each channel."""

State = dict[str, Tensor]

_FILE = "model.safetensors"
_ANSWER_SECONDS = 5.0
_REMEDY = (
    "set encoder_weights to a weight file on disk, or to null (with frozen_epochs: 0) to train "
    "from scratch"
)
_UNREADABLE = (OSError, EOFError, pickle.UnpicklingError, SafetensorError, RuntimeError)


@dataclass(frozen=True)
class EncoderWeights:
    """Weights that are on disk.

    encoder: the encoder's name; of a timm encoder with the tag of the weights, where they have one.
    file: a state dictionary, .pth, .pt or .safetensors.
    statistics: mean and deviation of the images that it was trained on.
    """

    encoder: str
    file: Path
    statistics: Statistics


def find_weights(config: SegmentationConfig) -> EncoderWeights | None:
    """The weights that settings ask for, downloaded if they are not cached; None for random ones.

    Raises:
        InputError: the file does not exist, the encoder has no weights of this name, or they are
            not cached and cannot be downloaded; within seconds where there is no network.
    """
    name, encoder = config.encoder_weights, config.encoder
    if name is None:
        return None
    if file := config.weight_file():
        check_weight_file(Path(file))
        return EncoderWeights(encoder, Path(file), _statistics_of(encoder))
    if is_timm(encoder):
        return _of_timm(encoder, name)
    return _of_library(encoder, name)


def is_timm(encoder: str) -> bool:
    """Whether timm builds the encoder."""
    return encoder.startswith("tu-")


def read_state(file: Path, encoder: str) -> State:
    """Read a state dictionary.

    Raises:
        InputError: the file is no state dictionary.
    """
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise not_of_encoder(file, encoder, str(error)) from error
    if not isinstance(state, dict):
        raise not_of_encoder(file, encoder, f"it holds a {type(state).__name__}")
    return state


def require_complete(state: State, file: Path, encoder: str) -> None:
    """Refuse a file of timm's that lacks tensors of a timm encoder: timm would leave them random.

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


def _of_timm(encoder: str, name: str) -> EncoderWeights:
    architecture, _, tag = encoder.removeprefix("tu-").partition(".")
    known: dict[str, Any] = {}
    for full, settings in get_arch_pretrained_cfgs(architecture).items():
        key = full.partition(".")[2]
        if settings.hf_hub_id and tag in ("", key):
            known[key] = settings
    _require_known(encoder, name, list(known))
    file = _fetch(encoder, known[name].hf_hub_id, known[name].hf_hub_filename or _FILE)
    tagged = f"tu-{architecture}.{name}"
    return EncoderWeights(tagged, file, _statistics_of(tagged))


def _of_library(encoder: str, name: str) -> EncoderWeights:
    known = own_encoders[encoder]["pretrained_settings"]
    _require_known(encoder, name, list(known))
    repository, revision = known[name]["repo_id"], known[name]["revision"]
    facts = json.loads(_fetch(encoder, repository, "config.json", revision).read_bytes())
    file = _fetch(encoder, repository, _FILE, revision)
    return EncoderWeights(encoder, file, (tuple(facts["mean"]), tuple(facts["std"])))


def _statistics_of(encoder: str) -> Statistics:
    """timm's registry knows them; a file of another encoder is taken to be trained as usual."""
    found: Any = timm.models.get_pretrained_cfg(encoder.removeprefix("tu-"))
    return (found.mean, found.std) if is_timm(encoder) and found else IMAGENET


def _require_known(encoder: str, name: str, known: list[str]) -> None:
    if name not in known:
        has = f"its weights are {', '.join(known)}" if known else "none are published"
        raise InputError(
            f"encoder_weights: {name}", f"encoder {encoder} has none of this name; {has}", _REMEDY
        )


def _fetch(encoder: str, repository: str, name: str, revision: str | None = None) -> Path:
    """A file of a repository on Hugging Face: as cached, else downloaded.

    The hub's client repeats what fails for most of a minute a file, so it is asked only where
    somebody answers.
    """
    try:
        return Path(hf_hub_download(repository, name, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        pass
    reason = "are not cached here and cannot be downloaded: "
    what = f"encoder_weights: {repository}"
    if not _answers():
        raise InputError(what, f"weights of {encoder} {reason}no network", _REMEDY)
    try:
        return Path(hf_hub_download(repository, name, revision=revision))
    except (HfHubHTTPError, OSError) as error:
        raise InputError(what, f"weights of {encoder} {reason}{error}", _REMEDY) from error


def _answers() -> bool:
    """Whether Hugging Face can be reached; proxies of the environment are heeded."""
    if constants.HF_HUB_OFFLINE:
        return False
    request = Request(constants.ENDPOINT, method="HEAD")  # noqa: S310 - the user's own setting
    try:
        with urlopen(request, timeout=_ANSWER_SECONDS):  # noqa: S310
            return True
    except HTTPError:
        return True
    except OSError:
        return False
