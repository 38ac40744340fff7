"""ultralytics without network, telemetry, home-folder settings or hooks into DVC.

Its settings are read from the environment at import, so everything that imports ultralytics does
it through `yolo` here.
"""

import os
from pathlib import Path
from typing import Any

_QUIET = {
    "YOLO_OFFLINE": "1",
    "YOLO_AUTOINSTALL": "False",
    "YOLO_VERBOSE": "False",
}
_HOOKS = ("sync", "dvc", "clearml", "comet", "mlflow", "neptune", "raytune", "wandb", "tensorboard")


def yolo(home: Path) -> Any:
    """The class `ultralytics.YOLO`, imported offline, its settings kept in `home`.

    The `dvc` hook is off above all: it would edit the repository's dvc.yaml and make experiments.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    home.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("YOLO_CONFIG_DIR", str(home.resolve()))
    from ultralytics import YOLO, settings

    settings.update({name: False for name in _HOOKS if name in settings})
    return YOLO
