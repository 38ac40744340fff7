"""SegMiF: see `method`."""
