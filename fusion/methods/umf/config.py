"""UMF's settings; imports no torch."""

from pydantic import Field

from fusion.core.config import Config
from fusion.methods.settings import MethodSettings, PhaseConfig


class UMFConfig(Config):
    """`channels` of every feature map; `layers` of each modality's dense block."""

    channels: int = Field(64, ge=1)
    layers: int = Field(3, ge=1)


class UMFLossConfig(Config):
    """Weights of the loss, see `UMFLoss`.

    ssim_range: the range of intensities that the term `ssim` assumes. Published: 255, although
        images are in [0, 1], which makes the term nearly constant; 1 makes it count.
    """

    ssim: float = Field(1.0, ge=0)
    intensity: float = Field(20.0, ge=0)
    gradient: float = Field(5.0, ge=0)
    ssim_range: float = Field(255.0, gt=0)


class UMFFusionPhaseConfig(PhaseConfig):
    """The only phase. Published: 200 epochs at a rate of 1e-3, batches of 8, 256×256."""

    loss: UMFLossConfig = UMFLossConfig()


SETTINGS = MethodSettings(UMFConfig, {"fusion": UMFFusionPhaseConfig})
