"""UMF: see `network`."""

from fusion.methods.umf.network import UMF

__all__ = ["UMF"]
