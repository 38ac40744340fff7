import itertools
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.fabric.accelerators import MPSAccelerator

import fusion.blocks.losses
import fusion.methods.pomai.network
from fusion.core import code
from fusion.core.config import RuntimeConfig
from fusion.core.errors import InputError
from fusion.core.files import file_digest
from fusion.core.processes import launch
from fusion.core.runtime import pick_device
from fusion.images.decode import read_infrared, write_image
from fusion.methods.base import Fault, TrainingPhase
from fusion.methods.pomai.config import (
    FusionLossConfig,
    MICMConfig,
    NGMMConfig,
    PoMAIConfig,
    PoMAIStageOnePhaseConfig,
    PoMAIStageTwoPhaseConfig,
)
from fusion.methods.pomai.method import PoMAI
from fusion.metrics import compute
from fusion.training import loop as train
from fusion.training.faults import TrainingError
from fusion.training.loop import learning_rate, train_phase
from fusion.training.sampler import CropSampler, PairStore, load_pairs, step_seed

TINY = PoMAIConfig(channels=4, heads=2, blocks=1, ngmm=NGMMConfig(group_size=30))
RUNTIME = RuntimeConfig(accelerator="cpu", checkpoint_seconds=0.0)


def schedule(**changes):
    values = {"epochs": 3, "batch_size": 2, "crop": 16, "learning_rate": 1e-2, "decay_epochs": 1}
    return PoMAIStageOnePhaseConfig(**(values | changes))


def fresh_phase(settings, seed=0, network=TINY):
    torch.manual_seed(seed)
    return PoMAI.start_phase("stage_one", network, settings, None)


def trained(
    folder, checkpoints, settings=None, seed=0, start=0, runtime=RUNTIME, network=TINY, **hooks
):
    settings = settings or schedule()
    phase = fresh_phase(settings, start, network)
    report = train_phase(
        launch(runtime),
        phase,
        load_pairs([folder], 16),
        settings,
        runtime=runtime,
        seed=seed,
        checkpoints=checkpoints,
        **hooks,
    )
    return phase.method.state_dict(), report


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.fixture(scope="module")
def folder(pair_folder):
    return pair_folder()


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    checkpoints = tmp_path_factory.mktemp("finished")
    trained(folder, checkpoints)
    return checkpoints


@pytest.fixture
def after(finished, tmp_path):
    """Checkpoints of a finished run, for one test to use."""
    return shutil.copytree(finished, tmp_path / "after")


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


def test_a_finished_run_is_not_redone(folder, tmp_path):
    weights, _ = trained(folder, tmp_path)
    again, report = trained(folder, tmp_path)
    assert report.resumed_from == report.updates
    assert same(weights, again)


@pytest.mark.parametrize(
    "change",
    [
        {"settings": schedule(learning_rate=2e-2)},
        {"seed": 1},
        {"start": 1},
        {"runtime": RUNTIME.model_copy(update={"precision": "bf16-mixed"})},
        # settings of the network that no initial weight shows
        {"network": TINY.model_copy(update={"loss": FusionLossConfig(gradient=20)})},
        {"network": TINY.model_copy(update={"skip": "brighter"})},
    ],
)
def test_a_run_is_not_resumed_from_another_one(folder, after, caplog, change):
    _, report = trained(folder, after, **change)
    assert "of other settings or data only" in caplog.text
    assert report.resumed_from == 0
    _, report = trained(folder, after)
    assert report.resumed_from == report.updates


@pytest.mark.parametrize("module", [train, fusion.methods.pomai.network, fusion.blocks.losses])
def test_a_run_is_not_resumed_by_other_code(folder, after, monkeypatch, module):
    edited = Path(module.__file__)

    def digest_after_an_edit(path):
        return "edited" if path == edited else file_digest(path)

    monkeypatch.setattr(code, "file_digest", digest_after_an_edit)
    assert trained(folder, after)[1].resumed_from == 0


def test_a_run_is_not_resumed_with_other_images(pair_folder, tmp_path):
    folder = pair_folder()
    trained(folder, tmp_path)
    path = folder / "ir" / "00.png"
    write_image(path, 255 - read_infrared(path).pixels)
    _, report = trained(folder, tmp_path)
    assert report.resumed_from == 0


