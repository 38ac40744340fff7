"""ITFuse: see `network`."""

from fusion.methods.itfuse.network import ITFuse

__all__ = ["ITFuse"]
