"""LRRNet: see `network`."""
