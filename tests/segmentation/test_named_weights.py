"""Whether encoder weights by name can be had is known before training."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from fusion.core.errors import InputError
from segmentation.config import SegmentationConfig
from segmentation.models import require_buildable
from segmentation.named_weights import require_obtainable


class Hub(BaseHTTPRequestHandler):
    """Has the weights of two encoders."""

    def do_HEAD(self):
        known = "resnet18.imagenet" in self.path or "mobilenetv3_small_050" in self.path
        self.send_response(200 if known else 404)
        self.end_headers()

    def log_message(self, *_):
        """Nothing on the terminal."""


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def answer_at(address, monkeypatch):
    template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def hub(monkeypatch):
    server = HTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    answer_at(f"http://127.0.0.1:{server.server_port}", monkeypatch)
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("encoder", ["resnet18", "tu-mobilenetv3_small_050"])
def test_weights_to_download_are_announced(hub, encoder):
    (note,) = require_obtainable(encoder, "imagenet")
    assert note.startswith(f"the weights of {encoder} will be downloaded from Hugging Face (")


def test_weights_that_are_not_offered_are_refused(hub):
    with pytest.raises(InputError, match=r"resnet34 are not cached here and cannot .* answers 404"):
        require_obtainable("resnet34", "imagenet")


def test_weights_out_of_reach_are_refused(monkeypatch):
    answer_at("http://127.0.0.1:9", monkeypatch)
    with pytest.raises(InputError, match=r"cannot be downloaded: .*set encoder_weights to"):
        require_obtainable("resnet18", "imagenet")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="cannot be downloaded: HF_HUB_OFFLINE is set"):
        require_obtainable("tu-mobilenetv3_small_050", "imagenet")


def test_cached_weights_need_no_network(monkeypatch, cache):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = cache / "models--timm--mobilenetv3_small_050.lamb_in1k"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs/main").write_text("abc")
    (folder / "snapshots/abc").mkdir(parents=True)
    (folder / "snapshots/abc/model.safetensors").touch()
    assert require_obtainable("tu-mobilenetv3_small_050", "imagenet") == []


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"encoder": "tu-resnet19"}, "timm has no 'resnet19'; did you mean .*tu-resnet18"),
        ({"architecture": "DPT"}, "DPT with encoder mobilenet_v2: cannot be built"),
        ({"encoder": "densenet121"}, "DeepLabV3Plus with encoder densenet121: cannot be built"),
        ({"options": {"DeepLabV3Plus": {"decoder_channel": 8}}}, "did you mean decoder_channels"),
    ],
)
def test_networks_that_cannot_be_built_are_refused(settings, reason):
    with pytest.raises(InputError, match=reason):
        require_buildable(SegmentationConfig(**settings))
