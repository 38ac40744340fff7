"""The registry of fusion methods: a new method is one new file in this folder."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from fusion.methods.base import (
    Batch,
    FusionMethod,
    PhaseConfig,
    TaughtPhaseConfig,
    TrainingPhase,
    _registry,
    register,
)

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")


def names() -> list[str]:
    """All registered methods, sorted."""
    return sorted(_registry)


def get(name: str) -> type[FusionMethod]:
    """The class registered under `name`.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    if name not in _registry:
        raise ValueError(f"no fusion method is called '{name}'; there are {', '.join(names())}")
    return _registry[name]


def code_of(name: str) -> Path:
    """The file or folder of a method's own code, relative to the project's root.

    Raises:
        ValueError: as `get`.
    """
    package, *parts = get(name).__module__.removeprefix(f"{__name__}.").split(".")
    folder = Path(*__name__.split("."))
    return folder / package if parts else folder / f"{package}.py"


__all__ = [
    "Batch",
    "FusionMethod",
    "PhaseConfig",
    "TaughtPhaseConfig",
    "TrainingPhase",
    "code_of",
    "get",
    "names",
    "register",
]
