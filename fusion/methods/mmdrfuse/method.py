"""MMDRFuse as a fusion method: its network and training phases under one name."""

from collections.abc import Mapping
from typing import ClassVar, Self

from fusion.core.config import Config
from fusion.methods.base import PhaseConfig, TrainingPhase, of_type, register
from fusion.methods.mmdrfuse.config import (
    SETTINGS,
    MMDRFuseConfig,
    MMDRFuseStudentPhaseConfig,
    MMDRFuseTeacherPhaseConfig,
)
from fusion.methods.mmdrfuse.network import MMDRFuseNetwork
from fusion.methods.mmdrfuse.phases import MMDRFuseStudentPhase, MMDRFuseTeacherPhase


@register("mmdrfuse")
class MMDRFuse(MMDRFuseNetwork):
    """The teacher's phase, and the student's, whose model is the student alone."""

    config_class: ClassVar[type[Config]] = SETTINGS.config
    phases: ClassVar[Mapping[str, type[PhaseConfig]]] = SETTINGS.phases

    @classmethod
    def start_phase(
        cls, name: str, config: MMDRFuseConfig, settings: PhaseConfig, previous: Self | None
    ) -> TrainingPhase:
        network = cls(config.model_copy(update={"network": name}))
        if name == "teacher":
            ours = of_type(settings, MMDRFuseTeacherPhaseConfig)
            return MMDRFuseTeacherPhase(network, ours, ours.loss)
        if previous is None:
            raise ValueError("phase student of mmdrfuse starts from the weights of phase teacher")
        theirs = of_type(settings, MMDRFuseStudentPhaseConfig)
        return MMDRFuseStudentPhase(network, theirs, theirs.loss, previous)
