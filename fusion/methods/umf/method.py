"""UMF as a fusion method: its network and training phase under one name."""

from collections.abc import Mapping
from typing import ClassVar, Self

from fusion.core.config import Config
from fusion.methods.base import PhaseConfig, TrainingPhase, of_type, register
from fusion.methods.umf.config import SETTINGS, UMFConfig, UMFFusionPhaseConfig
from fusion.methods.umf.network import UMFNetwork
from fusion.methods.umf.phases import UMFFusionPhase


@register("umf")
class UMF(UMFNetwork):
    """UMF's network with its one phase."""

    config_class: ClassVar[type[Config]] = SETTINGS.config
    phases: ClassVar[Mapping[str, type[PhaseConfig]]] = SETTINGS.phases

    @classmethod
    def start_phase(
        cls, name: str, config: UMFConfig, settings: PhaseConfig, previous: Self | None
    ) -> TrainingPhase:
        return UMFFusionPhase(cls(config), of_type(settings, UMFFusionPhaseConfig).loss)
