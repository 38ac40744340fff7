"""SeAFusion: see `network`."""

from fusion.methods.seafusion.network import SeAFusion

__all__ = ["SeAFusion"]
