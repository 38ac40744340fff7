"""Settings of the sample scenes; light to import."""

from pydantic import Field

from fusion.core.config import Config


class SampleConfig(Config):
    """Generated scenes.

    Attributes:
        seed: seed of the scenes. Every image has a separate seed derived from it, so a larger
            count does not change the earlier images.
        msrs_train: number of pairs in MSRS/train.
        msrs_test: number of pairs in MSRS/test.
        m3fd: number of pairs in M3FD.
        height: pixels of every image.
        width: pixels of every image.
    """

    seed: int = Field(0, ge=0, lt=2**32)
    msrs_train: int = Field(48, ge=1, le=10**6)
    msrs_test: int = Field(24, ge=1, le=10**6)
    m3fd: int = Field(112, ge=1, le=10**6)
    height: int = Field(128, ge=32, le=2048)
    width: int = Field(160, ge=32, le=2048)
