"""EMMA: see `network`."""
