"""MMDRFuse's settings; imports no torch."""

from typing import Literal

from pydantic import Field

from fusion.core.config import Config
from fusion.methods.settings import MethodSettings, PhaseConfig


class MMDRFuseConfig(Config):
    """`network`: the published one is the student, which learns from the teacher.

    width: of the student's hidden layer, and of the teacher's last but one, which it imitates.
    teacher_width: of the teacher's finest level; its coarse level has twice as many channels.
    """

    network: Literal["student", "teacher"] = "student"
    width: int = Field(4, ge=1)
    teacher_width: int = Field(32, ge=1)


class MMDRFuseLossConfig(Config):
    """Weights of the loss, see `MMDRFuseLoss` and, for the last three, `MMDRFusePhase`."""

    intensity: float = Field(ge=0)
    gradient: float = Field(0.1, ge=0)
    perception: float = Field(ge=0)
    refresh_structure: float = Field(10.0, ge=0)
    refresh_gradient: float = Field(10.0, ge=0)
    distillation: float = Field(5.0, ge=0)


class MMDRFusePhaseConfig(PhaseConfig):
    """What both phases have. Published: 10 epochs each at a rate of 1e-4, batches of 25, 128×128.

    vgg19: a file with the weights of VGG-19, whose features the published loss compares. Without
        it the terms that need them are left out (choice).
    """

    vgg19: str | None = None


class MMDRFuseTeacherPhaseConfig(MMDRFusePhaseConfig):
    """The first phase; it has no one to distill from."""

    loss: MMDRFuseLossConfig = MMDRFuseLossConfig(intensity=2, perception=1)


class MMDRFuseStudentPhaseConfig(MMDRFusePhaseConfig):
    """The second phase: the student learns from the frozen teacher, too."""

    loss: MMDRFuseLossConfig = MMDRFuseLossConfig(intensity=1, perception=2)


SETTINGS = MethodSettings(
    MMDRFuseConfig,
    {"teacher": MMDRFuseTeacherPhaseConfig, "student": MMDRFuseStudentPhaseConfig},
)
