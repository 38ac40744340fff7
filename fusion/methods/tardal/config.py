"""TarDAL's settings; imports no torch."""

from typing import Literal

from pydantic import Field

from fusion.core.config import Config
from fusion.methods.settings import MethodSettings, PhaseConfig


class TarDALConfig(Config):
    """`width` and `depth` of the dense generator.

    statistics: what batch normalization uses when images are fused. "image": each image's own
        (choice of default: the authors' file for human eyes needs them). "running": those that
        training gathered; the authors' files TarDAL+ and TarDAL++ were run so.
    """

    width: int = Field(32, ge=1)
    depth: int = Field(3, ge=1)
    statistics: Literal["image", "running"] = "image"


class TarDALLossConfig(Config):
    """Weights of the loss, see `TarDALFusionPhase`."""

    ssim: float = Field(1.0, ge=0)
    intensity: float = Field(20.0, ge=0)
    target: float = Field(0.1, ge=0)
    background: float = Field(0.1, ge=0)


class TarDALFusionPhaseConfig(PhaseConfig):
    """The only phase. Published: 200 epochs at a rate of 1e-4, batches of 8, 224×224.

    target_saliency: infrared pixels at least so salient are targets, what the first critic sees
        (choice; the authors take masks from any saliency method).
    """

    target_saliency: float = Field(0.5, ge=0, le=1)
    loss: TarDALLossConfig = TarDALLossConfig()


SETTINGS = MethodSettings(TarDALConfig, {"fusion": TarDALFusionPhaseConfig})
