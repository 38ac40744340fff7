import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from detection.config import DetectionConfig
from detection.curve import best_epoch
from detection.experiment import BEST, train_and_test
from detection.matches import average_precision
from detection.offline import go_offline
from detection.workspace import build_workspace
from fusion.core.config import RuntimeConfig
from fusion.core.errors import InputError

SETTINGS = {
    "model": "yolov5n",
    "image_size": 64,
    "epochs": 4,
    "batch_size": 4,
    "nominal_batch_size": 4,
    "warmup_epochs": 1.0,
    "mosaic": 0.5,
    "close_mosaic": 1,
    "workers": 0,
    "pictures": 2,
}
NUMBERS = "map50 map50_95 ap50 ap50_95 objects day night best_epoch seed"
RUN = """
import json, os, signal, socket, sys
from dataclasses import asdict
from pathlib import Path

connections = []
def refuse(*arguments):
    connections.append(repr(arguments[1:]))
    raise OSError("no network in this test")
socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = refuse

from detection.config import DetectionConfig
from detection.experiment import train_and_test
from detection.offline import go_offline
from detection.workspace import build_workspace
from fusion.core.config import RuntimeConfig

root, work = map(Path, sys.argv[1:3])
go_offline(work.parent / "ultralytics")
from detection.resumable_trainer import ResumableTrainer
start_epoch = ResumableTrainer._seed_epoch
def noted(trainer):
    with work.with_name("trained").open("a") as file:
        file.write(f"{trainer.epoch + 1} ")
    start_epoch(trainer)
ResumableTrainer._seed_epoch = noted
config = DetectionConfig(**json.loads(sys.argv[3]))
def log(record):
    if record["epoch"] == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
workspace = build_workspace(root / "fused", root / "set", work.with_name("data"))
result = train_and_test(
    workspace, work, config, 0, RuntimeConfig(accelerator="cpu"), log=log
)
numbers = {name: value for name, value in asdict(result).items() if name in sys.argv[5].split()}
print(json.dumps({
    **numbers, "curve": result.curve, "confusion": result.confusion.tolist(),
    "connections": connections,
}))
"""


def numbers(result):
    """What a result measured, ready for JSON."""
    return {name: value for name, value in asdict(result).items() if name in NUMBERS.split()}


def run(shapes, work, home, kill_after=0):
    """The experiment in a process of its own, in a repository that it must leave alone."""
    command = [
        sys.executable,
        "-c",
        RUN,
        shapes,
        work,
        json.dumps(SETTINGS),
        str(kill_after),
        NUMBERS,
    ]
    environment = os.environ | {
        "HOME": str(home),
        "MPLCONFIGDIR": str(home.parent / "matplotlib"),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "ULTRALYTICS_API_KEY": "a key that must not be used",
    }
    for name in [name for name in environment if name.startswith("YOLO_")]:
        del environment[name]
    return subprocess.run(
        command, cwd=home, env=environment, text=True, capture_output=True, check=False
    )


def again(shapes, work, log=None, **changes):
    config = DetectionConfig(**(SETTINGS | changes))
    cpu = RuntimeConfig(accelerator="cpu")
    return train_and_test(workspace_of(shapes, work), work, config, 0, cpu, log=log)


def workspace_of(shapes, work):
    return build_workspace(shapes / "fused", shapes / "set", work.with_name("data"))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("user") / "home"
    home.mkdir()
    (home / "dvc.yaml").write_text("stages: {}\n")
    subprocess.run(["git", "init", "-q"], cwd=home, check=True)
    return home


@pytest.fixture(scope="module")
def whole(shapes, home, tmp_path_factory):
    """What a run that nothing disturbs prints."""
    process = run(shapes, tmp_path_factory.mktemp("whole") / "run", home)
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.mark.slow
def test_no_network_no_home_no_hooks_no_noise(whole, home):
    assert json.loads(whole)["connections"] == []  # and nothing else was printed
    assert sorted(path.name for path in home.iterdir()) == [".git", "dvc.yaml"]
    assert (home / "dvc.yaml").read_text() == "stages: {}\n"


