"""Fusion methods; see `registry`. Importing this package imports no torch."""

from fusion.methods.registry import code_of, get, has_light_settings, names, register, settings_of
from fusion.methods.settings import MethodSettings, PhaseConfig, TaughtPhaseConfig

__all__ = [
    "MethodSettings",
    "PhaseConfig",
    "TaughtPhaseConfig",
    "code_of",
    "get",
    "has_light_settings",
    "names",
    "register",
    "settings_of",
]
