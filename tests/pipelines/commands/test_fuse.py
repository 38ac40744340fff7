"""`pomai fuse`, as a user runs it."""

import subprocess
import sys
import weakref
from threading import Event

import numpy as np
import pytest
import torch
from PIL import Image

from fusion.images.decode import read_infrared, read_visible, write_image
from fusion.inference.fuse import write_fused
from fusion.methods.files import save_model
from fusion.methods.pomai.config import NGMMConfig, PoMAIConfig
from fusion.methods.pomai.method import PoMAI
from pipelines import cli
from tests.fusion.alignment.scenes import shifted_scene


@pytest.fixture
def folder(tmp_path):
    """Three pairs and an untrained network's folder."""
    random = np.random.default_rng(0)
    for kind, channels in (("ir", ()), ("vi", (3,))):
        (tmp_path / kind).mkdir()
        for name in "abc":
            image = random.integers(0, 256, (24, 30, *channels), dtype=np.uint8)
            write_image(tmp_path / kind / f"{name}.png", image)
    torch.manual_seed(0)
    network = PoMAI(PoMAIConfig(channels=4, heads=2, blocks=1, ngmm=NGMMConfig(group_size=30)))
    save_model(tmp_path / "model", "pomai", network, {})
    return tmp_path


def run(monkeypatch, capsys, folder, ir="ir", vi="vi", out="out", *options):
    paths = [f"--{name}={folder / path}" for name, path in (("ir", ir), ("vi", vi), ("out", out))]
    arguments = ["pomai", "fuse", *paths, f"--weights={folder / 'model'}", *options]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code, capsys.readouterr().out


def test_folders_then_only_what_is_new(monkeypatch, capsys, folder):
    code, printed = run(monkeypatch, capsys, folder)
    assert code == 0
    assert "3 fused" in printed
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a.png", "b.png", "c.png"]
    (folder / "out/b.png").unlink()
    (folder / "out/a.png").write_bytes(b"kept")
    _, printed = run(monkeypatch, capsys, folder)
    assert "1 fused" in printed
    assert "2 already there" in printed
    assert (folder / "out/a.png").read_bytes() == b"kept"
    run(monkeypatch, capsys, folder, "ir", "vi", "out", "--overwrite")
    assert read_visible(folder / "out/a.png").pixels.shape == (24, 30, 3)


def test_a_bad_pair_is_reported_and_stops_nobody(monkeypatch, capsys, folder):
    (folder / "ir/a.png").write_bytes(b"not an image")
    write_image(folder / "ir/d.png", np.zeros((20, 20), np.uint8))
    code, printed = run(monkeypatch, capsys, folder)
    assert "2 fused" in printed
    assert "a.png: is not a readable image" in code
    assert "without a partner" in code
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["b.png", "c.png"]


def test_a_folder_goes_on_where_an_output_cannot_be_written(monkeypatch, capsys, folder):
    def write(path, image):
        if path.name == "b.png":
            raise PermissionError(13, "Permission denied", str(path))
        write_fused(path, image)

    monkeypatch.setattr("fusion.inference.fuse.write_fused", write)
    code, printed = run(monkeypatch, capsys, folder)
    assert "2 fused" in printed
    assert "out/b.png: cannot be written (Permission denied)" in code
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a.png", "c.png"]


def test_the_next_pair_is_read_while_one_is_fused(monkeypatch, capsys, folder):
    begun = {name: Event() for name in "abc"}

    def read(path, *options, **limits):
        begun[path.stem].set()
        return read_infrared(path, *options, **limits)

    def forward(self, infrared, visible):
        assert begun["b"].wait(30), "no pair is read while another is fused"
        return infrared

    monkeypatch.setattr("fusion.inference.fuse.read_infrared", read)
    monkeypatch.setattr("fusion.inference.tiles.bytes_per_pixel", lambda *_: 1000.0)
    monkeypatch.setattr(PoMAI, "forward", forward)
    code, printed = run(monkeypatch, capsys, folder)
    assert code == 0
    assert "3 fused" in printed


