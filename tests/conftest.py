import gc
import multiprocessing
import os

import pytest

# test processes share the cores: a thread each, and none that spins while it waits
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_collection_modifyitems(items):
    """The longest files first: left for the end, they would run alone.

    test_repro.py reproduces the clone that test_experiments.py needs as well.
    """
    first = ("test_repro.py", "test_mutated_files.py", "test_experiments.py", "test_export.py")
    order = {name: place for place, name in enumerate(first)}
    items.sort(key=lambda item: order.get(item.path.name, len(first)))


def pytest_collection_finish():
    """What is imported stays: to look through it for garbage again and again takes minutes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


@pytest.fixture(scope="session")
def start_process():
    """A function that calls another one in a process in which the slow imports are done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fusion.training.loop", "fusion.methods.pomai.method"])

    def start(target, *args):
        process = context.Process(target=target, args=args)
        process.start()
        return process

    return start


def pytest_addoption(parser):
    parser.addoption("--fuzz-seconds", type=float, default=60, help="How long to damage inputs.")
    parser.addoption("--fuzz-seed", type=int, default=0, help="Which damaged inputs to draw.")
    parser.addoption("--kills", type=int, default=1, help="How often to kill what is killed.")
