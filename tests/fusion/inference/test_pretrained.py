import http.server
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
import torch

import fusion
from fusion.core.errors import InputError
from fusion.images.color import luminance
from fusion.inference.fuse import fuse_batch
from fusion.inference.pretrained import load, released_networks
from fusion.inference.tiles import MemoryPlan
from fusion.methods.files import save_model
from fusion.methods.pomai.config import NGMMConfig, PoMAIConfig
from fusion.methods.pomai.method import PoMAI


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A saved network, untrained."""
    torch.manual_seed(0)
    network = PoMAI(PoMAIConfig(channels=4, heads=2, blocks=1, ngmm=NGMMConfig(group_size=30)))
    folder = tmp_path_factory.mktemp("model") / "pomai"
    save_model(folder, "pomai", network, {})
    return folder


@pytest.fixture(scope="module")
def pair():
    random = np.random.default_rng(0)
    infrared = random.integers(0, 256, (33, 40), dtype=np.uint8)
    return infrared, random.integers(0, 256, (33, 40, 3), dtype=np.uint8)


def test_arrays_and_tensors_fuse_alike_and_as_the_pipeline_does(folder, pair):
    fuse = load(folder)
    infrared, visible = torch.from_numpy(pair[0])[None, None], torch.from_numpy(pair[1])
    visible = visible.permute(2, 0, 1)[None]
    with torch.inference_mode():
        expected = fuse_batch(fuse.method, infrared, visible, stretched=False)
    assert torch.equal(fuse(infrared, visible), expected)
    fused = fuse(*pair)
    assert fused.dtype == np.uint8
    np.testing.assert_array_equal(fused, expected[0].permute(1, 2, 0).numpy())


def test_gray_stays_gray_and_stretching_fills_the_range(folder, pair):
    fuse, (infrared, visible) = load(folder), pair
    gray = fuse(infrared, visible[..., 0])
    assert gray.shape == infrared.shape
    stretched = fuse(infrared, visible[..., 0], stretch=True)
    assert (stretched.min(), stretched.max()) == (0, 255)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda ir, vi: (ir / 255, vi), TypeError, "uint8"),
        (lambda ir, vi: (ir, torch.from_numpy(vi)), TypeError, "two NumPy arrays or two torch"),
        (lambda ir, vi: (ir[:-1], vi), ValueError, "one size"),
        (lambda ir, vi: (ir[:15], vi[:15]), ValueError, "at least 16×16"),
        (lambda _, vi: (vi, vi), ValueError, "infrared is B×1×H×W"),
    ],
)
def test_what_is_not_a_pair_is_refused(folder, pair, change, error, message):
    with pytest.raises(error, match=message):
        load(folder)(*change(*pair))


def test_a_batch_stays_below_the_ceiling_and_fuses_as_its_pairs_do(folder):
    fuse = load(folder)
    generator = torch.Generator().manual_seed(0)
    infrared, visible = (
        torch.randint(256, (5, planes, 32, 40), generator=generator, dtype=torch.uint8)
        for planes in (1, 3)
    )
    fuse.plan = MemoryPlan(1.0, 2**30 / (2 * 32 * 40) - 64)  # two fit
    seen = []
    fuse.method.register_forward_hook(lambda _, images, __: seen.append(len(images[0])))
    fused = fuse(infrared, visible, stretch=True)
    assert seen == [2, 2, 1]
    pairs = zip(infrared.split(1), visible.split(1), strict=True)
    assert torch.equal(fused, torch.cat([fuse(*pair, stretch=True) for pair in pairs]))


def test_one_file_with_its_card_beside_it(folder, pair, tmp_path):
    shutil.copy(folder / "weights.safetensors", tmp_path / "mine.safetensors")
    with pytest.raises(InputError, match=r"mine\.json: is missing; .* beside its weights"):
        load(tmp_path / "mine.safetensors")
    shutil.copy(folder / "card.json", tmp_path / "mine.json")
    np.testing.assert_array_equal(load(tmp_path / "mine.safetensors")(*pair), load(folder)(*pair))


@pytest.mark.slow
def test_loading_is_the_package_s_front_door_and_costs_nothing_before_it_is_used():
    script = "import sys, fusion; assert 'torch' not in sys.modules; fusion.load"
    subprocess.run([sys.executable, "-c", script], check=True)
    assert fusion.load is load
    with pytest.raises(AttributeError, match="no attribute 'unload'"):
        _ = fusion.unload


@pytest.mark.slow
@pytest.mark.parametrize("name", released_networks())
def test_every_released_network_fuses_a_scene(name):
    """A hot spot in the dark and a pattern in the light are both in the result."""
    infrared, visible = np.full((64, 96), 30, np.uint8), np.full((64, 96, 3), 20, np.uint8)
    infrared[20:40, 10:26] = 230
    visible[:, 48::8] = visible[:, 49::8] = 200
    fused = load(name)(infrared, visible)
    gray = luminance(torch.from_numpy(fused).permute(2, 0, 1)[None].float())[0, 0].numpy()
    assert gray[24:36, 14:22].mean() > gray[24:36, 32:40].mean() + 60
    assert gray[:, 56:88].std() > 30


@pytest.fixture
def hub(folder, monkeypatch, tmp_path):
    """A server that answers as Hugging Face does for `someone/fusion`."""

    class Hub(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(body=False)

        def do_GET(self):
            self.answer(body=True)

        def answer(self, body):
            prefix, _, name = self.path.partition("/resolve/main/")
            file = folder / name
            if prefix != "/someone/fusion" or not file.is_file():
                missing = "Entry" if prefix == "/someone/bare" else "Repo"
                self.send_response(404)
                self.send_header("X-Error-Code", f"{missing}NotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            content = file.read_bytes()
            self.send_response(200)
            self.send_header("ETag", f'"{abs(hash(content)):x}"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    template = f"{endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    yield
    server.shutdown()


def test_a_hugging_face_repository(hub, folder, pair):
    np.testing.assert_array_equal(load("someone/fusion")(*pair), load(folder)(*pair))


def test_a_repository_that_does_not_exist(hub):
    with pytest.raises(InputError, match=r"someone/else: is not a file or folder, and .* no such"):
        load("someone/else")


def test_a_repository_without_a_card(hub):
    message = r"someone/bare: .* does not have weights\.safetensors or card"
    with pytest.raises(InputError, match=message):
        load("someone/bare")


def test_a_repository_without_a_network(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=r"models/pomai: is not a file or folder, .* cannot be reached"
    ):
        load("models/pomai")


@pytest.fixture
def no_hub(monkeypatch):
    def asked(*names):
        raise AssertionError(f"Hugging Face was asked for {names}")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", asked)


@pytest.mark.parametrize(
    "name",
    [
        Path("someone/fusion"),
        Path("pomai-tiny"),
        "someone/fusion.safetensors",
        "./else",
        "pomai-huge",
    ],
)
def test_a_path_is_never_looked_for_on_hugging_face(no_hub, monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    message = "is not a model: this file or folder does not exist; give one"
    with pytest.raises(InputError, match=message):
        load(name)


def test_either_file_of_a_model_stands_for_both(folder, pair, tmp_path):
    expected = load(folder)(*pair)
    for name in ("weights.safetensors", "card.json"):
        np.testing.assert_array_equal(load(folder / name)(*pair), expected)
    shutil.copy(folder / "card.json", tmp_path / "mine.json")
    for name in ("mine.json", "mine.safetensors"):
        with pytest.raises(InputError, match=r"mine\.safetensors: is missing, but its card exists"):
            load(tmp_path / name)
    shutil.copy(folder / "weights.safetensors", tmp_path / "mine.safetensors")
    np.testing.assert_array_equal(load(tmp_path / "mine.json")(*pair), expected)


def test_what_is_there_but_no_model(no_hub, tmp_path):
    (tmp_path / "photo.jpg").write_text("")
    with pytest.raises(InputError, match=r"photo\.jpg: is not a model; give a \.safetensors file"):
        load(tmp_path / "photo.jpg")
    with pytest.raises(InputError, match=r"card\.json: is missing"):
        load(tmp_path)


def test_a_device_that_is_not_here(folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match="cuda:1: torch finds 1 CUDA devices here"):
        load(folder, device="cuda:1")
    for device in ("gpu", "", None, "../../x"):
        with pytest.raises(InputError, match="is not a device"):
            load(folder, device=device)
    for device in ("mps", "meta"):
        with pytest.raises(
            InputError, match=f'{device}: is not a supported kind of device; give "cpu" or'
        ):
            load(folder, device=device)


@pytest.mark.parametrize("memory", [float("nan"), float("inf"), 0, -1, "10", None])
def test_an_impossible_amount_of_memory_is_refused(folder, memory):
    with pytest.raises(InputError, match="is not an amount of memory; give GiB above 0"):
        load(folder, memory_gib=memory)


@pytest.mark.parametrize("name", ["", " ", "pomai-tiny\0", "a/b\0", "x" * 5000, "./" + "y" * 300])
def test_a_name_that_no_file_can_have_is_refused(no_hub, name):
    with pytest.raises(InputError, match=r"is not the name of a model|cannot be looked up"):
        load(name)
