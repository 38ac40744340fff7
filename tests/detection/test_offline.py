"""Ultralytics replaces functions of other libraries; ours stay in place, whoever imported it."""

import subprocess
import sys

import pytest

ULTRALYTICS_FIRST = """
import sys

import pytest
from pathlib import Path
import ultralytics.utils  # replaces PIL.Image.open
from PIL import Image, UnidentifiedImageError
from fusion.core.errors import InputError
from fusion.images.opening import open_image
folder = Path(sys.argv[1])
try:
    open_image(folder / "damaged.png")
except InputError as error:
    assert "is not a readable image;" in str(error), error
from detection.offline import go_offline
go_offline(folder)
try:
    Image.open(folder / "damaged.png")
except UnidentifiedImageError:
    print("as Pillow does it")
"""


@pytest.mark.slow
def test_an_unknown_image_format_installs_nothing_even_if_ultralytics_came_first(tmp_path):
    (tmp_path / "damaged.png").write_bytes(b"neither PNG nor anything else")
    command = [sys.executable, "-c", ULTRALYTICS_FIRST, str(tmp_path)]
    environment = {"PATH": "/usr/bin:/bin", "YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "False"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "as Pillow does it"
