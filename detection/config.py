"""Settings of a detection experiment; light to import."""

from typing import Self

from pydantic import Field, model_validator

from fusion.config import Config


class DetectionConfig(Config):
    """One detection experiment; the defaults are the PoMAI paper's (§6.1) where it gives them.

    Attributes:
        model: an ultralytics model, e.g. yolov5n, yolov5s, yolo11n. Note that this package's
            `yolov5s` is the anchor-free yolov5u, not the classic anchor-based network.
        weights: null trains from scratch; otherwise a local weight file to start from.
        epochs, batch_size, image_size: training; images are letter-boxed to `image_size`.
        learning_rate: of SGD, set explicitly (ultralytics' automatic choice would ignore it);
            falls linearly to `final_learning_rate` times itself.
        momentum, weight_decay, warmup_epochs: of SGD.
        nominal_batch_size: gradients are accumulated up to this many images before an update.
        mosaic: probability of mosaic augmentation; flips and colour jitter are ultralytics' own.
        workers: processes that load images; 0 loads in the training process.
        seeds: one repeat each; the leaderboard shows means.
        pictures: number of test images drawn side by side.
    """

    model: str = "yolov5s"
    weights: str | None = None
    epochs: int = Field(100, ge=1)
    batch_size: int = Field(8, ge=1)
    image_size: int = Field(640, ge=32, multiple_of=32)
    learning_rate: float = Field(1e-2, gt=0)
    final_learning_rate: float = Field(1e-2, gt=0, le=1)
    momentum: float = Field(0.937, ge=0, lt=1)
    weight_decay: float = Field(5e-4, ge=0)
    warmup_epochs: float = Field(3.0, ge=0)
    nominal_batch_size: int = Field(64, ge=1)
    mosaic: float = Field(1.0, ge=0, le=1)
    workers: int = Field(4, ge=0)
    seeds: list[int] = Field([0], min_length=1)
    pictures: int = Field(6, ge=0)

    @model_validator(mode="after")
    def _distinct_seeds(self) -> Self:
        if min(self.seeds) < 0 or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds are different numbers, 0 or above; got {self.seeds}")
        return self
