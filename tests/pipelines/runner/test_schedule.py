"""The order, the limits and the failures of a schedule, with workers that only sleep."""

import threading
import time

import pytest

from pipelines.runner.gpus import GpuPool
from pipelines.runner.graph import Plan
from pipelines.runner.schedule import Run

DIAMOND = {"start": set(), **{name: {"start"} for name in "abcd"}, "end": set("abcd")}


class Sleeper:
    """A worker that ends by itself, or when it is interrupted."""

    def __init__(self, seconds, status):
        self.status, self.seconds, self.stop = status, seconds, threading.Event()

    def wait(self):
        return 130 if self.stop.wait(self.seconds) else self.status

    def interrupt(self):
        self.stop.set()

    kill = interrupt


class Sleepers:
    """A launcher of sleepers; keeps what was started, and with which GPUs."""

    def __init__(self, statuses=(), seconds=0.01):
        self.statuses, self.seconds = dict(statuses), seconds
        self.started, self.record = [], None

    def start(self, stage, gpus, log):
        self.started.append((stage, gpus))
        self.record.now.add(stage)
        self.record.starts.append(set(self.record.now))
        return Sleeper(self.seconds, self.statuses.get(stage, 0))


class Record:
    """A watcher that keeps what runs at the same time, and the order of the ends."""

    def __init__(self):
        self.together, self.ends, self.starts, self.now = [], [], [], set()

    def update(self, running):
        self.together.append({stage: job.gpus for stage, job in running.items()})

    def ended(self, stage, status, seconds):
        self.ends.append(stage)
        self.now.remove(stage)


def schedule(needs, changed=None, jobs=4, gpus=(), gpus_of=lambda _: 0, launcher=None):
    launcher, record = launcher or Sleepers(), Record()
    launcher.record = record
    plan = Plan(needs, set(needs) if changed is None else changed)
    outcome = Run(plan, launcher, jobs, GpuPool(list(gpus)), gpus_of, record).complete()
    return outcome, launcher, record


def test_a_stage_ends_before_those_that_need_it():
    needs = {str(n): {str(m) for m in range(n) if (m * 7 + n) % 5 == 0} for n in range(40)}
    outcome, _, record = schedule(dict(reversed(needs.items())))
    place = {stage: index for index, stage in enumerate(record.ends)}
    assert sorted(outcome.ran) == sorted(needs)
    assert all(place[m] < place[n] for n in needs for m in needs[n])


@pytest.mark.parametrize("jobs", [1, 3])
def test_no_more_run_than_jobs(jobs):
    _, _, record = schedule({str(n): set() for n in range(12)}, jobs=jobs)
    assert len(record.ends) == 12
    assert max(map(len, record.starts)) == jobs


def test_a_gpu_is_lent_to_one_stage_at_a_time():
    lock, lent, most = threading.Lock(), [], []

    class Checking(Sleepers):
        def start(self, stage, gpus, log):
            worker = super().start(stage, gpus, log)
            with lock:
                lent.extend(gpus)
                most.append(len(lent))
                assert len(set(lent)) == len(lent), lent
            wait = worker.wait

            def waited():
                status = wait()
                with lock:
                    for gpu in gpus:
                        lent.remove(gpu)
                return status

            worker.wait = waited
            return worker

    needs = {f"{kind}{n}": set() for n in range(12) for kind in ("one", "two", "none")}
    counts = {"one": 1, "two": 2, "none": 0}
    outcome, launcher, _ = schedule(
        needs,
        jobs=8,
        gpus="012",
        gpus_of=lambda stage: counts[stage.rstrip("0123456789")],
        launcher=Checking(),
    )
    assert len(outcome.ran) == 36
    assert max(most) == 3
    assert all(len(gpus) == counts[s.rstrip("0123456789")] for s, gpus in launcher.started)


def test_an_id_that_is_listed_twice_is_lent_twice():
    needs = {str(n): set() for n in range(4)}
    launcher = Sleepers(seconds=0.6)
    _, _, record = schedule(needs, gpus="00", gpus_of=lambda _: 1, launcher=launcher)
    assert max(len(running) for running in record.together) == 2


def test_without_gpus_no_stage_waits_for_one_and_the_choice_is_left_to_it():
    outcome, launcher, _ = schedule(DIAMOND, gpus_of=lambda _: 1)
    assert len(outcome.ran) == 6
    assert {gpus for _, gpus in launcher.started} == {None}


def test_stages_that_use_a_gpu_start_first():
    needs = {f"cpu{n}": set() for n in range(3)} | {f"gpu{n}": set() for n in range(2)}
    _, launcher, _ = schedule(needs, jobs=2, gpus="01", gpus_of=lambda s: s.startswith("gpu"))
    assert [stage for stage, _ in launcher.started][:2] == ["gpu0", "gpu1"]


def test_up_to_date_stages_start_no_process_unless_one_before_them_ran():
    outcome, launcher, _ = schedule(DIAMOND, changed=set())
    assert (outcome.current, launcher.started) == (set(DIAMOND), [])
    outcome, launcher, _ = schedule(DIAMOND, changed={"b"})
    assert [stage for stage, _ in launcher.started] == ["b", "end"]
    assert outcome.current == {"start", "a", "c", "d"}


def test_a_failure_blocks_only_what_depends_on_it():
    outcome, _, _ = schedule(DIAMOND, launcher=Sleepers({"c": 7}))
    assert sorted(outcome.ran) == ["a", "b", "d", "start"]
    assert outcome.failed == {"c": 7}
    assert outcome.blocked == ["end"]


def test_an_interrupt_ends_the_workers_and_is_raised():
    class Interrupted(Record):
        def update(self, running):
            super().update(running)
            if len(self.together) == 1:
                raise KeyboardInterrupt

    launcher, record = Sleepers(seconds=60), Interrupted()
    launcher.record = record
    plan, began = Plan(DIAMOND, set(DIAMOND)), time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        Run(plan, launcher, 4, GpuPool([]), lambda _: 0, record).complete()
    assert record.ends == ["start"]
    assert time.monotonic() - began < 30


def test_a_worker_that_cannot_be_killed_keeps_no_other_from_it():
    killed = []

    class Stubborn(Sleeper):
        def interrupt(self):
            raise KeyboardInterrupt

        def kill(self):
            killed.append(self)
            raise PermissionError

    class Launcher(Sleepers):
        def start(self, stage, gpus, log):
            super().start(stage, gpus, log)
            if len(self.started) == 3:
                raise OSError("no more processes")
            return Stubborn(60, 0)

    with pytest.raises(KeyboardInterrupt):
        schedule({"a": set(), "b": set(), "c": set()}, launcher=Launcher())
    assert len(killed) == 2


@pytest.mark.parametrize(("hides", "seen"), [(True, ()), (False, None)])
def test_without_gpus_a_stage_sees_all_unless_they_are_hidden(hides, seen):
    launcher, record = Sleepers(), Record()
    launcher.record, given = record, []
    start = launcher.start

    def noted(stage, gpus, log):
        given.append(gpus)
        return start(stage, gpus, log)

    launcher.start = noted
    Run(Plan({"a": set()}, {"a"}), launcher, 1, GpuPool([], hides), lambda _: 1, record).complete()
    assert given == [seen]
