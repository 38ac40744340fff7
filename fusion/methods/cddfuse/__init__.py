"""CDDFuse: see `network`."""
