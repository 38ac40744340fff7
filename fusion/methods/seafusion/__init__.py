"""SeAFusion: see `network`."""
