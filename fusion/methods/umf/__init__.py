"""UMF: see `network`."""
