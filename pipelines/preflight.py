"""What params.yaml asks for and cannot have, found before the first hour of work.

Libraries that take seconds to import are asked only where their answer is not known.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from detection.classes import CLASSES
from fusion.core.errors import InputError
from pipelines.params import Params
from pipelines.paths import MODELS
from pipelines.rows import Pretrained, Published
from pipelines.sources import local_sources, require_sources

PLAIN_ENCODERS = frozenset({"resnet18", "resnet34", "resnet50", "mobilenet_v2", "tu-regnetx_002"})
"""Encoders that every architecture but DPT takes."""


def require_possible(settings: Params) -> None:
    """Check in the first seconds of a run what its last stages need.

    Raises:
        InputError: the segmentation network or its weights are not to be had.
    """
    if settings.segment_on and not _is_plain(settings):
        _segmentation(settings)


def inspect(settings: Params) -> list[str]:
    """Check sources, all that `require_possible` checks, and what takes longer.

    Returns:
        Notes for the user.

    Raises:
        InputError: as `require_sources` and `require_possible`; a method cannot be imported, or
            weights are of another one.
    """
    require_sources(settings)
    settings.import_methods()
    _rows_of_weights(settings)
    notes = [
        f"{source} is not in Git or DVC: `dvc exp run --queue` and `--temp` need an absolute path"
        for source in local_sources(settings)
    ]
    if settings.segment_on and not _is_plain(settings):
        notes += _segmentation(settings)
    if settings.detect_on and settings.detection.weights:
        _detector_weights(settings)
    return notes


def _is_plain(settings: Params) -> bool:
    """Whether the segmentation network certainly can be built without a download.

    It is asked first, because the library that knows of all networks takes seconds to import.
    """
    config = settings.segmentation
    named_weights = config.encoder_weights is not None and not config.weight_file()
    if config.encoder not in PLAIN_ENCODERS or named_weights:
        return False
    options = config.own_options()
    if config.architecture != "DeepLabV3Plus":
        return not options and config.architecture != "DPT"
    return all(_is_sound(name, value) for name, value in options.items())


def _is_sound(name: str, value: object) -> bool:
    """Whether DeepLabV3+ takes this value of an option; false where it is not known."""
    match name, value:
        case "encoder_depth", 4 | 5:
            return True
        case "decoder_channels", int(channels):
            return channels > 0
        case "decoder_aspp_dropout", int(rate) | float(rate):
            return 0 <= rate <= 1
        case "decoder_atrous_rates", [int(first), int(second), int(third)]:
            return min(first, second, third) > 0
    return False


def _rows_of_weights(settings: Params) -> None:
    """Read the cards of weights trained before, as their model stages will."""
    from fusion.methods.files import read_card

    for name, row in settings.methods.items():
        source = Path(row.source)
        trained = source.parent == MODELS
        if not isinstance(row, Pretrained | Published) or trained or not source.exists():
            continue
        if (found := read_card(source).get("method")) != row.kind:
            reason = f"has weights of {found}, not of {row.kind}"
            raise InputError(source, reason, f"correct `kind` or `source` of methods.{name}")


def _segmentation(settings: Params) -> list[str]:
    from segmentation.models import require_buildable
    from segmentation.named_weights import require_obtainable

    config = settings.segmentation
    require_buildable(config)
    if config.encoder_weights is None or config.weight_file():
        return []
    return require_obtainable(config.encoder, config.encoder_weights)


def _detector_weights(settings: Params) -> None:
    from detection.offline import go_offline
    from detection.weights import check_weights

    for name in settings.detect_on:
        with TemporaryDirectory() as home:
            go_offline(Path(home))
            classes = getattr(settings.datasets[name], "classes", None) or CLASSES
            check_weights(settings.detection, classes)
