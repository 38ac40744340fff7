"""MMA-UNet as a fusion method: the networks, and how their training phases start."""

from collections.abc import Mapping
from typing import ClassVar, Self

from torch import nn

from fusion.core.config import Config
from fusion.methods.base import PhaseConfig, TrainingPhase, of_type, register
from fusion.methods.mmaunet.config import SETTINGS, MMAUNetConfig, MMAUNetPhaseConfig
from fusion.methods.mmaunet.network import MMAUNetNetwork
from fusion.methods.mmaunet.phases import (
    MMAUNetFusionPhase,
    MMAUNetInfraredPhase,
    MMAUNetVisiblePhase,
)


@register("mmaunet")
class MMAUNet(MMAUNetNetwork):
    """The networks with their three training phases."""

    config_class: ClassVar[type[Config]] = SETTINGS.config
    phases: ClassVar[Mapping[str, type[PhaseConfig]]] = SETTINGS.phases

    @classmethod
    def start_phase(
        cls, name: str, config: MMAUNetConfig, settings: PhaseConfig, previous: Self | None
    ) -> TrainingPhase:
        network = cls(config)
        weights = of_type(settings, MMAUNetPhaseConfig).loss
        if name == "visible":
            return MMAUNetVisiblePhase(network, network.visible, weights)
        if previous is None:
            before = "visible" if name == "infrared" else "infrared"
            raise ValueError(f"phase {name} of mmaunet starts from the weights of phase {before}")
        network.load_state_dict(previous.state_dict())
        if name == "infrared":
            return MMAUNetInfraredPhase(network, network.infrared, weights)
        nn.init.zeros_(network.fusion.last.weight)
        return MMAUNetFusionPhase(network, network.fusion, weights)
