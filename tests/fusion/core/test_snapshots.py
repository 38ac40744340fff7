import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from fusion.core.snapshots import FACTS, Snapshot, SnapshotFolder


def snapshot(step):
    return Snapshot(step, {"weights": b"w" * step, "state": bytes([step])})


@pytest.fixture
def folder(tmp_path):
    return SnapshotFolder(tmp_path, "a" * 32)


def steps(folder):
    return sorted(int(path.name[-9:]) for path in folder.path.iterdir())


def test_what_is_saved_is_loaded(folder):
    assert folder.latest() is None
    folder.save(snapshot(3))
    assert folder.latest() == snapshot(3)


def test_the_last_ones_are_kept(folder):
    for step in (9, 10, 100):
        folder.save(snapshot(step))
    assert steps(folder) == [10, 100]
    folder.save(snapshot(101), keep=1)
    assert steps(folder) == [101]


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("name", ["weights", "state", FACTS])
def test_every_flipped_byte_is_found_or_harmless(folder, caplog, name, step):
    """Each byte of each file in turn: the snapshot before is read, or the same one."""
    for number in (1, 2):
        folder.save(snapshot(number))
    path = folder.path / f"{'a' * 12}-step-{step:09d}" / name
    original = path.read_bytes()
    for place in range(len(original)):
        for bit in (1, 128):
            changed = bytearray(original)
            changed[place] ^= bit
            path.write_bytes(changed)
            assert folder.latest() in (snapshot(1), snapshot(2))
    path.write_bytes(original[:-1])
    caplog.clear()
    assert folder.latest() == snapshot(1 if step == 2 else 2)
    assert ("step-000000002 is damaged" in caplog.text) == (step == 2)


def test_a_run_that_starts_again_keeps_its_new_snapshots(folder, caplog):
    """Damaged ones of later steps must not push the new ones out."""
    for step in (8, 9):
        folder.save(snapshot(step))
    for path in folder.path.glob("*/state"):
        path.write_bytes(b"")
    assert folder.latest() is None
    assert "holds no whole checkpoint: starting afresh" in caplog.text
    for step in (1, 2):
        folder.save(snapshot(step))
        assert folder.latest() == snapshot(step)
    assert steps(folder) == [1, 2]


@pytest.mark.parametrize("facts", ["", "[]", "null", "{}", '{"identity": 1}', "\xff"])
def test_facts_of_any_other_form_are_damage(folder, facts):
    folder.save(snapshot(1))
    folder.save(snapshot(2))
    (folder.path / f"{'a' * 12}-step-000000002" / FACTS).write_text(facts)
    assert folder.latest() == snapshot(1)


def test_windows_keeps_snapshots_too(folder, monkeypatch):
    """There folders cannot be opened, and only what is open for writing can be flushed."""
    writable, plain = set(), os.open

    def opened(path, flags):
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied", str(path))
        handle = plain(path, flags)
        writable.update({handle} if flags & os.O_RDWR else ())
        return handle

    def fsync(handle):
        if handle not in writable:
            raise OSError(9, "Bad file descriptor")

    windows = SimpleNamespace(open=opened, fsync=fsync, close=os.close)
    windows.O_RDONLY, windows.O_RDWR = os.O_RDONLY, os.O_RDWR
    monkeypatch.setattr("fusion.core.snapshots.os", windows)
    monkeypatch.setattr(
        "fusion.core.snapshots.sys", SimpleNamespace(platform="win32"), raising=False
    )
    folder.save(snapshot(3))
    assert folder.latest() == snapshot(3)
