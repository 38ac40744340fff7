"""ultralytics without network, telemetry, home-folder settings, hooks into DVC or unsafe pickles.

Ultralytics reads its environment on import, so `go_offline` must run before the first import. In
this package, ultralytics is imported only inside functions that run `go_offline` first.
"""

import os
from pathlib import Path

import torch  # first: importing ultralytics before it limits torch to one thread
from PIL import Image

_ENVIRONMENT = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "False",
    "YOLO_VERBOSE": "False",
    "ULTRALYTICS_API_KEY": "",
    "ULTRALYTICS_SAFE_LOAD": "true",
}
_HOOKS = ("sync", "dvc", "clearml", "comet", "mlflow", "raytune", "wandb", "tensorboard")

# Downloaded where they are missing, also by runs that draw nothing, as ours.
_FONTS = ("Arial.ttf", "Arial.Unicode.ttf")


def go_offline(home: Path) -> None:
    """Import ultralytics offline, with separate settings in `home`.

    The hooks are switched off, above all `dvc`, which would edit dvc.yaml and create experiments.
    Settings change in this process only, in case ultralytics was imported before with the user's
    own file.
    """
    os.environ.update(_ENVIRONMENT, YOLO_CONFIG_DIR=str(home.resolve()))
    for font in _FONTS:
        (home / "Ultralytics").mkdir(parents=True, exist_ok=True)
        (home / "Ultralytics" / font).touch()
    from ultralytics import settings
    from ultralytics.nn import tasks
    from ultralytics.utils import patches, torch_utils

    # Its replacement would install packages for a file that it cannot read.
    Image.open = patches._image_open
    # Checkpoints hold classes of torch and ultralytics only, and nothing in them is evaluated.
    tasks.SAFE_LOAD = True
    # Its own value is the number of cores minus one, regardless of torch's setting.
    torch_utils.NUM_THREADS = torch.get_num_threads()
    dict.update(settings, dict.fromkeys(_HOOKS, False), api_key="")
