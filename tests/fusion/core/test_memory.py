"""Freed tensors' memory is used again instead of being mapped and zeroed anew."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, threading
from fusion.core.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
import torch
torch.set_num_threads(1)


def work():
    planes = torch.ones(20 << 20)  # above what glibc would ever keep by itself, in a thread too
    for _ in range(4):
        planes = (planes * 2 + planes).relu()

def run():
    if sys.argv[2] == "main":
        return work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


run()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
run()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(mode, thread):
    command = [sys.executable, "-c", PROGRAM, mode, thread]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is meant")
@pytest.mark.parametrize("thread", ["main", "other"])
def test_a_large_tensor_takes_the_pages_of_the_one_before(thread):
    assert page_faults("keep", thread) < page_faults("default", thread) / 3
