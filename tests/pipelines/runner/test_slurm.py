"""Stages as jobs of SLURM: on a cluster of one node where its packages are installed."""

import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest
from submitit.slurm.slurm import SlurmJob

from fusion.core.errors import InputError
from pipelines.runner import slurm
from pipelines.runner.gpus import GpuPool
from pipelines.runner.graph import Plan
from pipelines.runner.schedule import Run
from pipelines.runner.slurm import SlurmLauncher, SlurmWorker, parse_options
from tests.pipelines.runner.cluster import Cluster, lacks

OPTIONS = "partition=test,gpus_per_node=1,cpus_per_task=1,timeout_min=10"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if reason := lacks():
        pytest.skip(reason)
    cluster = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_stages_run_as_jobs_with_their_own_gpu(project, serial, cluster):
    printed = project.run("pomai", "repro", "--slurm", OPTIONS, **cluster.environment)
    assert "6 stages ran, 0 were up to date" in printed
    assert (project / "dvc.lock").read_bytes() == serial
    gpus = {name: gpus for name, _, _, gpus in project.ran()}
    assert gpus.pop("start") == gpus.pop("end") == "none"
    assert set(gpus.values()) <= {"0", "1"}, "one of the node's two, chosen by SLURM"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_job_that_fails_or_is_cancelled_stops_only_what_depends_on_it(project, cluster):
    (project / "fail-b").touch()
    (project / "hang-d").touch()
    process = project.start("pomai", "repro", "--slurm", OPTIONS, **cluster.environment)
    project.wait_for("began-d", seconds=400)
    project.wait_for("a.txt", seconds=400)
    project.wait_for("c.txt", seconds=400)
    environment = project.environment | cluster.environment
    subprocess.run(["scancel", "--name=train@d"], env=environment, check=True)
    printed, _ = process.communicate()
    assert process.returncode == 1
    assert "train@b failed with exit status" in printed
    assert "train@d failed with exit status" in printed
    assert {name for name, *_ in project.ran()} == {"start", "a", "c"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_without_srun_jobs_run_on_this_machine(project, serial):
    if shutil.which("srun"):
        project.environment["PATH"] = without_srun(project)
    printed = project.run("pomai", "repro", "--slurm", "timeout_min=10")
    assert "6 stages ran, 0 were up to date" in printed
    assert (project / "dvc.lock").read_bytes() == serial


def without_srun(project):
    """A PATH with what the project needs, and without srun."""
    folder = project / ".bin"
    folder.mkdir()
    for name in ("python", "git", "pomai", "dvc", "sh", "bash"):
        if found := shutil.which(name, path=project.environment["PATH"]):
            (folder / name).symlink_to(found)
    return str(folder)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("partition", "'partition' is not KEY=VALUE"),
        ("partition=gpu", "has no time limit; add timeout_min=240"),
    ],
)
def test_wrong_options_are_named(given, message):
    with pytest.raises(InputError, match=message):
        parse_options(given)


def test_options_have_types():
    options = parse_options("partition=gpu, gpus_per_node=2,timeout_min=90,exclusive=true")
    assert json.dumps(options) == json.dumps(
        {"partition": "gpu", "gpus_per_node": 2, "timeout_min": 90, "exclusive": True}
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("account=0123", "0123"),
        ("begin=16:00:00", "16:00:00"),
        ("qos=no", "no"),
        ("partition=on", "on"),
        ("comment=*x", "*x"),
        ("nice=-5", "-5"),
        ("nodes=0", 0),
        ("mem_gb=1.5", 1.5),
        ("exclusive=false", False),
    ],
)
def test_an_option_is_what_a_shell_would_hand_to_sbatch(option, value):
    found = parse_options(f"{option},timeout_min=1")[option.partition("=")[0]]
    assert (type(found), found) == (type(value), value)


def test_an_option_that_slurm_does_not_have_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="'partitoin' for executor 'slurm'"):
        SlurmLauncher({"partitoin": "gpu", "timeout_min": 5}, lambda _: True, False)


PROGRAM = """#!/bin/sh
echo "$1" >> {log}
grep -qx "$1" {refused} && exit 1
rm -f {folder}/queue/$1
"""


class Interrupting:
    """A launcher of jobs that are in the queue until they are canceled, and a watcher."""

    def __init__(self, folder):
        self.folder, self.updates = folder, 0
        (folder / "queue").mkdir()
        self.queue = slurm._Queue()

    def start(self, stage, gpus, log):
        (self.folder / "queue" / stage).touch()
        return SlurmWorker(SlurmJob(self.folder, stage), self.queue)

    def update(self, running):
        self.updates += 1
        if self.updates == 1 or self.updates == getattr(self, "second", None):
            raise KeyboardInterrupt

    def ended(self, stage, status, seconds):
        pass


@pytest.fixture
def interrupting(tmp_path, monkeypatch):
    """Programs `scancel`, which refuses the jobs in the file `refused`, and `squeue`."""
    log, refused = tmp_path / "scancel.log", tmp_path / "refused"
    scancel = PROGRAM.format(log=log, refused=refused, folder=tmp_path)
    refused.write_text("")
    (tmp_path / "bin").mkdir()
    for name, text in (("scancel", scancel), ("squeue", f"#!/bin/sh\nls {tmp_path}/queue\n")):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(slurm, "QUEUE_SECONDS", 2.0)
    monkeypatch.setattr(slurm, "_appears", Path.exists)
    threads = threading.active_count()
    yield (launcher := Interrupting(tmp_path))
    for job in (launcher.folder / "queue").iterdir():
        job.unlink()
    until = time.monotonic() + 20
    while threading.active_count() > threads:  # else a thread asks `squeue` after its end
        assert time.monotonic() < until
        time.sleep(0.1)


def interrupted(launcher):
    """Jobs 1 to 3, interrupted; how often each was canceled."""
    jobs = {"1": set(), "2": set(), "3": set()}
    run = Run(Plan(jobs, set(jobs)), launcher, 3, GpuPool([]), lambda _: 0, launcher)
    with pytest.raises(KeyboardInterrupt):
        run.complete()
    canceled = (launcher.folder / "scancel.log").read_text().split()
    return {job: canceled.count(job) for job in jobs}


def test_an_interrupt_cancels_each_job_once(interrupting):
    assert interrupted(interrupting) == {"1": 1, "2": 1, "3": 1}
    assert interrupting.updates > 2, "the end of the jobs is seen later"


def test_a_refused_cancellation_is_tried_again_and_keeps_no_other_job(interrupting, monkeypatch):
    monkeypatch.setattr(slurm, "CANCEL_SECONDS", 1.0)
    refused, began = interrupting.folder / "refused", time.monotonic()
    refused.write_text("1\n")
    ended = interrupting.update

    def accept_later(running):
        if time.monotonic() - began > 1.5:
            refused.write_text("")
        ended(running)

    interrupting.update = accept_later
    counts = interrupted(interrupting)
    assert 2 <= counts.pop("1") <= 4
    assert counts == {"2": 1, "3": 1}


def test_a_second_interrupt_cancels_every_job_although_one_is_refused(interrupting):
    (interrupting.folder / "refused").write_text("1\n")
    interrupting.second = 3
    assert interrupted(interrupting) == {"1": 2, "2": 2, "3": 2}
    assert [path.name for path in (interrupting.folder / "queue").iterdir()] == ["1"]
