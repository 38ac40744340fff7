"""Infrared-visible image fusion: `from fusion import load`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fusion.inference.pretrained import load

__all__ = ["load"]


def __getattr__(name: str) -> object:
    # lazy: reading images or settings must not pay for torch
    if name == "load":
        from fusion.inference.pretrained import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
