"""Settings of DeFusion: its network and its training; imports no torch."""

from typing import Annotated

from pydantic import Field

from fusion.core.config import Config
from fusion.methods.settings import MethodSettings, PhaseConfig

Blocks = Annotated[int, Field(ge=0, le=1000)]


class DeFusionConfig(Config):
    """DeFusion's network; the defaults are what its authors test with.

    width: channels inside the encoder's first blocks; all other widths are in proportion.
    encoder_blocks, unique_blocks: of the four stages each, the finest of the encoder first, the
        coarsest of the decoder first.
    ensemble_blocks: of the stage that joins both images.
    common_blocks: of the decoder of the common part, coarsest first.
    common_skips: whether that decoder's first stage also sees both images' deepest features.
    """

    width: int = Field(8, ge=4, multiple_of=4)
    encoder_blocks: list[Blocks] = Field([6, 6, 4, 4], min_length=4, max_length=4)
    ensemble_blocks: int = Field(4, ge=1, le=1000)
    common_blocks: list[Blocks] = Field([2, 2, 2, 2], min_length=4, max_length=4)
    unique_blocks: list[Blocks] = Field([4, 4, 6, 6], min_length=4, max_length=4)
    common_skips: bool = True


class DeFusionDecompositionPhaseConfig(PhaseConfig):
    """Self-supervised training on images with hidden parts, two views each.

    schedule_updates: updates over which the published schedule of the losses is spread; by
        default as in the paper. After that, the loss no longer changes.
    """

    schedule_updates: int = Field(637_500, ge=1)


SETTINGS = MethodSettings(DeFusionConfig, {"decomposition": DeFusionDecompositionPhaseConfig})
