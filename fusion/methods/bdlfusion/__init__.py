"""BDLFusion: see `network`."""

from fusion.methods.bdlfusion.network import BDLFusion

__all__ = ["BDLFusion"]
