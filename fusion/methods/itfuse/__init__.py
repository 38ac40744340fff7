"""ITFuse: see `network`."""
