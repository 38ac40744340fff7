import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fusion.core.errors import InputError
from fusion.core.locks import exclusive

HOLD = """
import sys, time
from pathlib import Path
from fusion.core.locks import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds `tmp_path / "run"`."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_until_the_first_is_killed(holder, tmp_path):
    folder = tmp_path / "run"
    with (
        pytest.raises(InputError, match="run: is in use by another process; wait"),
        exclusive(folder),
    ):
        pass
    with exclusive(tmp_path / "other"):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with exclusive(folder):
        pass


def test_a_folder_can_be_held_again_after_an_error(tmp_path):
    with pytest.raises(KeyError), exclusive(tmp_path):
        raise KeyError
    with exclusive(tmp_path):
        pass
