"""CAF: see `method`."""
