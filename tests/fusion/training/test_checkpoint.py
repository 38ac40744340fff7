from pickle import UnpicklingError

import pytest
import torch

from fusion.training.checkpoint import Checkpoint, CheckpointFolder


def checkpoint(step):
    moments = {"exp_avg": torch.full((2, 3), 0.1 * step), "step": step}
    return Checkpoint(step, {"weight": torch.full((4,), float(step))}, {"state": {0: moments}})


@pytest.fixture
def folder(tmp_path):
    return CheckpointFolder(tmp_path, "a" * 32)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_saved_is_loaded(folder):
    assert folder.latest() is None
    folder.save(checkpoint(3))
    found = folder.latest()
    assert found.step == 3
    assert torch.equal(found.weights["weight"], torch.full((4,), 3.0))
    assert torch.equal(found.state["state"][0]["exp_avg"], torch.full((2, 3), 0.1 * 3))


def test_the_last_two_are_kept(folder, tmp_path):
    for step in (9, 10, 100):
        folder.save(checkpoint(step))
    assert [name[-3:] for name in names(tmp_path)] == ["010", "100"]
    assert folder.latest().step == 100


def test_another_run_neither_loads_nor_removes_them(folder, caplog, tmp_path):
    for step in (50, 60):
        folder.save(checkpoint(step))
    other = CheckpointFolder(tmp_path, "b" * 32)
    assert other.latest() is None
    assert "other settings or data only: starting afresh" in caplog.text
    for step in (1, 2, 3):
        other.save(checkpoint(step))
    assert other.latest().step == 3
    assert folder.latest().step == 60
    assert len(names(tmp_path)) == 4


@pytest.mark.parametrize("name", ["weights.safetensors", "state.pt", "run.json"])
@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:-7]),
        lambda path: path.write_bytes(path.read_bytes()[:-7] + b"\xff" + path.read_bytes()[-6:]),
    ],
    ids=["missing", "truncated", "one byte changed"],
)
def test_a_damaged_one_is_reported_and_the_one_before_used(folder, caplog, name, harm, tmp_path):
    folder.save(checkpoint(1))
    folder.save(checkpoint(2))
    harm(tmp_path / f"{'a' * 12}-step-000000002" / name)
    assert folder.latest().step == 1
    assert "step-000000002 is damaged" in caplog.text


def test_what_a_killed_write_leaves_behind_is_no_checkpoint(folder, tmp_path):
    folder.save(checkpoint(1))
    unfinished = tmp_path / ".writing"
    unfinished.mkdir()
    (unfinished / "weights.safetensors").write_bytes(b"half")
    assert folder.latest().step == 1
    folder.save(checkpoint(2))
    assert folder.latest().step == 2
    assert not unfinished.exists()


def test_code_in_a_checkpoint_is_not_run(folder):
    folder.save(Checkpoint(1, {}, {"state": print}))
    with pytest.raises(UnpicklingError):
        folder.latest()
