"""Settings of a detection experiment; light to import."""

from typing import Literal

from pydantic import ConfigDict, Field, field_validator

from detection.models import require_model
from fusion.core.config import Config


class DetectionConfig(Config):
    """One detection experiment; the defaults are the PoMAI paper's (§6.1) where it gives them.

    Settings that the paper leaves open follow YOLOv5's own recipe. Every method gets the same
    budget; training stops early only with `patience` above 0.

    Attributes:
        model: a box detector that ultralytics describes (`detection.models.MODELS`), e.g.
            yolov5n, yolov5s, yolov8s, yolo11n. Its `yolov5s` is the anchor-free yolov5u, not the
            classic anchor-based network.
        weights: null trains from scratch; otherwise a local `.pt` file of the same model to start
            from. Only classes of torch and ultralytics are read from it; no code in it runs.
        epochs: passes over the training images.
        batch_size: images per step.
        image_size: images are letter-boxed to this many pixels.
        optimizer: SGD as in the paper; AdamW learns faster where there are few images and epochs.
        learning_rate: set explicitly (ultralytics' automatic optimizer would ignore it).
        final_learning_rate: share of `learning_rate` to which it falls, linearly.
        momentum: momentum of SGD; β₁ of AdamW.
        weight_decay: of weights, not of biases and normalization.
        warmup_epochs: over which learning rate and momentum rise.
        warmup_bias_learning_rate: of biases, at the start of the warm-up.
        nominal_batch_size: gradients are accumulated up to this many images before an update.
        patience: epochs without a better validation mAP after which training stops; 0 never stops.
        mosaic: probability that four images are combined into one.
        close_mosaic: last epochs without it.
        flip: probability of a horizontal flip.
        scale: images are scaled by 1 ± at most this.
        translate: images are moved by at most this share of their size.
        hue, saturation, brightness: largest relative change of color.
        workers: processes that load images; on a CPU images are loaded in the training process.
        pictures: number of test images drawn side by side.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    model: str = "yolov5s"
    weights: str | None = None
    epochs: int = Field(100, ge=1, le=1_000_000)
    batch_size: int = Field(8, ge=1, le=65_536)
    image_size: int = Field(640, ge=32, le=16_384, multiple_of=32)
    optimizer: Literal["SGD", "AdamW"] = "SGD"
    learning_rate: float = Field(1e-2, gt=0, le=1)
    final_learning_rate: float = Field(1e-2, gt=0, le=1)
    momentum: float = Field(0.937, ge=0, lt=1)
    weight_decay: float = Field(5e-4, ge=0, le=1)
    warmup_epochs: float = Field(3.0, ge=0, le=1_000_000)
    warmup_bias_learning_rate: float = Field(0.1, ge=0, le=1)
    nominal_batch_size: int = Field(64, ge=1, le=65_536)
    patience: int = Field(0, ge=0, le=1_000_000)
    mosaic: float = Field(1.0, ge=0, le=1)
    close_mosaic: int = Field(10, ge=0, le=1_000_000)
    flip: float = Field(0.5, ge=0, le=1)
    scale: float = Field(0.5, ge=0, lt=1)
    translate: float = Field(0.1, ge=0, lt=1)
    hue: float = Field(0.015, ge=0, le=1)
    saturation: float = Field(0.7, ge=0, le=1)
    brightness: float = Field(0.4, ge=0, le=1)
    workers: int = Field(4, ge=0, le=1024)
    pictures: int = Field(6, ge=0, le=100_000)

    @field_validator("model")
    @classmethod
    def _known_model(cls, name: str) -> str:
        require_model(name)
        return name
