"""The code that each stage of dvc.yaml runs, against the code that dvc.yaml watches for it.

`python -m pipelines.dependencies` prints the missing and the unused `deps` of each stage. A stage
runs what `pipelines/stages/<stage>.py` imports, directly or not. The code of a fusion method is
found by name, so no import shows it: `model` may run any method's, `train` the one that
`${item.code}` names, and later stages see it as a digest in the card of `models/<method>`.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from fusion import methods
from fusion.core.code import ROOT, importers

BY_KIND = "${item.code}"
"""Stands in dvc.yaml for the code of the method that a phase trains."""


class Run(NamedTuple):
    """One way to run a stage.

    needed: the files that it runs, each with a file that imports it.
    watched: the code among the stage's `deps`, files and folders.
    """

    needed: dict[Path, Path | None]
    watched: list[Path]

    def missing(self) -> list[Path]:
        """Files that run and are not watched."""
        return sorted(file for file in self.needed if not _covered(file, self.watched))

    def unused(self) -> set[Path]:
        """Watched files and folders of which nothing runs."""
        return {path for path in self.watched if not any(_covered(f, [path]) for f in self.needed)}


def problems(file: Path = ROOT / "dvc.yaml") -> list[str]:
    """Find corrections to a dvc.yaml, so that its stages watch exactly the code that they run.

    Returns:
        A line for each file or folder to add or to remove.
    """
    listed = yaml.safe_load(file.read_text(encoding="utf-8"))["stages"]
    found: list[str] = []
    for name, stage in listed.items():
        runs = list(_runs(name, stage.get("do", stage)["deps"]))
        needed = {path: importer for run in runs for path, importer in run.needed.items()}
        missing = {path for run in runs for path in run.missing()}
        found += [
            f"add {path.as_posix()} to stage {name}: {_why(needed[path])}"
            for path in sorted(missing)
        ]
        unused = set.intersection(*(run.unused() for run in runs))
        found += [
            f"remove {path.as_posix()} from stage {name}, which never imports it"
            for path in sorted(unused)
        ]
    return found


def _runs(name: str, deps: list[str]) -> Iterator[Run]:
    """A stage's runs: one for each method that it trains, else a single one."""
    entry = Path("pipelines/stages", f"{name}.py")
    watched = [Path(dep) for dep in deps if "${" not in dep and _holds_code(Path(dep))]
    if BY_KIND in deps:
        trained = [kind for kind in methods.names() if methods.get(kind).phases]
        for code in map(methods.code_of, trained):
            yield Run(importers(entry, code), [*watched, code])
    elif name == "model":
        yield Run(importers(entry, *map(methods.code_of, methods.names())), watched)
    else:
        yield Run(importers(entry), watched)


def _holds_code(path: Path) -> bool:
    full = ROOT / path
    return full.suffix == ".py" or (full.is_dir() and any(full.rglob("*.py")))


def _covered(file: Path, watched: Iterable[Path]) -> bool:
    return any(file == path or path in file.parents for path in watched)


def _why(importer: Path | None) -> str:
    return f"{importer.as_posix()} imports it" if importer else "the stage runs it"


def main() -> None:
    """Print what to correct in dvc.yaml; exit with 1 if there is anything."""
    found = problems()
    print("\n".join(found) or "dvc.yaml watches the code that its stages run")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
