"""Stages as jobs of SLURM: on a cluster of one node where its packages are installed."""

import json
import shutil
import subprocess

import pytest

from fusion.core.errors import InputError
from pipelines.runner.slurm import SlurmLauncher, parse_options
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
