"""ultralytics without network, telemetry, home-folder settings, hooks into DVC or unsafe pickles.

It reads its environment when it is imported, so `prepare` comes before its first import;
everything of this package that imports it does so inside a function that ran `prepare`.
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


def prepare(home: Path) -> None:
    """Import ultralytics offline, with settings of its own in `home`.

    Its `dvc` hook is off above all: it would edit the repository's dvc.yaml and make experiments.
    Settings are switched in this process only, in case it was imported before and found the
    user's own file.
    """
    os.environ.update(_ENVIRONMENT, YOLO_CONFIG_DIR=str(home.resolve()))
    for font in _FONTS:
        (home / "Ultralytics").mkdir(parents=True, exist_ok=True)
        (home / "Ultralytics" / font).touch()
    untouched = Image.open
    from ultralytics import settings
    from ultralytics.nn import tasks
    from ultralytics.utils import torch_utils

    Image.open = untouched  # ultralytics' own would install packages for a file it cannot read
    # Checkpoints hold classes of torch and ultralytics only, and nothing in them is evaluated.
    tasks.SAFE_LOAD = True
    # Its own is one fewer than there are cores, whatever torch was told to use.
    torch_utils.NUM_THREADS = torch.get_num_threads()
    dict.update(settings, dict.fromkeys(_HOOKS, False), api_key="")
