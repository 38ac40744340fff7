"""The built package is all that a user needs."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hatchling.builders.wheel import WheelBuilder

from fusion.images.decode import read_visible, write_image
from fusion.inference.pretrained import RELEASED

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, as the build backend makes it."""
    folder = tmp_path_factory.mktemp("wheel")
    return Path(next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])))


def test_every_released_network_is_in_the_wheel(wheel):
    kept = {f"fusion/weights/{path.name}" for path in RELEASED.iterdir() if path.name[0] != "."}
    assert {"fusion/weights/pomai-tiny.safetensors", "fusion/weights/pomai-tiny.json"} <= kept
    with zipfile.ZipFile(wheel) as content:
        packed = {name for name in content.namelist() if name.startswith("fusion/weights/")}
        assert packed == kept
        for name in packed:
            assert content.read(name) == (ROOT / name).read_bytes()


def test_the_files_of_the_page_are_in_the_wheel(wheel):
    assets = ROOT / "pipelines/report/page/assets"
    with zipfile.ZipFile(wheel) as content:
        for path in assets.iterdir():
            packed = content.read(f"pipelines/report/page/assets/{path.name}")
            assert packed == path.read_bytes()


@pytest.mark.slow
def test_the_command_of_the_wheel_fuses_anywhere(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as content:
        content.extractall(tmp_path / "installed")
    for kind in ("ir", "vi"):
        pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        write_image(tmp_path / f"{kind}.png", pixels)
    script = "import fusion, pipelines.cli; print(fusion.__file__); pipelines.cli.main()"
    options = ["--ir=ir.png", "--vi=vi.png", "--out=fused.png"]
    done = subprocess.run(
        [sys.executable, "-c", script, "fuse", *options],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path / 'installed'}{os.sep}" in done.stdout
    assert read_visible(tmp_path / "fused.png").pixels.shape == (24, 32, 3)
