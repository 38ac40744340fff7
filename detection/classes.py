"""The classes of M3FD."""

CLASSES = ("People", "Car", "Bus", "Motorcycle", "Lamp", "Truck")
"""M3FD's classes; repositories order them differently, so they are always mapped by name."""
