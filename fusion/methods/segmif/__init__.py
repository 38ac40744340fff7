"""SegMiF: see `network`."""

from fusion.methods.segmif.network import SegMiF

__all__ = ["SegMiF"]
