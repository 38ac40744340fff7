"""PoMAI as a fusion method: the network, and how its training phases start."""

from collections.abc import Mapping
from typing import ClassVar, Self

from torch import Tensor

from fusion.core.config import Config
from fusion.methods.base import PhaseConfig, TrainingPhase, of_type, register
from fusion.methods.pomai.config import (
    SETTINGS,
    PoMAIConfig,
    PoMAIStageTwoPhaseConfig,
    PoMAITuningPhaseConfig,
)
from fusion.methods.pomai.network import PoMAINetwork
from fusion.methods.pomai.phases import PoMAIStageOnePhase, PoMAIStageTwoPhase, PoMAITuningPhase


@register("pomai")
class PoMAI(PoMAINetwork):
    """The network with its training phases; tuning may be left out."""

    config_class: ClassVar[type[Config]] = SETTINGS.config
    phases: ClassVar[Mapping[str, type[PhaseConfig]]] = SETTINGS.phases

    @classmethod
    def start_phase(
        cls, name: str, config: PoMAIConfig, settings: PhaseConfig, previous: Self | None
    ) -> TrainingPhase:
        if name == "stage_one":
            if config.micm:
                raise ValueError("pomai: micm is a setting of stage two, not of the network")
            return PoMAIStageOnePhase(cls(config))
        if previous is None:
            raise ValueError(f"{name} of pomai starts from the weights of the phase before")
        if name == "tuning":
            network = cls(previous.config)
            network.load_state_dict(previous.state_dict(), strict=True)
            return PoMAITuningPhase(network, of_type(settings, PoMAITuningPhaseConfig))
        settings = of_type(settings, PoMAIStageTwoPhaseConfig)
        network = cls(config.model_copy(update={"micm": settings.micm}))
        network.load_state_dict(previous.state_dict() | _new_weights(network), strict=True)
        return PoMAIStageTwoPhase(network, settings.freeze)


def _new_weights(network: PoMAINetwork) -> dict[str, Tensor]:
    """MICM's own initial weights: the only ones that stage one does not have."""
    return {name: value for name, value in network.state_dict().items() if name.startswith("micm.")}
