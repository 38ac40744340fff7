"""Settings of MMDRFuse."""

from typing import Literal

from pydantic import Field

from fusion.core.config import Config


class MMDRFuseConfig(Config):
    """`network`: the published one is the student, which learns from the teacher.

    width: of the student's hidden layer, and of the teacher's last but one, which it imitates.
    teacher_width: of the teacher's finest level; its coarse level has twice as many channels.
    """

    network: Literal["student", "teacher"] = "student"
    width: int = Field(4, ge=1)
    teacher_width: int = Field(32, ge=1)
