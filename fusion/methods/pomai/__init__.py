"""PoMAI: see `network`."""

from fusion.methods.pomai.network import PoMAI

__all__ = ["PoMAI"]
