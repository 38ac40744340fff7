"""MMA-UNet: see `network`."""
