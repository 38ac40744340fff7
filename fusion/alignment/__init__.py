"""Alignment of infrared and visible images: measure it, estimate it, apply it."""
