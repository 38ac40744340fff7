"""DeFusion: see `network`."""

from fusion.methods.defusion.network import DeFusion

__all__ = ["DeFusion"]
