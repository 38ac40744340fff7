"""LRRNet's settings; imports no torch."""

from pydantic import Field

from fusion.core.config import Config
from fusion.methods.settings import MethodSettings, PhaseConfig


class LRRNetConfig(Config):
    """`channels` of the low-rank part, and as many of the sparse part; `steps` of each coder."""

    channels: int = Field(128, ge=1)
    steps: int = Field(4, ge=0)


class LRRNetLossConfig(Config):
    """Weights of the loss, see `LRRNetLoss`.

    infrared, visible: what the features of the middle terms ask of either source.
    """

    pixel: float = Field(10.0, ge=0)
    shallow: float = Field(1.5, ge=0)
    middle: float = Field(0.01, ge=0)
    deep: float = Field(0.5, ge=0)
    gram: float = Field(2000.0, ge=0)
    infrared: float = Field(3.0, ge=0)
    visible: float = Field(0.5, ge=0)


class LRRNetFusionPhaseConfig(PhaseConfig):
    """The only phase. Published: 4 epochs of 20,000 pairs at a rate of 1e-5, batches of 8, 128×128.

    vgg16: a file with the weights of VGG-16, whose features the published loss compares. Without
        it, gradients at four scales take their place (choice).
    """

    vgg16: str | None = None
    loss: LRRNetLossConfig = LRRNetLossConfig()


SETTINGS = MethodSettings(LRRNetConfig, {"fusion": LRRNetFusionPhaseConfig})
