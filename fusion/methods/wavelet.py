"""Wavelet fusion: discrete wavelet transform, largest magnitude of the details, mean of the base.

The scheme of Li, Manjunath & Mitra (Graph. Models Image Process. 1995). They select by the largest
magnitude in an area and verify the selection's consistency; selecting every coefficient by itself,
the wavelet, the number of levels and symmetric extension at the borders are choices.
"""

from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from fusion.core.config import Config
from fusion.methods.base import register
from fusion.methods.classical import ClassicalMethod, larger_magnitude


class WaveletConfig(Config):
    """Settings of the transform.

    wavelet: name of a discrete wavelet in PyWavelets.
    levels: maximum number of splits; images smaller than the wavelet's filter at some level get
        fewer, at least one.
    """

    wavelet: str = "db2"
    levels: int = Field(3, ge=1, le=30)

    @field_validator("wavelet")
    @classmethod
    def _known(cls, name: str) -> str:
        import pywt

        if name not in pywt.wavelist(kind="discrete"):
            raise ValueError(f"'{name}' is not a discrete wavelet of PyWavelets, such as db2")
        return name


@register("wavelet")
class Wavelet(ClassicalMethod):
    """Fused wavelet coefficients, transformed back; PyWavelets computes on the CPU."""

    config_class: ClassVar[type[Config]] = WaveletConfig
    config: WaveletConfig

    def fuse(self, infrared: Tensor, visible: Tensor) -> Tensor:
        import pywt

        base, *details = self.transform(infrared)
        other_base, *other_details = self.transform(visible)
        fused = [
            tuple(map(_larger_magnitude, level, other))
            for level, other in zip(details, other_details, strict=True)
        ]
        pixels = pywt.waverec2([(base + other_base) / 2, *fused], self.config.wavelet, "symmetric")
        height, width = infrared.shape[-2:]
        return torch.from_numpy(pixels[..., :height, :width]).to(infrared.device)

    def transform(self, image: Tensor) -> list[Any]:
        """Approximation, then (horizontal, vertical, diagonal) details, coarsest first."""
        import pywt

        possible = pywt.dwtn_max_level(image.shape[-2:], self.config.wavelet)
        levels = max(1, min(self.config.levels, possible))
        pixels = image.cpu().numpy()
        return list(pywt.wavedec2(pixels, self.config.wavelet, "symmetric", levels))


def _larger_magnitude(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return larger_magnitude(torch.from_numpy(first), torch.from_numpy(second)).numpy()
