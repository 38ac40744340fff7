import json
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from segmentation_models_pytorch.encoders import encoders

from fusion.core.errors import InputError
from segmentation.config import SegmentationConfig
from segmentation.models import build

TIMM = "tu-test_resnet"  # 0.1 M parameters


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of downloads, and no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


def config(encoder, weights, **settings):
    options = {"DeepLabV3Plus": {"decoder_channels": 16, "encoder_depth": 4}}
    settings = {"options": options, **settings}
    return SegmentationConfig(encoder=encoder, encoder_weights=weights, **settings)


def as_published(seed=5):
    """timm's own file: the whole classifier's state."""
    torch.manual_seed(seed)
    model = timm.create_model(TIMM.removeprefix("tu-"))
    return {name: value.clone() for name, value in model.state_dict().items()}


def keep(cache, repository, revision, *files):
    """Files as an earlier download has left them."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs/main").write_text(revision)
    (folder / "snapshots" / revision).mkdir(parents=True)
    for write, name in files:
        write(folder / "snapshots" / revision / name)


@pytest.mark.parametrize("encoder", ["resnet18", TIMM, f"{TIMM}.r160_in1k"])
def test_weights_that_cannot_be_downloaded_are_one_message(encoder):
    reason = rf"weights of {encoder} are not cached here and cannot be downloaded: .*set encoder_w"
    with pytest.raises(InputError, match=rf"(?s)encoder_weights: imagenet: {reason}"):
        build(config(encoder, "imagenet"))


@pytest.mark.parametrize(
    ("encoder", "name", "reason"),
    [
        ("resnet18", "imagenat", "has none of this name .*imagenet.*ssl.*swsl"),
        (TIMM, "r160_in1k", rf"give it with the encoder, {TIMM}.r160_in1k, and set imagenet here"),
        ("tu-no_such_model", "imagenet", "has none of this name"),
    ],
)
def test_names_that_an_encoder_does_not_have_are_refused(encoder, name, reason):
    with pytest.raises(InputError, match=rf"encoder_weights: {name}: .*{reason}"):
        build(config(encoder, name))


class Payload:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


@pytest.mark.parametrize("encoder", [TIMM, "resnet18"])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_hostile_file_is_refused_and_its_payload_does_not_run(tmp_path, encoder, legacy):
    file, ran = tmp_path / "hostile.pth", tmp_path / "ran"
    state = as_published() | {"extra": Payload(ran)}
    torch.save(state, file, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(InputError, match=r"hostile\.pth: holds more than tensors"):
        build(config(encoder, str(file)))
    assert not ran.exists()
    torch.load(file, weights_only=False)
    assert ran.exists(), "the payload is one"


@pytest.mark.parametrize("encoder", [TIMM, f"{TIMM}.r160_in1k"])
def test_cached_weights_of_timm_need_no_network(cache, encoder):
    state = as_published()
    keep(
        cache,
        "timm/test_resnet.r160_in1k",
        "0" * 40,
        (lambda p: save_file(state, p), "model.safetensors"),
    )
    network = build(config(encoder, "imagenet"))
    cfg = timm.models.get_pretrained_cfg("test_resnet.r160_in1k")
    assert network.mean.flatten().tolist() == pytest.approx(cfg.mean)
    assert_loaded(network, state)


def test_cached_weights_of_the_library_need_no_network(cache):
    known = encoders["resnet18"]["pretrained_settings"]["imagenet"]
    torch.manual_seed(3)
    state = dict(timm.create_model("resnet18").state_dict())
    statistics = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    keep(
        cache,
        known["repo_id"],
        known["revision"],
        (lambda path: save_file(state, path), "model.safetensors"),
        (lambda path: path.write_text(json.dumps(statistics)), "config.json"),
    )
    network = build(config("resnet18", "imagenet"))
    assert torch.equal(network.network.encoder.conv1.weight, state["conv1.weight"])
    assert network.mean.flatten().tolist() == pytest.approx(statistics["mean"])
    assert network.std.flatten().tolist() == pytest.approx(statistics["std"])


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_file_as_timm_publishes_it_is_loaded(tmp_path, suffix):
    state, file = as_published(), tmp_path / f"model{suffix}"
    save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
    assert_loaded(build(config(TIMM, str(file))), state)


def test_a_file_of_one_of_the_librarys_encoders_is_taken_to_be_trained_on_imagenet(tmp_path):
    torch.manual_seed(3)
    state = timm.create_model("resnet18").state_dict()
    torch.save(state, tmp_path / "resnet18.pth")
    network = build(config("resnet18", str(tmp_path / "resnet18.pth")))
    assert torch.equal(network.network.encoder.conv1.weight, state["conv1.weight"])
    assert network.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])


def test_a_file_of_another_timm_model_is_refused_instead_of_loaded_in_part(tmp_path):
    other = {name: value for name, value in as_published().items() if "layer4" not in name}
    save_file(other, tmp_path / "part.safetensors")
    with pytest.raises(
        InputError, match=r"part\.safetensors: holds no weights of .*tensors do not"
    ):
        build(config(TIMM, str(tmp_path / "part.safetensors")))


def assert_loaded(network, state):
    loaded = network.network.encoder.model.state_dict()
    assert loaded
    assert all(torch.equal(value, state[name]) for name, value in loaded.items())
