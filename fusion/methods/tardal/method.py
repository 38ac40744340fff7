"""TarDAL as a fusion method: its network and training phase under one name."""

from collections.abc import Mapping
from typing import ClassVar, Self

from fusion.core.config import Config
from fusion.methods.base import PhaseConfig, TrainingPhase, of_type, register
from fusion.methods.tardal.config import SETTINGS, TarDALConfig, TarDALFusionPhaseConfig
from fusion.methods.tardal.network import TarDALNetwork
from fusion.methods.tardal.phases import TarDALFusionPhase


@register("tardal")
class TarDAL(TarDALNetwork):
    """TarDAL's network with its one phase."""

    config_class: ClassVar[type[Config]] = SETTINGS.config
    phases: ClassVar[Mapping[str, type[PhaseConfig]]] = SETTINGS.phases
    whole_image: ClassVar[bool] = True

    @classmethod
    def start_phase(
        cls, name: str, config: TarDALConfig, settings: PhaseConfig, previous: Self | None
    ) -> TrainingPhase:
        return TarDALFusionPhase(cls(config), of_type(settings, TarDALFusionPhaseConfig))
