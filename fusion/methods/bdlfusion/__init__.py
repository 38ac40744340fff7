"""BDLFusion: see `method`."""