HEAVY = (
    "torch._dynamo torch._inductor torchvision lightning timm pandas matplotlib rich scipy sympy"
)


@pytest.mark.slow
def test_one_pair_needs_none_of_the_libraries_that_take_seconds_to_import(folder):
    paths = [f"--{name}={folder / path}" for name, path in (("ir", "ir/a.png"), ("vi", "vi/a.png"))]
    arguments = ["pomai", "fuse", *paths, f"--out={folder / 'fused.png'}"]
    code = f"""
import sys
from pipelines.cli import main
sys.argv = {arguments}
try:
    main()
finally:
    print(*(name for name in {HEAVY.split()} if name in sys.modules), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == ""
    assert (folder / "fused.png").is_file()


OUT_OF_MEMORY = {
    "device": lambda: (_ for _ in ()).throw(torch.OutOfMemoryError("CUDA out of memory")),
    "cpu": lambda: torch.empty(2**50, dtype=torch.uint8),
}


@pytest.mark.parametrize("where", OUT_OF_MEMORY)
def test_a_pair_that_memory_does_not_hold_is_reported_and_its_memory_is_free_again(
    monkeypatch, capsys, folder, where
):
    held, freed = [], []

    def forward(self, infrared, visible):
        features = infrared * 2
        held.append(weakref.ref(features))
        if len(held) == 2:
            OUT_OF_MEMORY[where]()
        return features / 2

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: freed.append(held[1]() is None))
    monkeypatch.setattr("fusion.inference.tiles.bytes_per_pixel", lambda *_: 1000.0)
    monkeypatch.setattr(PoMAI, "forward", forward)
    code, printed = run(monkeypatch, capsys, folder)
    assert "2 fused" in printed
    (missing,) = {"a.png", "b.png", "c.png"} - {path.name for path in (folder / "out").iterdir()}
    assert f"vi/{missing}: memory ran out while it was fused; lower --memory" in code
    assert freed == [True], "a cache is emptied of what nothing holds"


def test_other_errors_of_torch_are_not_taken_for_it(monkeypatch, capsys, folder):
    def forward(self, infrared, visible):
        return infrared @ infrared[..., :-1]

    monkeypatch.setattr("fusion.inference.tiles.bytes_per_pixel", lambda *_: 1000.0)
    monkeypatch.setattr(PoMAI, "forward", forward)
    monkeypatch.setattr("tempfile.tempdir", str(folder))  # gets the report
    monkeypatch.chdir(folder)
    assert run(monkeypatch, capsys, folder)[0] == 70
    assert "Expected size for" in next(folder.glob("pomai-error-*.txt")).read_text()


def test_two_files_turned_as_their_exif_says(monkeypatch, capsys, folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("ir", "vi"):
        Image.open(folder / kind / "a.png").save(folder / f"{kind}.jpg", exif=exif)
    code, _ = run(monkeypatch, capsys, folder, "ir.jpg", "vi.jpg", "fused.png")
    assert code == 0
    assert read_visible(folder / "fused.png").pixels.shape == (30, 24, 3)


@pytest.mark.parametrize(
    ("ir", "vi", "out", "message"),
    [
        ("nowhere", "vi", "out", "nowhere: does not exist"),
        ("ir/a.png", "vi", "out", "an image and a folder"),
        ("ir/a.png", "vi/a.png", "fused.jpg", "is not a PNG file"),
        ("ir/a.png", "vi/a.png", "fused.mp4", "fused.mp4: is a video; add --video"),
        ("ir", "vi", "model/card.json", r"card.json: is a file, but folders are fused"),
        ("ir", "vi", "model/card.json/deep", r"deep: cannot be written (Not a directory)"),
        ("ir", "vi", "vi/../ir", "is the folder of the sources; give another --out"),
        ("ir", "vi", "vi", "is the folder of the sources; give another --out"),
        ("ir/a.png", "vi/a.png", "vi", "a.png: is a source and would be overwritten"),
        ("ir/a.png", "vi/a.png", "ir/a.png", "a.png: is a source and would be overwritten"),
    ],
)
def test_what_is_not_a_pair(monkeypatch, capsys, folder, ir, vi, out, message):
    code, _ = run(monkeypatch, capsys, folder, ir, vi, out)
    assert message in code
    assert read_visible(folder / "vi/a.png").pixels.shape == (24, 30, 3)


def test_two_files_of_one_stem_are_named(monkeypatch, capsys, folder):
    Image.open(folder / "vi/a.png").save(folder / "vi/a.jpg")
    code, _ = run(monkeypatch, capsys, folder)
    assert "vi: has two files with one stem: a.jpg, a.png; keep one" in code


def test_what_cannot_be_written_is_reported_and_stops_nobody(monkeypatch, capsys, folder):
    (folder / "out/a.png").mkdir(parents=True)
    code, printed = run(monkeypatch, capsys, folder, "ir", "vi", "out", "--overwrite")
    assert "2 fused" in printed
    assert "out/a.png: cannot be written (Is a directory); look at" in code
    assert not list((folder / "out").glob(".*"))


def test_a_device_that_is_not_here(monkeypatch, capsys, folder):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    code, _ = run(monkeypatch, capsys, folder, "ir", "vi", "out", "--device=cuda")
    assert "cuda: torch finds 0 CUDA devices here" in code


@pytest.mark.parametrize("bounds", [("5", "2"), ("0", "nan"), ("0", "inf")])
def test_a_range_that_is_none(monkeypatch, capsys, folder, bounds):
    code, _ = run(monkeypatch, capsys, folder, "ir", "vi", "out", "--ir-range", *bounds)
    assert "--ir-range: is empty or not finite; give the lower value first" in code


def test_suffixes_in_capitals(monkeypatch, capsys, folder):
    for kind in ("ir", "vi"):
        (folder / kind / "a.png").rename(folder / kind / "a.PNG")
    assert "3 fused" in run(monkeypatch, capsys, folder)[1]
    code, printed = run(monkeypatch, capsys, folder, "ir/a.PNG", "vi/a.PNG", "fused.PNG")
    assert (code, printed) == (0, f"1 fused into {folder / 'fused.PNG'}\n")
    assert read_visible(folder / "fused.PNG").pixels.shape == (24, 30, 3)


def test_infrared_of_twelve_bits_is_hinted_at_unless_its_range_is_declared(
    monkeypatch, capsys, folder
):
    values = np.random.default_rng(0).integers(0, 4096, (24, 30), dtype=np.uint16)
    Image.fromarray(values).save(folder / "ir/a.png")
    hint = "note: dark, only 12 of 16 bits are used: if it is infrared, declare its range"
    printed = run(monkeypatch, capsys, folder)[1]
    assert f"{hint} (--ir-range 0 4095): {folder / 'ir/a.png'}" in printed
    options = ("--overwrite", "--ir-range", "0", "4095")
    printed = run(monkeypatch, capsys, folder, "ir", "vi", "out", *options)[1]
    assert "dark" not in printed
    assert f"note: scaled from 0..4095: {folder / 'ir/a.png'}" in printed


def test_pairs_that_are_shifted_are_noted_and_aligned_ones_are_not(monkeypatch, capsys, folder):
    for right, kinds in ((7, ("ir7", "vi7")), (0, ("ir0", "vi0"))):
        for kind in kinds:
            (folder / kind).mkdir()
        for seed in range(6):
            for kind, image in zip(kinds, shifted_scene(seed, right, 0), strict=True):
                write_image(folder / kind / f"{seed}.png", np.ascontiguousarray(image))
    printed = run(monkeypatch, capsys, folder, "ir7", "vi7", "out7")[1]
    assert "note: the infrared images lie about 7 pixels to the right of the visible" in printed
    assert "in 6 of 6 pairs" in printed
    assert "note" not in run(monkeypatch, capsys, folder, "ir7", "vi7", "out7")[1], "all is there"
    assert "note" not in run(monkeypatch, capsys, folder, "ir0", "vi0", "out0")[1]
