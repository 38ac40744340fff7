import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fusion.core.errors import InputError
from fusion.core.weight_files import check_weight_file

STATE = {"weight": torch.zeros(3)}


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_what_torch_and_safetensors_write_is_taken(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    if suffix == ".safetensors":
        save_file(STATE, path)
    else:
        torch.save(STATE, path)
    check_weight_file(path)


def test_the_format_of_old_versions_is_taken(tmp_path):
    torch.save(STATE, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    check_weight_file(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.pt", b"no weights", "is not a .pt file: it begins with b'no weight'"),
        ("a.pth", b"", "is empty"),
        ("a.pt", b"\x80", "is not a .pt file"),
        ("a.safetensors", b"", "is empty"),
        ("a.safetensors", b"PK\x03\x04 a zip archive", "is not a .safetensors file"),
        ("a.safetensors", struct.pack("<Q", 10**9) + b"{}", "is not a .safetensors file"),
        ("a.safetensors", struct.pack("<Q", 2**63) + b"{}", "is not a .safetensors file"),
        ("a.txt", b"PK\x03\x04", "is not a weight file"),
        ("hostname", b"here", "is not a weight file"),
    ],
)
def test_anything_else_is_refused_with_the_reason(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}: {reason}.*; "):
        check_weight_file(tmp_path / name)


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.pt")
    (tmp_path / "folder.pt").mkdir()
    for name in ("pipe.pt", "folder.pt"):
        with pytest.raises(InputError, match="is not a regular file"):
            check_weight_file(tmp_path / name)
    with pytest.raises(InputError, match=r"does not exist; .*nothing is downloaded"):
        check_weight_file(tmp_path / "nowhere.pt")


def test_settings_and_this_check_need_no_torch():
    code = "import sys, detection.config, segmentation.config, fusion.core.weight_files\n"
    code += "assert not {'torch', 'ultralytics', 'segmentation_models_pytorch'} & set(sys.modules)"
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
