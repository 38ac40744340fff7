"""SeAFusion as a fusion method: its network and training phase under one name."""

from collections.abc import Mapping
from typing import ClassVar, Self

from fusion.core.config import Config
from fusion.methods.base import PhaseConfig, TrainingPhase, of_type, register
from fusion.methods.seafusion.config import SETTINGS, SeAFusionConfig, SeAFusionFusionPhaseConfig
from fusion.methods.seafusion.network import SeAFusionNetwork
from fusion.methods.seafusion.phases import SeAFusionFusionPhase


@register("seafusion")
class SeAFusion(SeAFusionNetwork):
    """SeAFusion's network with its one phase."""

    config_class: ClassVar[type[Config]] = SETTINGS.config
    phases: ClassVar[Mapping[str, type[PhaseConfig]]] = SETTINGS.phases

    @classmethod
    def start_phase(
        cls, name: str, config: SeAFusionConfig, settings: PhaseConfig, previous: Self | None
    ) -> TrainingPhase:
        return SeAFusionFusionPhase(cls(config), of_type(settings, SeAFusionFusionPhaseConfig).loss)
