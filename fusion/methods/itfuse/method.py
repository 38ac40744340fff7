"""ITFuse as a fusion method: its network and training phase under one name."""

from collections.abc import Mapping
from typing import ClassVar, Self

from fusion.core.config import Config
from fusion.methods.base import PhaseConfig, TrainingPhase, of_type, register
from fusion.methods.itfuse.config import SETTINGS, ITFuseConfig, ITFuseFusionPhaseConfig
from fusion.methods.itfuse.network import ITFuseNetwork
from fusion.methods.itfuse.phases import ITFuseFusionPhase


@register("itfuse")
class ITFuse(ITFuseNetwork):
    """ITFuse's network with its one phase."""

    config_class: ClassVar[type[Config]] = SETTINGS.config
    phases: ClassVar[Mapping[str, type[PhaseConfig]]] = SETTINGS.phases
    whole_image: ClassVar[bool] = True

    @classmethod
    def start_phase(
        cls, name: str, config: ITFuseConfig, settings: PhaseConfig, previous: Self | None
    ) -> TrainingPhase:
        return ITFuseFusionPhase(cls(config), of_type(settings, ITFuseFusionPhaseConfig).loss)
