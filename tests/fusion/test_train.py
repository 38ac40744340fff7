import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from fusion.methods.pomai import MICMConfig, NGMMConfig, PoMAI, PoMAIConfig, StageOne, StageTwo
from fusion.runtime import RuntimeConfig
from fusion.sampler import CropSampler, load_pairs, step_seed
from fusion.train import TrainingError, launch, train_phase

TINY = PoMAIConfig(channels=4, heads=2, blocks=1, ngmm=NGMMConfig(group_size=30))
RUNTIME = RuntimeConfig(accelerator="cpu", checkpoint_seconds=0.0)


def schedule(**changes):
    values = {"epochs": 3, "batch_size": 2, "crop": 16, "learning_rate": 1e-2, "decay_epochs": 1}
    return StageOne(**(values | changes))


def fresh_phase(settings, seed=0):
    torch.manual_seed(seed)
    return PoMAI.start_phase("stage_one", TINY, settings, None)


def trained(folder, checkpoints, settings=None, seed=0, runtime=RUNTIME, on_epoch=lambda _: None):
    settings = settings or schedule()
    phase = fresh_phase(settings)
    report = train_phase(
        launch(runtime),
        phase,
        load_pairs([folder], 16),
        settings,
        runtime=runtime,
        seed=seed,
        checkpoints=checkpoints,
        on_epoch=on_epoch,
    )
    return phase.method.state_dict(), report


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.fixture(scope="module")
def folder(pair_folder):
    return pair_folder()


def test_updates_are_adams_on_the_samplers_crops(folder, tmp_path):
    """The loop against a plain one written out here."""
    settings = schedule(epochs=2)
    runtime = RUNTIME.model_copy(update={"channels_last": False})
    weights, report = trained(folder, tmp_path, settings, runtime=runtime)
    assert report.updates == 2 * 3
    plain = fresh_phase(settings)
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-2)
    sampler = CropSampler(load_pairs([folder], 16), 2, 16, seed=0)
    for step in range(6):
        optimizer.param_groups[0]["lr"] = 1e-2 * 0.5 ** (step // 3)
        torch.manual_seed(step_seed(0, step))
        optimizer.zero_grad()
        plain(sampler.batch(step, torch.device("cpu")))["loss"].backward()
        optimizer.step()
    for name, value in plain.method.state_dict().items():
        torch.testing.assert_close(weights[name], value, atol=1e-4, rtol=1e-4)


def test_seeds_decide_the_weights(folder, tmp_path):
    first, _ = trained(folder, tmp_path / "a")
    again, _ = trained(folder, tmp_path / "b")
    other, _ = trained(folder, tmp_path / "c", seed=1)
    assert same(first, again)
    assert not same(first, other)


def test_a_finished_run_is_not_redone_and_another_one_is_not_mistaken_for_it(folder, tmp_path):
    weights, _ = trained(folder, tmp_path)
    again, report = trained(folder, tmp_path)
    assert report.resumed_from == report.updates
    assert same(weights, again)
    _, changed = trained(folder, tmp_path, schedule(learning_rate=2e-2))
    assert changed.resumed_from == 0


def test_a_damaged_checkpoint_is_reported_and_the_one_before_used(folder, tmp_path):
    weights, _ = trained(folder, tmp_path)
    newest = max(tmp_path.glob("*-step-*"))
    (newest / "weights.safetensors").write_bytes(b"half")
    with pytest.warns(UserWarning, match="is damaged"):
        again, report = trained(folder, tmp_path)
    assert report.resumed_from == report.updates - 1
    assert same(weights, again)


def test_frozen_weights_survive_the_loop_bit_by_bit(folder, tmp_path):
    first = fresh_phase(schedule()).method
    before = {name: value.clone() for name, value in first.state_dict().items()}
    settings = StageTwo(**schedule().model_dump(), micm=MICMConfig())
    phase = PoMAI.start_phase("stage_two", TINY, settings, first)
    store = load_pairs([folder], 16)
    train_phase(
        launch(RUNTIME), phase, store, settings, runtime=RUNTIME, seed=0, checkpoints=tmp_path
    )
    after = phase.method.state_dict()
    assert same(before, after)
    assert set(after) - set(before) == {f"micm.{name}" for name in phase.method.micm.state_dict()}


def test_epoch_means_are_reported_with_norm_and_rate(folder, tmp_path):
    seen = []
    trained(folder, tmp_path, on_epoch=seen.append)
    names = {"loss", "ssim", "mse", "intensity", "gradient", "gradient_norm", "learning_rate"}
    assert [set(means) for means in seen] == [names] * 3
    assert [means["learning_rate"] for means in seen] == [1e-2, 5e-3, 2.5e-3]


def test_a_loss_that_is_not_finite_stops_with_the_step_and_the_images(folder, tmp_path):
    with pytest.raises(TrainingError, match=r"loss, .*not finite at step 1, with pairs\d/\d\d"):
        trained(folder, tmp_path, schedule(epochs=20, learning_rate=1e30))
    assert list(tmp_path.glob("*-step-*"))


def test_nothing_to_train_is_nothing_done(folder, tmp_path):
    weights, report = trained(folder, tmp_path, schedule(epochs=0))
    assert report.updates == 0
    assert same(weights, fresh_phase(schedule()).method.state_dict())


def test_bfloat16_trains_to_nearly_the_same_loss(folder, tmp_path):
    losses = {}
    for precision in ("32-true", "bf16-mixed"):
        runtime = RUNTIME.model_copy(update={"precision": precision})
        means = []
        trained(folder, tmp_path / precision, runtime=runtime, on_epoch=means.append)
        losses[precision] = means[-1]["loss"]
    assert losses["bf16-mixed"] == pytest.approx(losses["32-true"], rel=0.01)


RUN = """
import sys
from pathlib import Path
from safetensors.torch import save_file
sys.path.insert(0, {tests!r})
from test_train import schedule, trained
weights, _ = trained(Path(sys.argv[1]), Path(sys.argv[2]), schedule(epochs=12))
save_file({{name: value.contiguous() for name, value in weights.items()}}, sys.argv[3])
"""


@pytest.mark.slow
def test_a_killed_run_ends_with_the_weights_of_one_that_never_stopped(folder, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(RUN.format(tests=str(Path(__file__).parent)))

    def start(name):
        command = [sys.executable, script, folder, tmp_path / name, tmp_path / f"{name}.st"]
        return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})

    assert start("whole").wait() == 0
    for steps in (4, 13, 22):
        process = start("killed")
        while process.poll() is None and not _reached(tmp_path / "killed", steps):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert start("killed").wait() == 0
    assert same(load_file(tmp_path / "whole.st"), load_file(tmp_path / "killed.st"))


def _reached(checkpoints, steps):
    return any(int(path.name[5:]) >= steps for path in checkpoints.glob("step-*"))
