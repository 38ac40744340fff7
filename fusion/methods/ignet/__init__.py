"""IGNet: see `network`."""

from fusion.methods.ignet.network import IGNet

__all__ = ["IGNet"]
