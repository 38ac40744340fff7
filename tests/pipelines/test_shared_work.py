"""Fusing and evaluating, shared by two processes as torchrun starts them, are the work of one."""

import os
import socket

import numpy as np
import pytest
import torch

from fusion.images.decode import write_image
from fusion.images.prepared import PreparedSet
from fusion.methods.files import save_model
from fusion.methods.pomai.config import MICMConfig, NGMMConfig, PoMAIConfig
from fusion.methods.pomai.method import PoMAI
from pipelines.compose import compose
from pipelines.stages import evaluate, fuse
from tests.torchrun import become_rank

SET, SPLIT, COUNT = "msrs", "test", 5
OVERRIDES = [
    "profile=tiny",
    "runtime.accelerator=cpu",
    "datasets.msrs.fuse=[test]",
    "segment_on=[]",
]


@pytest.fixture
def project(tmp_path):
    """A function that makes a working folder for a stage: settings, a model, a prepared set."""
    torch.manual_seed(0)
    config = PoMAIConfig(
        channels=4, heads=2, blocks=1, ngmm=NGMMConfig(group_size=9), micm=MICMConfig()
    )
    save_model(tmp_path / "models/pomai", "pomai", PoMAI(config), {})
    prepared = tmp_path / "data/prepared" / SET
    names = [f"{index:02d}" for index in range(COUNT)]
    generator = np.random.default_rng(0)
    for name in names:
        side = 64 if int(name) % 2 else 48
        for kind, shape in (("ir", (48, side)), ("vi", (48, side, 3))):
            path = prepared / SPLIT / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, generator.integers(0, 256, shape, dtype=np.uint8))
    PreparedSet(
        name=SET,
        layout="msrs",
        classes=None,
        splits={SPLIT: names},
        split_protocol="official",
        checksum="",
        notes={},
        night=None,
    ).save(prepared)

    def make(name, devices):
        folder = tmp_path / name
        folder.mkdir()
        for shared in ("data", "models"):
            (folder / shared).symlink_to(tmp_path / shared)
        compose(folder / "params.yaml", [*OVERRIDES, f"runtime.devices={devices}"])
        return folder

    return make


def stage(main, folder, devices, rank, port):
    """Run a stage in its folder as one of the processes that torchrun starts."""
    os.chdir(folder)
    become_rank(devices, rank, port)
    main("pomai", SET)


@pytest.fixture
def run(start_process):
    """A function that runs a stage in several folders, by one process of a group in each."""

    def start(main, *folders):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        processes = [
            start_process(stage, main, folder, len(folders), rank, port)
            for rank, folder in enumerate(folders)
        ]
        for process in processes:
            process.join()
            assert process.exitcode == 0

    return start


def files(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_two_processes_fuse_and_measure_what_one_does(project, run):
    alone, first, second = project("alone", 1), project("first", 2), project("second", 2)
    run(fuse.main, alone)
    run(fuse.main, first, second)
    expected, *shares = (files(folder / "fused") for folder in (alone, first, second))
    assert len(expected) == COUNT
    assert [len(share) for share in shares] == [3, 2]
    assert shares[0] | shares[1] == expected, "disjoint, and bit for bit"

    for name, content in expected.items():
        for folder in (first, second):
            (folder / f"fused/pomai-{SET}" / SPLIT / name).write_bytes(content)
    run(evaluate.main, alone)
    run(evaluate.main, first, second)
    scores = files(alone / "scores")
    assert set(scores) == {"images.csv", "scores.json"}
    assert scores["images.csv"].count(b"\n") == 1 + COUNT
    assert files(first / "scores") == scores
    assert files(second / "scores") == {}, "only the first process writes"