@pytest.mark.slow
def test_a_killed_run_ends_as_if_it_had_never_stopped(whole, shapes, home, tmp_path):
    work = tmp_path / "run"
    for stop, trained in ((2, {"1", "2"}), (SETTINGS["epochs"], {"3", "4"})):
        (tmp_path / "trained").write_text("")
        assert run(shapes, work, home, kill_after=stop).returncode == -signal.SIGKILL
        assert set((tmp_path / "trained").read_text().split()) == trained
    epochs = []
    result = again(shapes, work, log=lambda record: epochs.append(record["epoch"]))
    assert epochs == [1, 2, 3, 4], "the log of a continued run has all epochs"
    expected = json.loads(whole)
    assert numbers(result) == {name: expected[name] for name in numbers(result)}
    assert result.curve == expected["curve"]
    assert [record["epoch"] for record in result.curve] == [1, 2, 3, 4]

    best = work / "train" / "weights" / "best.pt"
    tested = best.stat().st_mtime_ns
    assert numbers(again(shapes, work)) == numbers(result)
    assert best.stat().st_mtime_ns == tested, "a finished run was redone"
    assert len(again(shapes, work, epochs=1).curve) == 1, "another config took up an old run"
    assert best.stat().st_mtime_ns != tested


@pytest.mark.slow
def test_a_result_holds_what_was_found(shapes, tmp_path):
    config = DetectionConfig(**(SETTINGS | {"epochs": 1}))
    cpu = RuntimeConfig(accelerator="cpu")
    work, pictures = tmp_path / "run", tmp_path / "pictures"
    workspace = workspace_of(shapes, work)
    found = train_and_test(workspace, work, config, 1, cpu, pictures=pictures)
    from ultralytics import YOLO  # the experiment ran `prepare`

    json.dumps(numbers(found), allow_nan=False)
    assert found.ap50["disc"] is None  # the test split has none
    assert found.ap50["square"] == pytest.approx(found.map50)
    assert found.objects == {"square": 3, "disc": 0}
    assert (found.day.images, found.day.objects) == (2, {"square": 2, "disc": 0})
    assert (found.night.images, found.night.objects) == (2, {"square": 1, "disc": 0})
    by_hand = replace(found.matches, truth=found.matches.truth * [[0], [0], [1], [1]])
    inside = found.matches.image >= 2
    for name in ("image", "label", "confidence", "correct"):
        by_hand = replace(by_hand, **{name: getattr(found.matches, name)[inside]})
    assert found.day.ap50["square"] == pytest.approx(average_precision(by_hand)[0, 0])
    assert found.day.ap50["disc"] is None
    assert found.confusion.shape == (3, 3)
    assert found.confusion.sum(0)[:2].tolist() == [3, 0]
    assert found.matches.stems == ["00016", "00017", "00018", "00019"]
    assert found.matches.truth.tolist() == [[0, 0], [1, 0], [1, 0], [1, 0]]
    best = work / BEST
    assert set(YOLO(best).names.values()) == {"square", "disc"}
    kept = torch.load(best, weights_only=False)
    assert kept["git"] is kept["date"] is None
    assert str(tmp_path).encode() not in best.read_bytes()
    drawn = [cv2.imread(str(path)) for path in sorted(pictures.iterdir())]
    assert [path.name for path in sorted(pictures.iterdir())] == ["00016.png", "00019.png"]
    assert all(image.shape[0] > 64 and image.shape[1] >= 4 * 64 for image in drawn)

    other = train_and_test(workspace, tmp_path / "other", config, 2, cpu)
    assert other.protocol != found.protocol
    assert not np.array_equal(other.matches.confidence, found.matches.confidence)


def trainer_of(shapes, folder, **changes):
    folder.mkdir(exist_ok=True)
    go_offline(folder / "ultralytics")
    from detection.resumable_trainer import ResumableTrainer
    from detection.train import training_arguments

    config, cpu = DetectionConfig(**(SETTINGS | changes)), RuntimeConfig(accelerator="cpu")
    data = workspace_of(shapes, folder / "run").description
    return ResumableTrainer(overrides=training_arguments(data, folder / "run", config, 0, cpu))


class FakeAlbumentations(ModuleType):
    """As much of it as ultralytics asks for; its transforms change nothing."""

    __version__ = "2.0.8"
    BaseCompose = DualTransform = RandomGridShuffle = type("Never", (), {})

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_, **settings: SimpleNamespace(p=settings.get("p"))

    def Compose(self, *_):  # noqa: N802
        return lambda image: {"image": image}


