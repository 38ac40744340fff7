"""IGNet: see `method`."""
