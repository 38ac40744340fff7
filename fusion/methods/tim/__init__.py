"""TIM: see `network`."""

from fusion.methods.tim.network import TIM

__all__ = ["TIM"]
