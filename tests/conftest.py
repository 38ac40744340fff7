import gc
import multiprocessing
import os

import pytest

# test processes share the cores: a thread each, and none that spins while it waits
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


gc.disable()  # to look through all that is imported for garbage, again and again, takes seconds

LONGEST = (
    "pipelines/test_repro.py",
    "fusion/inference/test_export.py",
    "pipelines/test_experiments.py",
    "pipelines/runner/test_repro.py",
    "detection/test_experiment.py",
    "fuzz/test_kills.py",
    "fuzz/test_mutated_files.py",
    "fusion/inference/test_importing.py",
    "test_modules.py",
    "pipelines/test_compose.py",
    "pipelines/datasets/test_prepare.py",
)
"""They come first: left for the end, one would run alone.

Two processes take them in turns. The first and the third belong to the same one, so that neither
waits for the clone that both need.
"""


def pytest_collection_modifyitems(items):
    """Sort the tests: the longest files first."""
    order = {f"tests/{name}": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.nodeid.partition("::")[0], len(LONGEST)))


def pytest_collection_finish():
    """What is imported stays, and is no garbage."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    gc.enable()


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
    parser.addoption("--fuzz-seconds", type=float, default=15, help="How long to damage inputs.")
    parser.addoption("--fuzz-seed", type=int, default=0, help="Which damaged inputs to draw.")
    parser.addoption("--kills", type=int, default=1, help="How often to kill what is killed.")