def test_frozen_weights_survive_the_loop_bit_by_bit(folder, tmp_path):
    first = fresh_phase(schedule()).method
    before = {name: value.clone() for name, value in first.state_dict().items()}
    settings = PoMAIStageTwoPhaseConfig(**schedule().model_dump(), micm=MICMConfig())
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


def test_a_cosine_schedule_falls_from_the_rate_towards_zero(folder, tmp_path):
    seen = []
    settings = schedule(epochs=4, schedule="cosine")
    trained(folder, tmp_path, settings, on_epoch=seen.append)
    rates = [means["learning_rate"] for means in seen]
    half = 0.5**0.5
    assert rates == pytest.approx([1e-2, (1 + half) / 2 * 1e-2, 0.5e-2, (1 - half) / 2 * 1e-2])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["steps", "cosine"])
def test_a_resumed_run_reports_all_epochs_as_one_that_never_stopped(folder, tmp_path, kind):
    settings = schedule(schedule=kind)
    whole, resumed = [], []
    trained(folder, tmp_path / "whole", settings, on_epoch=whole.append)

    calls = itertools.count(1)

    def stop_in_the_sixth_step(module, inputs):
        if isinstance(module, PoMAI) and next(calls) == 6:
            raise KeyboardInterrupt

    hook = torch.nn.modules.module.register_module_forward_pre_hook(stop_in_the_sixth_step)
    with hook, pytest.raises(KeyboardInterrupt):
        trained(folder, tmp_path / "resumed", settings)
    _, report = trained(folder, tmp_path / "resumed", settings, on_epoch=resumed.append)
    assert report.resumed_from == 5
    assert resumed == whole


def test_gradients_are_clipped_to_the_wanted_norm(folder, tmp_path):
    """Adam forgives a constant factor, so the norms are read from its first moment."""
    settings = schedule(epochs=1, batch_size=5, gradient_clip=0.5)
    seen = []
    trained(folder, tmp_path, settings, on_epoch=seen.append)
    state = torch.load(next(tmp_path.glob("*-step-000000001")) / "state.pt", weights_only=True)
    moments = [values["exp_avg"].norm() for values in state["optimizer"]["state"].values()]
    assert seen[0]["gradient_norm"] > 0.5
    assert torch.stack(moments).norm().item() == pytest.approx(0.1 * 0.5, rel=1e-3)


def test_pictures_are_made_on_schedule_and_leave_no_trace(folder, tmp_path):
    seen = {}
    with_pictures, _ = trained(
        folder, tmp_path / "a", on_pictures=seen.__setitem__, pictures_every=2
    )
    without, _ = trained(folder, tmp_path / "b")
    assert same(with_pictures, without)
    assert list(seen) == [2, 3]
    assert seen[2].shape == (4 * 16, 3 * 16, 3)
    assert seen[2].dtype == np.uint8
    assert (seen[2][:, :16] == seen[2][:, :16, :1]).all(), "infrared is gray"
    assert not (seen[2] == seen[3]).all()


def test_a_run_that_is_called_again_shows_the_pictures_it_made(folder, tmp_path):
    first, again = {}, {}
    for seen in (first, again):
        trained(folder, tmp_path / "a", on_pictures=seen.__setitem__, pictures_every=2)
    assert first.keys() == again.keys() != set()
    for epoch, grid in first.items():
        np.testing.assert_array_equal(again[epoch], grid)


def test_a_batch_that_processes_cannot_share_evenly_is_refused(folder, tmp_path):
    fabric = SimpleNamespace(world_size=2)
    settings = schedule(batch_size=3)
    store = load_pairs([folder], 16)
    with pytest.raises(TrainingError, match=r"batch_size: 3 crops .* by 2 processes"):
        train_phase(
            fabric,
            fresh_phase(settings),
            store,
            settings,
            runtime=RUNTIME,
            seed=0,
            checkpoints=tmp_path,
        )


def test_missing_devices_are_named():
    wanted = torch.cuda.device_count() + 1
    with pytest.raises(InputError, match=f"{wanted} CUDA devices are requested"):
        launch(RuntimeConfig(accelerator="cuda", devices=wanted))


