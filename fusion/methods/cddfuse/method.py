"""CDDFuse as a fusion method: the network, and how its training phases start."""

from collections.abc import Mapping
from typing import ClassVar, Self

from fusion.core.config import Config
from fusion.methods.base import PhaseConfig, TrainingPhase, of_type, register
from fusion.methods.cddfuse.config import (
    SETTINGS,
    CDDFuseConfig,
    CDDFuseFusionPhaseConfig,
    CDDFuseOneRunPhaseConfig,
    CDDFuseReconstructionPhaseConfig,
)
from fusion.methods.cddfuse.network import CDDFuseNetwork
from fusion.methods.cddfuse.phases import (
    CDDFuseFusionPhase,
    CDDFuseOneRunPhase,
    CDDFuseReconstructionPhase,
)


@register("cddfuse")
class CDDFuse(CDDFuseNetwork):
    """The network with its two training phases, and one that is both."""

    config_class: ClassVar[type[Config]] = SETTINGS.config
    phases: ClassVar[Mapping[str, type[PhaseConfig]]] = SETTINGS.phases

    @classmethod
    def start_phase(
        cls, name: str, config: CDDFuseConfig, settings: PhaseConfig, previous: Self | None
    ) -> TrainingPhase:
        network = cls(config)
        if name == "reconstruction":
            weights = of_type(settings, CDDFuseReconstructionPhaseConfig).loss
            return CDDFuseReconstructionPhase(network, weights)
        if name == "one_run":
            return CDDFuseOneRunPhase(network, of_type(settings, CDDFuseOneRunPhaseConfig))
        if previous is None:
            raise ValueError("phase fusion of cddfuse starts from the weights of reconstruction")
        network.load_state_dict(previous.state_dict())
        return CDDFuseFusionPhase(network, of_type(settings, CDDFuseFusionPhaseConfig).loss)
