"""`pomai repro` on a small DVC project: the real DVC, real processes."""

import itertools
import json
import signal
import time

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # a DVC process a stage

TRAINED = ["a", "b", "c", "d"]


def test_racing_stages_write_the_lock_of_a_serial_run_and_no_gpu_is_shared(project, serial):
    printed = project.run("pomai", "repro", "--jobs", "4", "--gpus", "5,7", STAGE_SECONDS="1")
    assert "6 stages ran, 0 were up to date" in printed
    assert (project / "dvc.lock").read_bytes() == serial
    assert sorted(name for name, *_ in project.ran()) == [*TRAINED, "end", "start"]
    spans = {"5": [], "7": []}
    for name, began, ended, gpu in project.ran():
        if name in TRAINED:
            spans[gpu].append((float(began), float(ended)))
        else:
            assert gpu == "none", "a stage that uses no GPU sees none"
    assert sorted(map(len, spans.values())) == [2, 2]
    for one, other in itertools.chain.from_iterable(
        itertools.combinations(sorted(span), 2) for span in spans.values()
    ):
        assert one[1] <= other[0], "two stages on one GPU at the same time"
    again = project.run("pomai", "repro")
    assert "0 stages ran, 6 were up to date" in again
    assert project.run("dvc", "repro").count("didn't change, skipping") == 6
    assert len(project.ran()) == 6


def test_after_a_killed_worker_the_rest_is_kept_and_the_lock_is_that_of_a_serial_run(
    project, serial
):
    (project / "hang-b").touch()
    process = project.start("pomai", "repro", "--jobs", "4")
    project.wait_for("began-b")
    workers = [p for p in project.processes() if p.cmdline()[-1:] == ["train@b"]]
    (dvc,) = (p for p in workers if "-I" not in p.cmdline())
    dvc.send_signal(signal.SIGKILL)
    printed, _ = process.communicate()
    assert process.returncode == 1
    assert "train@b failed with exit status 137: see .dvc/tmp/pomai/train@b.log" in printed
    assert "not run, because they depend on it: end" in printed
    assert project.processes() == [], "the stage outlived its worker"
    assert {name for name, *_ in project.ran()} == {"start", "a", "c", "d"}
    (project / "hang-b").unlink()
    assert "2 stages ran, 4 were up to date" in project.run("pomai", "repro", "--jobs", "4")
    assert (project / "dvc.lock").read_bytes() == serial


def test_a_stage_that_fails_stops_only_what_depends_on_it(project):
    (project / "fail-c").touch()
    printed = project.run("pomai", "repro", "--jobs", "2", code=1)
    assert "4 stages ran, 0 were up to date" in printed
    assert "train@c failed with exit status" in printed
    assert printed.splitlines()[-1].startswith(
        "error: dvc.yaml: 1 of its stages failed: train@c; correct them"
    )
    assert "exited with 3" in (project / ".dvc/tmp/pomai/train@c.log").read_text()
    assert {name for name, *_ in project.ran()} == {"start", "a", "b", "d"}
    assert project.is_free()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_an_end_leaves_no_process_no_lock_and_every_finished_stage(project, number):
    (project / "hang-d").touch()
    process = project.start("pomai", "repro", "--jobs", "4")
    project.wait_for("began-d")
    for name in "abc":  # finished, and known to DVC
        project.wait_for(f"{name}.txt")
    wait_until(lambda: (project / "dvc.lock").read_text().count("train@") == 3)
    process.send_signal(number)
    printed, _ = process.communicate()
    assert process.returncode, printed
    wait_until(lambda: not project.processes() and not project.holders())
    if number == signal.SIGINT:
        assert project.is_free()
    (project / "hang-d").unlink()
    printed = project.run("pomai", "repro", "--jobs", "4")
    assert "2 stages ran, 4 were up to date" in printed
    names = [name for name, *_ in project.ran()]
    assert sorted(names) == [*TRAINED, "end", "start"], "a finished stage ran again"


def test_parameters_make_an_experiment_that_dvc_shows_and_applies(project):
    project.run("dvc", "repro", "-q")
    project.run("git", "add", "-A")
    project.run("git", "commit", "-qm", "reproduced")
    before = (project / "end.txt").read_text()
    project.run("pomai", "repro", "--jobs", "2", "-S", "value=2", "-n", "two")
    after = (project / "end.txt").read_text()
    assert (project / "params.yaml").read_text() == "value: 2\n", "as `dvc exp run` leaves it"
    assert after != before
    (shown,) = json.loads(project.run("dvc", "exp", "show", "--rev", "HEAD", "--json"))[1:]
    (saved,) = (e for e in shown["experiments"] if e["name"] == "two")
    assert saved["revs"][0]["data"]["params"]["params.yaml"]["data"] == {"value": 2}
    project.run("git", "checkout", "-q", ".")
    project.run("dvc", "checkout", "-q")
    assert (project / "end.txt").read_text() == before
    project.run("dvc", "exp", "apply", "two")
    assert (project / "end.txt").read_text() == after
    assert (project / "params.yaml").read_text() == "value: 2\n"
    refused = project.run("pomai", "repro", "-S", "value=3", "-n", "two", code=1)
    assert "an experiment 'two' of this commit exists" in refused
    assert (project / "params.yaml").read_text() == "value: 2\n", "refused after a change"


def test_targets_run_with_what_they_need_and_a_wrong_one_is_named(project):
    printed = project.run("pomai", "repro", "train@a", "--jobs", "2")
    assert "2 stages ran, 0 were up to date" in printed
    refused = project.run("pomai", "repro", "train@z", code=1)
    assert refused.startswith("error: dvc.yaml: ")
    assert "train@z" in refused
    assert refused.count("\n") == 1


def test_a_stage_that_needs_more_gpus_than_there_are_is_refused_at_the_start(project):
    (project / "params.yaml").write_text("value: 1\nruntime: {devices: 2}\n")
    refused = project.run("pomai", "repro", "--gpus", "3", code=1)
    reason = "stage train@a uses 2 GPUs, and --gpus names 1; lower it, or name more GPUs"
    assert refused == f"error: runtime.devices: {reason}\n"
    assert project.ran() == []


def wait_until(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)