def test_training_is_where_fusing_is(monkeypatch):
    """On a Mac too, whose GPU torch has and Lightning prefers."""
    monkeypatch.setattr(MPSAccelerator, "is_available", lambda: True)
    monkeypatch.setattr(MPSAccelerator, "get_parallel_devices", lambda _: [torch.device("mps")])
    runtime = RuntimeConfig()
    assert launch(runtime).device.type == pick_device(runtime).type


def test_a_loss_that_is_not_finite_stops_with_the_step_and_the_images(folder, tmp_path):
    with pytest.raises(TrainingError, match=r"loss, .*not finite at step 1, with pairs\d+/\d\d"):
        trained(folder, tmp_path, schedule(epochs=20).model_copy(update={"learning_rate": 1e30}))
    assert list(tmp_path.glob("*-step-*"))


def test_the_rate_rises_over_the_first_updates_and_then_follows_the_schedule():
    settings = schedule(warm_up_updates=4)
    rates = [learning_rate(settings, step, 3) for step in range(9)]
    assert rates == pytest.approx([2.5e-3, 5e-3, 7.5e-3, 5e-3, 5e-3, 5e-3, 2.5e-3, 2.5e-3, 2.5e-3])
    plain = [learning_rate(schedule(), step, 3) for step in range(9)]
    assert plain == [1e-2 * 0.5 ** (step // 3) for step in range(9)]


def test_the_optimizer_takes_the_warm_up(folder, tmp_path):
    """Adam's first update is the rate in size, whatever the gradient."""
    settings = schedule(epochs=1, batch_size=6, warm_up_updates=10)
    start = fresh_phase(settings).method.state_dict()
    weights, _ = trained(folder, tmp_path, settings)
    steps = [(weights[name] - value).abs().max().item() for name, value in start.items()]
    assert max(steps) == pytest.approx(1e-3, rel=1e-3)


def test_a_fault_of_the_phase_stops_the_run_and_keeps_its_checkpoints(
    folder, tmp_path, monkeypatch
):
    def fault(self, means):
        return Fault(f"loss is {means['loss']:.0f}", "train less") if len(seen) == 2 else None

    seen = []
    monkeypatch.setattr(TrainingPhase, "fault", fault)
    with pytest.raises(TrainingError, match=r"loss is \d+ at step 6; train less") as caught:
        trained(folder, tmp_path, on_epoch=seen.append)
    assert caught.value.path == tmp_path
    monkeypatch.undo()
    _, report = trained(folder, tmp_path)
    assert report.resumed_from == 6


def test_nothing_to_train_is_nothing_done(folder, tmp_path):
    weights, report = trained(folder, tmp_path, schedule(epochs=0))
    assert report.updates == 0
    assert same(weights, fresh_phase(schedule()).method.state_dict())


@pytest.mark.slow
def test_bfloat16_trains_to_nearly_the_same_fusion(folder, tmp_path):
    """Metrics of what is fused afterwards, in float32, differ by less than two per cent."""
    store = load_pairs([folder], 24)
    batch = store.crops(torch.arange(5), 24, torch.full((5, 4), 0.6))
    values = {}
    for precision in ("32-true", "bf16-mixed"):
        runtime = RUNTIME.model_copy(update={"precision": precision})
        weights, _ = trained(folder, tmp_path / precision, schedule(epochs=8), runtime=runtime)
        method = PoMAI(TINY).eval()
        method.load_state_dict(weights)
        with torch.inference_mode():
            fused = (method(batch.infrared, batch.visible) * 255).round().clamp(0, 255)
        metrics = compute(fused, fused, fused, ["SD", "SF", "AG"])
        values[precision] = [value.mean().item() for value in metrics.values()]
    assert values["bf16-mixed"] != values["32-true"]
    assert values["bf16-mixed"] == pytest.approx(values["32-true"], rel=0.02)


@pytest.mark.parametrize(("kept", "teachers"), [("cuda", 0), ("cpu", 2)])
def test_images_of_teachers_count_when_the_device_may_keep_the_images(monkeypatch, kept, teachers):
    none = torch.zeros(0, dtype=torch.int64)
    pixels, fused = (torch.zeros(10, width, dtype=torch.uint8) for width in (4, 2 * teachers))
    store = PairStore(pixels, fused, teachers, none, none, none, ())
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (100, 1000))
    assert train.cache_device(store, RuntimeConfig(), torch.device("cuda")).type == kept
