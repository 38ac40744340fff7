"""DeFusion as a fusion method: the network, and how its training starts."""

from collections.abc import Mapping
from typing import ClassVar, Self

from fusion.core.config import Config
from fusion.methods.base import PhaseConfig, TrainingPhase, of_type, register
from fusion.methods.defusion.config import (
    SETTINGS,
    DeFusionConfig,
    DeFusionDecompositionPhaseConfig,
)
from fusion.methods.defusion.network import DeFusionNetwork
from fusion.methods.defusion.phases import DeFusionDecompositionPhase


@register("defusion")
class DeFusion(DeFusionNetwork):
    """The network with its training phase."""

    config_class: ClassVar[type[Config]] = SETTINGS.config
    phases: ClassVar[Mapping[str, type[PhaseConfig]]] = SETTINGS.phases

    @classmethod
    def start_phase(
        cls, name: str, config: DeFusionConfig, settings: PhaseConfig, previous: Self | None
    ) -> TrainingPhase:
        settings = of_type(settings, DeFusionDecompositionPhaseConfig)
        return DeFusionDecompositionPhase(cls(config), settings)
