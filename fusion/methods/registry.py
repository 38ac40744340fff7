"""Fusion methods by name, imported on first use.

A method is one file or one folder (with an `__init__.py`) in `fusion/methods`. The name of the file
or folder is the method's *kind*: the name in params.yaml and in `@register(kind)`. Nothing else
lists the methods, so a file that you add is found by its name.

One file holds everything: settings, network, training phases. A folder splits them:

- `method.py` registers the class (`__init__.py` may do so too).
- `config.py` defines `SETTINGS`, a `MethodSettings`, and imports no torch. With it, params.yaml is
  validated without importing the network. A file without it is imported for validation only if its
  row states settings or is trained.

A method that cannot be imported fails where it is used; all other methods stay available.
"""

import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from fusion.core.errors import InputError
from fusion.methods.settings import MethodSettings

if TYPE_CHECKING:
    from fusion.methods.base import FusionMethod

PACKAGE = "fusion.methods"
FOLDER = Path(__file__).parent
SUPPORT = frozenset({"base", "classical", "files", "registry", "settings"})
"""Modules of this folder that are not methods."""

MethodClass = TypeVar("MethodClass", bound="type[FusionMethod[Any]]")

_registry: "dict[str, type[FusionMethod[Any]]]" = {}


def register(kind: str) -> Callable[[MethodClass], MethodClass]:
    """Class decorator: register a method as `kind`.

    Raises:
        ValueError: `kind` is another class's, or not the name of the class's file or folder.
    """

    def add(method: MethodClass) -> MethodClass:
        if method.__module__.startswith(f"{PACKAGE}."):
            module = method.__module__.removeprefix(f"{PACKAGE}.").partition(".")[0]
            if module != kind:
                raise ValueError(f"registers '{kind}', but its name is '{module}'")
        if _registry.setdefault(kind, method) is not method:
            raise ValueError(f"two fusion methods are called '{kind}'")
        method.kind = kind
        return method

    return add


def names() -> list[str]:
    """All methods, sorted; none of them is imported.

    >>> "pomai" in names()
    True
    """
    modules = {module.name for module in iter_modules([str(FOLDER)])}
    files = {name for name in modules - SUPPORT if not name.startswith("_")}
    return sorted(files | _registry.keys())


def get(kind: str) -> "type[FusionMethod[Any]]":
    """The class registered as `kind`, imported on the first call.

    >>> get("average").trivial
    True

    Raises:
        ValueError: no method has this name; the message lists the known ones.
        InputError: its file cannot be imported, or registers no class of this name.
    """
    _require(kind)
    if _is_file(kind):
        _import(kind, "")
        if kind not in _registry and (FOLDER / kind / "method.py").is_file():
            _import(kind, ".method")
    if kind not in _registry:
        remedy = f'put @register("{kind}") above its FusionMethod class'
        raise InputError(code_of(kind), "registers no fusion method", remedy)
    return _registry[kind]


def settings_of(kind: str) -> MethodSettings:
    """The settings classes of a method; imports no torch if it has a `config.py`.

    Raises:
        ValueError, InputError: as `get`.
    """
    _require(kind)
    if not has_light_settings(kind):
        method = get(kind)
        return MethodSettings(method.config_class, method.phases)
    settings = getattr(_import(kind, ".config"), "SETTINGS", None)
    if not isinstance(settings, MethodSettings):
        path = code_of(kind) / "config.py"
        raise InputError(path, "defines no SETTINGS", "define it as a MethodSettings")
    return settings


def has_light_settings(kind: str) -> bool:
    """Whether `settings_of` works without importing the network."""
    return (FOLDER / kind / "config.py").is_file()


def code_of(kind: str) -> Path:
    """The file or folder of a method's own code, relative to the project's root.

    >>> code_of("wavelet").as_posix(), code_of("pomai").as_posix()
    ('fusion/methods/wavelet.py', 'fusion/methods/pomai')

    Raises:
        ValueError: no method has this name.
    """
    _require(kind)
    folder = Path(*PACKAGE.split("."))
    return folder / kind if (FOLDER / kind).is_dir() else folder / f"{kind}.py"


def _require(kind: object) -> None:
    """Check a kind; a card can hold any value in its place."""
    if not (isinstance(kind, str) and (kind in _registry or _names_a_method(kind))):
        raise ValueError(f"no fusion method is called '{kind}'; there are {', '.join(names())}")


def _names_a_method(kind: str) -> bool:
    """Whether `names` lists it, without listing the folder, which validation would do often."""
    listed = kind.isidentifier() and not kind.startswith("_") and kind not in SUPPORT
    return listed and _is_file(kind)


def _is_file(kind: str) -> bool:
    """Whether a module of that name exists; a class can also be registered elsewhere."""
    return (FOLDER / f"{kind}.py").is_file() or (FOLDER / kind / "__init__.py").is_file()


def _import(kind: str, submodule: str) -> ModuleType:
    """Import a method's module; its code can raise any exception, so all are caught."""
    try:
        return import_module(f"{PACKAGE}.{kind}{submodule}")
    except (Exception, SystemExit) as error:
        if submodule != ".config":
            _registry.pop(kind, None)
        reason = f"cannot be imported ({type(error).__name__}: {error}{_line(error, kind)})"
        remedy = f"correct it, or take the rows of kind '{kind}' out of params.yaml"
        raise InputError(code_of(kind), reason, remedy) from error


def _line(error: BaseException, kind: str) -> str:
    """The place in the method's own code where an error arose."""
    if isinstance(error, SyntaxError):
        return ""  # its message names file and line
    own = FOLDER / code_of(kind).name
    frames = [(Path(f.filename), f.lineno) for f in traceback.extract_tb(error.__traceback__)]
    lines = [(path, line) for path, line in frames if path == own or own in path.parents]
    return f" at {lines[-1][0].name}:{lines[-1][1]}" if lines else ""
