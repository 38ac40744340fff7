"""MMDRFuse: see `network`."""

from fusion.methods.mmdrfuse.network import MMDRFuse

__all__ = ["MMDRFuse"]
