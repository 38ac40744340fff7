"""LRRNet as a fusion method: its network and training phase under one name."""

from collections.abc import Mapping
from typing import ClassVar, Self

from fusion.core.config import Config
from fusion.methods.base import PhaseConfig, TrainingPhase, of_type, register
from fusion.methods.lrrnet.config import SETTINGS, LRRNetConfig, LRRNetFusionPhaseConfig
from fusion.methods.lrrnet.network import LRRNetNetwork
from fusion.methods.lrrnet.phases import LRRNetFusionPhase


@register("lrrnet")
class LRRNet(LRRNetNetwork):
    """LRRNet's network with its one phase."""

    config_class: ClassVar[type[Config]] = SETTINGS.config
    phases: ClassVar[Mapping[str, type[PhaseConfig]]] = SETTINGS.phases
    whole_image: ClassVar[bool] = True
    tiles_itself: ClassVar[bool] = True

    @classmethod
    def start_phase(
        cls, name: str, config: LRRNetConfig, settings: PhaseConfig, previous: Self | None
    ) -> TrainingPhase:
        return LRRNetFusionPhase(cls(config), of_type(settings, LRRNetFusionPhaseConfig))
