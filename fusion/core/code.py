"""Which Python files a result depends on: the imports of the code that computes it.

The imports are read from the source; nothing is run. Imports inside functions count, imports for
type checkers do not. An import by a computed name is invisible here. The registry of fusion methods
uses one, so a caller that runs a method must name the method's code as well.
"""

import ast
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from fusion.core.errors import InputError
from fusion.core.files import file_digest

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the packages; paths inside it are relative to it."""

PACKAGES = ("fusion", "detection", "segmentation", "pipelines")

NO_RESULT: Mapping[str, str] = {
    "fusion/__init__.py": "names what the package offers",
    "fusion/methods/registry.py": "finds a method's code by name; that code is watched itself",
    "fusion/core/code.py": "finds code; the code that it finds is watched itself",
    "fusion/core/errors.py": "words of error messages",
    "fusion/core/memory.py": "speed only",
    "fusion/images/panels.py": "draws pictures",
    "fusion/core/published.py": "renames weights on import; no stage runs it",
    "fusion/training/preview.py": "draws pictures",
    "detection/drawing.py": "draws pictures",
    "segmentation/drawing.py": "draws pictures",
    "pipelines/__init__.py": "settings of threads: speed only",
    "pipelines/entry.py": "command line, error messages; what fixes arithmetic is watched",
    "pipelines/params.py": "validates params.yaml; DVC watches the values themselves",
    "pipelines/rows.py": "the rows of params.yaml, as params.py",
    "pipelines/validation.py": "words of params.yaml's validation",
    "pipelines/paths.py": "names of folders, which dvc.yaml states too",
}
"""Code whose edits change no result, with the reason.

Neither DVC nor a checkpoint watches these files or what only they import; `.dvcignore` repeats
those that lie in folders of dvc.yaml.
"""


def imports_of(file: Path) -> set[Path]:
    """The project's files that a file imports itself, at the top or inside a function.

    An import of a name that a package offers by a module-level `__getattr__` also counts for what
    that function imports; for other importers of the package it does not.

    Args:
        file: a Python file, relative to `ROOT` or absolute.

    Raises:
        SyntaxError: the file is not valid Python.
    """
    found: set[Path] = set()
    for module, names in _read(file).imports:
        package, submodules = _file_of(module), [_file_of(f"{module}.{name}") for name in names]
        found.update(path for path in submodules if path)
        if package and (not names or None in submodules):
            found.add(package)
        if package and None in submodules:
            offered = (_file_of(name) for name, _ in _read(package).offered)
            found.update(path for path in offered if path)
    return found - {inside_root(file)}


def importers(*sources: Path) -> dict[Path, Path | None]:
    """The files that `sources` import, directly or not, each with a file that imports it.

    Args:
        sources: Python files, or folders for all Python files below; relative to `ROOT` or
            absolute.

    Returns:
        The sources themselves (imported by None) and the project's files, without those of
        `NO_RESULT` and what only they import. A package's `__init__.py` is imported by its modules;
        it is left out if it has no code.

    Raises:
        InputError: a source is missing.
    """
    found: dict[Path, Path | None] = {}
    waiting: list[tuple[Path, Path | None]] = [(file, None) for file in _python_files(*sources)]
    while waiting:
        file, importer = waiting.pop(0)
        if file in found or file.as_posix() in NO_RESULT:
            continue
        found[file] = importer
        waiting += [(needed, file) for needed in sorted({*imports_of(file), *_parents(file)})]
    return found


def code_digest(*sources: Path) -> str:
    """SHA-256 over Python files and the project's files that they import (see `importers`).

    Store it with what the code computed: a result with another digest was computed by other code.

    Args:
        sources: as in `importers`.

    Raises:
        InputError: a source is missing.
    """
    digest = hashlib.sha256()
    for file in sorted(importers(*sources)):
        name = file.name if file.is_absolute() else file.as_posix()
        digest.update(f"{name}\0{file_digest(ROOT / file)}\0".encode())
    return digest.hexdigest()


def inside_root(path: Path) -> Path:
    """A path relative to `ROOT`; absolute if it lies elsewhere."""
    full = (ROOT / path).resolve()
    return full.relative_to(ROOT) if full.is_relative_to(ROOT) else full


def _python_files(*sources: Path) -> Iterator[Path]:
    for source in sources:
        full = ROOT / source
        if not full.exists():
            raise InputError(source, "is missing", "give the path of a Python file or a folder")
        files = sorted(full.rglob("*.py")) if full.is_dir() else [full]
        yield from (inside_root(file) for file in files)


def _file_of(module: str) -> Path | None:
    """The file of a module of the project, relative to `ROOT`; None if there is no such module."""
    if module.partition(".")[0] not in PACKAGES:
        return None
    path = Path(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if (ROOT / file).is_file():
            return file
    return None


def _parents(file: Path) -> list[Path]:
    """The `__init__.py` of the packages around a file of the project, where they have code."""
    if file.is_absolute() or file.parts[0] not in PACKAGES:
        return []
    packages = [folder / "__init__.py" for folder in file.parents if folder.parts]
    present = [path for path in packages if path != file and (ROOT / path).is_file()]
    return [path for path in present if _read(path).has_code]


class _Imported(NamedTuple):
    """A module and the names taken from it; none for `import module`."""

    module: str
    names: tuple[str, ...]


class _Source(NamedTuple):
    """The imports of a Python file.

    imports: at the top or inside functions, except those for type checkers.
    offered: inside a module-level `__getattr__`.
    has_code: whether it is more than a docstring.
    """

    imports: tuple[_Imported, ...]
    offered: tuple[_Imported, ...]
    has_code: bool


def _read(file: Path) -> _Source:
    path = inside_root(file)
    return _parsed((ROOT / path).read_bytes(), path)


@lru_cache(maxsize=1024)  # most files are imported by several
def _parsed(content: bytes, path: Path) -> _Source:
    statements, package = ast.parse(content, str(path)).body, path.parent.parts
    faces = [node for node in statements if _is_face(node)]
    rest = [node for node in statements if not _is_face(node)]
    return _Source(
        tuple(_imports(rest, package)),
        tuple(_imports(faces, package)),
        any(not _is_docstring(node) for node in statements),
    )


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_face(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "__getattr__"


def _imports(nodes: Sequence[ast.stmt], package: tuple[str, ...]) -> Iterator[_Imported]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (_Imported(alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield _Imported(module, tuple(alias.name for alias in node.names))
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(node.orelse, package)
        else:  # only statements hold statements: expressions need no look
            yield from _imports(_inner(node), package)


def _inner(node: ast.stmt) -> list[ast.stmt]:
    parts = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
    for clause in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        parts.append(clause.body)
    return [statement for part in parts for statement in part]
