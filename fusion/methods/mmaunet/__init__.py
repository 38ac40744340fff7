"""MMAUNet: see `network`."""

from fusion.methods.mmaunet.network import MMAUNet

__all__ = ["MMAUNet"]
