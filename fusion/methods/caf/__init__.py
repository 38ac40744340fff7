"""CAF: see `network`."""

from fusion.methods.caf.network import CAF

__all__ = ["CAF"]
