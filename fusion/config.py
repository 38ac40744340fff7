"""The base of every configuration object in this project."""

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """An immutable settings object that refuses unknown keys and wrong types.

    Libraries take these as typed arguments; only `pipelines` reads them from a file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
