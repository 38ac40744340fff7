"""The workspace, brought back to what it was after experiments have used it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.runner.graph import LOCK, uncached_files

PARAMS = Path("params.yaml")


@contextmanager
def kept() -> Iterator[None]:
    """Restore params.yaml, dvc.lock and all outputs after the block, however it ends.

    Outputs in DVC's cache come back by `dvc checkout`; the others, such as results/, are copied.
    """
    files = [PARAMS, LOCK, *uncached_files()]
    contents = {file: file.read_bytes() if file.is_file() else None for file in files}
    try:
        yield
    finally:
        for file, content in contents.items():
            if content is None:
                file.unlink(missing_ok=True)
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        if contents[LOCK] is not None:
            subprocess.run([sys.executable, "-m", "dvc", "checkout", "--quiet"], check=False)
