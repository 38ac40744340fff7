"""MMDRFuse: see `network`."""
