"""CDDFuse: see `network`."""

from fusion.methods.cddfuse.network import CDDFuse

__all__ = ["CDDFuse"]