@pytest.mark.slow
def test_numbers_are_the_same_where_albumentations_is_installed(shapes, tmp_path, monkeypatch):
    """It neither changes images unasked nor draws from the random numbers of what does."""
    curves = []
    for folder in ("without", "with"):
        trainer = trainer_of(shapes, tmp_path / folder, epochs=2)
        trainer.train()
        curves.append(trainer.curve)
        monkeypatch.setitem(sys.modules, "albumentations", FakeAlbumentations("albumentations"))
    assert curves[0] == curves[1]


@pytest.mark.slow
def test_a_mosaic_without_all_images_in_memory_is_refused(shapes, tmp_path, monkeypatch):
    """It would be made of the images read last, which a continued run does not know."""
    short = SimpleNamespace(available=1000, total=1000)
    monkeypatch.setattr("psutil.virtual_memory", lambda: short)
    with pytest.raises(InputError, match=r"fit into free memory.*lower image_size, or set mosaic"):
        trainer_of(shapes, tmp_path / "mosaic", mosaic=0.5)._setup_train()
    trainer_of(shapes, tmp_path / "plain", mosaic=0.0)._setup_train()


@pytest.mark.slow
def test_of_equal_epochs_the_first_is_kept_and_reported(shapes, tmp_path):
    trainer = trainer_of(shapes, tmp_path, epochs=3)
    validate, kept = trainer.validate, []

    def alike():
        metrics, _ = validate()
        trainer.best_fitness = 0.25
        return metrics | {"metrics/mAP50-95(B)": 0.25}, 0.25

    trainer.validate = alike
    trainer.add_callback("on_model_save", lambda trainer: kept.append(trainer.best_weights))
    trainer.train()
    assert best_epoch(trainer.curve) == 1
    assert kept == kept[:1] * 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_the_optimizer_is_the_one_asked_for(shapes, tmp_path, name):
    trainer = trainer_of(shapes, tmp_path, epochs=1, optimizer=name)
    trainer.train()
    assert type(trainer.optimizer).__name__ == name
    assert {group["initial_lr"] for group in trainer.optimizer.param_groups} == {0.01}


@pytest.mark.slow
def test_a_diverging_run_ends_with_the_reason(shapes, tmp_path):
    go_offline(tmp_path)
    from ultralytics.nn.tasks import DetectionModel

    model = DetectionModel("yolov5n.yaml", verbose=False)
    next(model.parameters()).data.fill_(torch.nan)
    torch.save({"model": model}, tmp_path / "broken.pt")
    with pytest.raises(
        InputError, match=r"not finite any more in epoch 1; lower the learning rate"
    ):
        again(shapes, tmp_path / "run", weights=str(tmp_path / "broken.pt"))


@pytest.mark.slow
def test_whatever_of_a_run_is_damaged_the_result_is_the_same(whole, shapes, home, tmp_path, caplog):
    """A killed run and a finished one, each file in turn cut or changed in its middle."""
    work = tmp_path / "run"
    assert run(shapes, work, home, kill_after=2).returncode == -signal.SIGKILL
    killed = shutil.copytree(work, tmp_path / "killed")
    expected = json.loads(whole)
    newest = max((work / "train/checkpoints").glob("*-step-*")).name
    for damage, name in ((cut, "state.pt"), (flip, "best.pt"), (flip, "run.json")):
        shutil.rmtree(work)
        shutil.copytree(killed, work)
        damage(work / "train/checkpoints" / newest / name)
        caplog.clear()
        result = again(shapes, work)
        assert f"{newest} is damaged" in caplog.text
        assert result.curve == expected["curve"]
        assert numbers(result) == {key: expected[key] for key in numbers(result)}


@pytest.mark.slow
def test_a_damaged_finished_run_is_noticed_and_redone(shapes, tmp_path, caplog):
    work = tmp_path / "run"
    result = again(shapes, work, epochs=1)
    finished = next((work / "train/checkpoints").glob("*-step-*"))
    assert sorted(path.name for path in finished.iterdir()) == ["best.pt", "curve.json", "run.json"]
    for file in sorted(finished.iterdir()):
        cut(file)
        caplog.clear()
        redone = again(shapes, work, epochs=1)
        assert "starting afresh" in caplog.text
        assert (numbers(redone), redone.curve) == (numbers(result), result.curve)
    flip(work / BEST)
    caplog.clear()
    restored = again(shapes, work, epochs=1)
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert (numbers(restored), warnings) == (numbers(result), [])


def cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 64
    path.write_bytes(content)
