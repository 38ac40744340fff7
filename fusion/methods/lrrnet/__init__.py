"""LRRNet: see `network`."""

from fusion.methods.lrrnet.network import LRRNet

__all__ = ["LRRNet"]
