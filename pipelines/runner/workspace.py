"""The workspace, brought back to what it was after experiments have used it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from fusion.core.files import write_bytes
from pipelines.runner.graph import LOCK, uncached_files

PARAMS = Path("params.yaml")
KEPT = Path(".dvc/tmp/pomai-kept")
"""Copies of the files, while experiments use the workspace."""

_FILES, _ABSENT = KEPT / "files", KEPT / "absent.txt"


@contextmanager
def kept() -> Iterator[None]:
    """Restore params.yaml, dvc.lock and the outputs after the block, however it ends.

    Outputs in DVC's cache come back by `dvc checkout`; the files that Git keeps, such as those of
    results/, are copied to `KEPT` first. If the process is killed, the copies stay there, and the
    next block restores them.
    """
    if KEPT.is_dir():
        typer.echo(
            f"note: a run was killed; params.yaml and results of before it are in {_FILES}, and "
            "come back when this run ends",
            err=True,
        )
    else:
        _keep([PARAMS, LOCK, *(path.relative_to(Path.cwd()) for path in uncached_files())])
    try:
        yield
    finally:
        _restore()


def _keep(files: Sequence[Path]) -> None:
    unfinished = KEPT.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    for file in filter(Path.is_file, files):
        copy = unfinished / _FILES.name / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    absent = [str(file) for file in files if not file.is_file()]
    (unfinished / _ABSENT.name).write_text("\n".join(absent), encoding="utf-8")
    unfinished.rename(KEPT)


def _restore() -> None:
    for name in _ABSENT.read_text(encoding="utf-8").splitlines():
        Path(name).unlink(missing_ok=True)
    for copy in filter(Path.is_file, _FILES.rglob("*")):
        file = copy.relative_to(_FILES)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, copy.read_bytes())
    if (_FILES / LOCK).is_file():
        subprocess.run([sys.executable, "-m", "dvc", "checkout", "--quiet"], check=False)
    shutil.rmtree(KEPT)
