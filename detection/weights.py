"""Start weights, which must be of the model that is trained.

Ultralytics copies the tensors whose names and shapes match and silently ignores the rest. Its files
are pickles. They are read with an allow-list of classes of torch and ultralytics; a file that needs
any other class is rejected, and none of its code runs.
"""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from detection.config import DetectionConfig
from fusion.core.errors import InputError
from fusion.core.weight_files import check_weight_file

SMALLEST_SHARE = 0.9
"""Share of a model's tensors that its weights must fill.

Weights of the same model for other classes fill 98 to 99 % (only the last layer of the class branch
is new), those of the nearest other model 79 % (yolo26n in yolo11n), most others a quarter.
"""

_UNREADABLE = (
    OSError,
    EOFError,
    pickle.UnpicklingError,
    ImportError,  # a class of another package, as in weights of the first YOLOv5
    AttributeError,
    KeyError,
    TypeError,
    RuntimeError,
)


def check_weights(config: DetectionConfig, classes: Sequence[str]) -> None:
    """Reject `config.weights` of another model; `detection.offline.go_offline` must have run.

    Raises:
        InputError: the weights are not a local `.pt` file, are unreadable, are not a network of
            ultralytics, or fill less than `SMALLEST_SHARE` of the model's tensors.
    """
    if config.weights is None:
        return
    path = Path(config.weights)
    check_weight_file(path)
    share, name = filled_share(config.model, path, len(classes))
    if share < SMALLEST_SHARE:
        raise InputError(
            path,
            f"fills {share:.0%} of the tensors of {config.model}, so it is of another model{name}",
            f"give weights of {config.model}, or set detection.model to the model of this file",
        )


def filled_share(model: str, path: Path, classes: int) -> tuple[float, str]:
    """Share of a model's tensors that weights fill, and the name of their model in parentheses.

    Raises:
        InputError: the file is unreadable or holds no network.
    """
    from ultralytics.nn.tasks import DetectionModel

    source = _read(path)
    target: Any = DetectionModel(f"{model}.yaml", nc=classes, verbose=False)
    target.load(source, verbose=False)
    found, wanted = source.state_dict(), target.state_dict()
    filled = [name for name in wanted if name in found and found[name].shape == wanted[name].shape]
    known = Path(str(getattr(source, "yaml", {}).get("yaml_file", ""))).stem
    return len(filled) / len(wanted), f" ({known})" if known else ""


def _read(path: Path) -> Any:
    """The network in a checkpoint of ultralytics, in float32."""
    from ultralytics.nn.tasks import load_checkpoint

    try:
        return load_checkpoint(str(path))[0]
    except _UNREADABLE as error:
        first = str(error).strip().partition("\n")[0]
        raise InputError(
            path,
            f"holds no network of ultralytics, or more than one may hold ({first})",
            "give a checkpoint that this version of ultralytics wrote, or null for no weights",
        ) from error
