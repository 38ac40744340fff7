"""EMMA as a fusion method: the network, and how its training phases start."""

from collections.abc import Mapping
from typing import ClassVar, Self

from fusion.core.config import Config
from fusion.methods.base import PhaseConfig, TrainingPhase, of_type, register
from fusion.methods.emma.config import (
    SETTINGS,
    EMMAConfig,
    EMMAFusionPhaseConfig,
    EMMASensingPhaseConfig,
)
from fusion.methods.emma.network import EMMANetwork
from fusion.methods.emma.phases import EMMAFusionPhase, EMMASensingPhase


@register("emma")
class EMMA(EMMANetwork):
    """The network with its two training phases."""

    config_class: ClassVar[type[Config]] = SETTINGS.config
    phases: ClassVar[Mapping[str, type[PhaseConfig]]] = SETTINGS.phases

    @classmethod
    def start_phase(
        cls, name: str, config: EMMAConfig, settings: PhaseConfig, previous: Self | None
    ) -> TrainingPhase:
        if config.sensing:
            raise ValueError("emma: sensing is set by phase sensing, not a setting of the network")
        if name == "sensing":
            settings = of_type(settings, EMMASensingPhaseConfig)
            network = cls(config.model_copy(update={"sensing": settings.network}))
            return EMMASensingPhase(network, settings)
        if previous is None or previous.sensing is None:
            raise ValueError("phase fusion of emma starts from the weights of phase sensing")
        settings = of_type(settings, EMMAFusionPhaseConfig)
        return EMMAFusionPhase(cls(config), previous.sensing, settings)
