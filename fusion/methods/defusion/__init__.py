"""DeFusion: see `network`."""
