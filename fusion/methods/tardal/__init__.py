"""TarDAL: see `network`."""

from fusion.methods.tardal.network import TarDAL

__all__ = ["TarDAL"]
