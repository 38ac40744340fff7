"""Reproducible arithmetic: the same bytes whatever the machine's cores and the user's settings."""

import os
import subprocess
import sys

import pytest

from fusion.core import arithmetic
from fusion.core.code import ROOT
from fusion.core.errors import InputError

TRAINING = """
import hashlib, os, sys
if sys.argv[1] == "one core":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from fusion.core.arithmetic import fix_arithmetic
if sys.argv[2] == "fixed":
    fix_arithmetic()
import numpy as np, torch
torch.manual_seed(0)
network = torch.nn.Sequential(
    torch.nn.Conv2d(3, 16, 3), torch.nn.BatchNorm2d(16), torch.nn.SiLU(),
    torch.nn.Conv2d(16, 32, 3, 2), torch.nn.Flatten(), torch.nn.LazyLinear(10),
)
images = torch.rand(8, 3, 40, 40)
optimizer = None
for _ in range(5):
    loss = network(images).logsumexp(1).mean()
    optimizer = optimizer or torch.optim.SGD(network.parameters(), 0.1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
result = hashlib.sha256()
for value in network.state_dict().values():
    result.update(value.numpy().tobytes())
result.update((np.exp(np.linspace(-3, 3, 10_001)) @ np.linspace(0, 1, 10_001)).tobytes())
print(result.hexdigest())
"""

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="chooses cores as Linux")


def trained(cores, arithmetic, **environment):
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, cores, arithmetic],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@linux
@pytest.mark.slow
def test_cores_threads_and_instructions_of_the_user_change_no_byte():
    expected = trained("all cores", "fixed", OMP_NUM_THREADS="1")
    other = {"OMP_NUM_THREADS": "3", "ATEN_CPU_CAPABILITY": "avx512"}
    assert trained("one core", "fixed", **other) == expected
    assert trained("all cores", "free", OMP_NUM_THREADS="1") != expected


def test_it_is_too_late_when_a_library_is_loaded():
    import numpy  # noqa: F401

    with pytest.raises(RuntimeError, match=r"before .*numpy"):
        arithmetic.fix_arithmetic()


def test_a_processor_without_the_instructions_is_refused(tmp_path):
    facts = tmp_path / "cpuinfo"
    facts.write_text("flags : fpu sse4_2 avx\n")
    with pytest.raises(InputError, match=r"runtime.reproducible: needs .* AVX2; set it to false"):
        arithmetic._of_processor(facts)


def test_opencv_is_told_of_avx512_only_where_the_processor_has_it(tmp_path):
    facts = tmp_path / "cpuinfo"
    facts.write_text("flags : fpu avx avx2 fma\n")
    assert arithmetic._of_processor(facts) == {}
    facts.write_text("flags : fpu avx avx2 fma avx512f\n")
    assert arithmetic._of_processor(facts) == {"OPENCV_CPU_DISABLE": "AVX512-SKX"}
