"""The base of every settings object, and the settings of where networks run."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Config(BaseModel):
    """An immutable settings object that refuses unknown keys and wrong types, infinities and NaN.

    Libraries take these as typed arguments; only `pipelines` reads them from a file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class RuntimeConfig(Config):
    """Device, precision and speed settings.

    Precision, memory format and compilation change results within rounding; images above the
    memory ceiling are fused in tiles (`fusion.inference.tiles`); the rest changes nothing.

    accelerator: "auto" takes a CUDA device where there is one.
    devices, num_nodes: processes of distributed training (DDP).
    precision: "bf16-mixed" runs the networks in bfloat16 autocast; losses, hashing and norms of
        attention stay in float32. Detection does so only on GPUs made for it, else in float32.
    channels_last: memory format of the networks and images.
    compile: train with torch.compile. Fusing never does: image sets have many sizes, and compiling
        for each takes longer than fusing them all.
    device_cache: where decoded training images are kept: in RAM, on the device, or ("auto") on
        the device when they fit.
    memory_gib: ceiling of what fusing holds in tensors, GiB, or what a CUDA device has free if
        that is less; larger images are fused in tiles.
    checkpoint_seconds: at most this much training is lost when a run is killed.
    reproducible: the stages' results are the same bytes on every x86-64 processor, whatever its
        number of cores: they compute with fixed threads, instructions and deterministic algorithms
        (`fusion.core.arithmetic`). Then "auto" is the CPU; results of a GPU depend on its kind.
    """

    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = Field(1, ge=1, le=1024)
    num_nodes: int = Field(1, ge=1, le=1024)
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    channels_last: bool = True
    compile: bool = False
    device_cache: Literal["auto", "ram", "device"] = "auto"
    memory_gib: float = Field(10.0, gt=0, le=2**20)
    checkpoint_seconds: float = Field(60.0, ge=0, le=10**7)
    reproducible: bool = False
