"""PoMAI: see `network`."""
