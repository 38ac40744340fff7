"""EMMA: see `network`."""

from fusion.methods.emma.network import EMMA

__all__ = ["EMMA"]
