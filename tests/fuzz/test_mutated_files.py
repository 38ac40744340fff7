"""Damaged files of every kind: a command works or says what is wrong, and touches nothing else.

`pytest tests/fuzz --fuzz-seconds 3600` searches for an hour; `--fuzz-seed N` starts elsewhere.
Every finding names the seed and the number that make the same input again.
"""

import random
import shutil
import time

import pytest

from tests.fuzz.corpus import COMMANDS, is_text
from tests.fuzz.harness import run
from tests.fuzz.mutations import mutate


@pytest.mark.slow
@pytest.mark.parametrize("pattern", COMMANDS)
def test_valid_inputs_work(server, valid, tmp_path, pattern):
    for command in COMMANDS[pattern]:
        folder = tmp_path / "inputs"
        shutil.copytree(valid, folder)
        outcome = run(server, command, folder)
        assert (outcome.code, outcome.fault()) == (0, None), outcome.errors
        shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.timeout(0)  # hours, if `--fuzz-seconds` says so
def test_damaged_files_end_in_clear_messages(server, valid, tmp_path, pytestconfig):
    seed, seconds = pytestconfig.getoption("fuzz_seed"), pytestconfig.getoption("fuzz_seconds")
    findings, number, ends = [], 0, {}
    shutil.copytree(valid, tmp_path / "first")
    run(server, ["check"], tmp_path / "first")  # the server imports, which is not searching
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        chance = random.Random(f"{seed}-{number}")  # noqa: S311 - it draws inputs, not secrets
        folder = tmp_path / f"{number}"
        shutil.copytree(valid, folder)
        pattern = chance.choice(list(COMMANDS))
        path = chance.choice(sorted(folder.glob(pattern)))
        path.write_bytes(mutate(path.read_bytes(), chance, is_text(path)))
        outcome = run(server, chance.choice(COMMANDS[pattern]), folder)
        if fault := outcome.fault():
            what = f"{seed}-{number} {path.relative_to(folder)}: {fault}"
            findings.append(f"{what}\n{outcome.errors[-1500:]}")
            print(findings[-1], flush=True)
        ends[outcome.code] = ends.get(outcome.code, 0) + 1
        shutil.rmtree(folder)
        number += 1
    print(f"{number} damaged inputs; by exit status {ends}; {len(findings)} findings")
    assert number > 0
    assert not findings, "\n\n".join([f"{len(findings)} of {number}:", *findings[:20]])
