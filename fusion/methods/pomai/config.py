"""PoMAI's settings; imports no torch. What the paper leaves open is marked "choice"."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fusion.blocks.config import SMALLEST_VIF_SIDE, RestormerConfig, Skip
from fusion.core.config import Config
from fusion.methods.settings import MethodSettings, PhaseConfig


class NGMMConfig(Config):
    """Neighbor-Group Matching Model; all choices, after NLSA (Mei et al. 2021)."""

    group_size: int = Field(144, ge=1, le=2**20)
    buckets: int = Field(128, ge=2, multiple_of=2)
    rounds: int = Field(1, ge=1)
    neighbors: int = Field(0, ge=0)
    temperature: float = Field(10.0, gt=0)


class CAMNConfig(Config):
    """Context-Aware Modeling Network; choices where equations 4-5 are silent."""

    dilation: int = Field(3, ge=1, le=1024)
    expansion: float = Field(2.0, gt=0)


class MICMConfig(Config):
    """Modality-Interactive Compensation Module; choice after DEA-Net's attention."""

    reduction: int = Field(8, ge=1)


class FusionLossConfig(Config):
    """Weights of the terms, and targets of the gradient term.

    The first four terms are the paper's (equation 14); the rest are choices.

    fidelity: weight of a fifth term, VIF; 0 leaves it out. It needs crops of 41 pixels or more.
    gradient_target: the quantity that is compared, see `FusionLoss`.
    gradient_gain: target strength of edges relative to the stronger source; above 1 the fused image
        has more local contrast than both sources.
    """

    ssim: float = Field(5.0, ge=0)
    mse: float = Field(1.0, ge=0)
    intensity: float = Field(1.0, ge=0)
    gradient: float = Field(10.0, ge=0)
    fidelity: float = Field(0.0, ge=0)
    gradient_target: Literal["magnitude", "vector"] = "magnitude"
    gradient_gain: float = Field(1.0, gt=0)


class PoMAIConfig(RestormerConfig):
    """PoMAI's network and loss.

    `ngmm` or `camn` set to null leaves the module out (the paper's Table 2). `micm` is null until
    stage two adds the module. `skip` (choice, after CDDFuse's; the paper has none) is
    the image that the decoder's output is added to: the visible luminance, or the brighter source
    at each pixel, which is the intensity term's target.
    """

    stem: Literal["separate", "luminance"] = "separate"
    skip: Skip = "none"
    ngmm: NGMMConfig | None = NGMMConfig()
    camn: CAMNConfig | None = CAMNConfig()
    micm: MICMConfig | None = None
    loss: FusionLossConfig = FusionLossConfig()


class PoMAIStageOnePhaseConfig(PhaseConfig):
    """Encoder, NGMM, CAMN and decoder are trained together."""


class PoMAIStageTwoPhaseConfig(PhaseConfig):
    """MICM is added; with `freeze` it alone is trained. `micm: null` keeps stage one's network.

    one_stage_epochs: the epochs of both stages together, which the ablation without two stages
        takes as its `epochs`; training does not read it.
    """

    micm: MICMConfig | None = MICMConfig()
    freeze: bool = True
    one_stage_epochs: int | None = Field(None, ge=0, le=10**6)

    @model_validator(mode="after")
    def _something_to_train(self) -> Self:
        if self.micm is None and self.freeze and self.epochs > 0:
            raise ValueError("micm is null and freeze is true: nothing to train, set epochs to 0")
        return self


class PoMAITuningPhaseConfig(PhaseConfig):
    """A third phase with another loss (choice; the paper has two).

    freeze: decoder and MICM alone are trained, which takes half the time; otherwise all weights.
    loss: null keeps the loss of the network's settings.
    """

    freeze: bool = True
    loss: FusionLossConfig | None = None

    @model_validator(mode="after")
    def _crops_are_large_enough(self) -> Self:
        if self.loss and self.loss.fidelity and self.crop < SMALLEST_VIF_SIDE:
            raise ValueError(
                f"loss.fidelity needs crops of {SMALLEST_VIF_SIDE} pixels or more, not {self.crop}"
            )
        return self


SETTINGS = MethodSettings(
    PoMAIConfig,
    {
        "stage_one": PoMAIStageOnePhaseConfig,
        "stage_two": PoMAIStageTwoPhaseConfig,
        "tuning": PoMAITuningPhaseConfig,
    },
)
