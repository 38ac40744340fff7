"""What a fusion method is, and what one phase of its training is."""

from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

from pydantic import Field
from torch import Tensor, nn

from fusion.core.config import Config


class Batch(NamedTuple):
    """Aligned pairs, as the training loop hands them to a phase.

    infrared: B×1×H×W, float32 in [0, 1].
    visible: B×3×H×W RGB, float32 in [0, 1]; grey images have three equal channels.
    fused: B×K×H×W float32 in [0, 1], luminance of what K other methods made of the same pairs, same
        crops; None in phases that did not ask.
    """

    infrared: Tensor
    visible: Tensor
    fused: Tensor | None = None


class PhaseConfig(Config):
    """Schedule that every training phase has; a method's phases add their own fields.

    Adam with `learning_rate`, multiplied by `decay` every `decay_epochs` epochs. An epoch is
    ceil(pairs / batch_size) updates. `gradient_clip` limits the global gradient norm (0: off).
    """

    epochs: int = Field(ge=0)
    batch_size: int = Field(ge=1)
    crop: int = Field(ge=16)
    learning_rate: float = Field(gt=0)
    decay: float = Field(0.5, gt=0, le=1)
    decay_epochs: int = Field(20, ge=1)
    gradient_clip: float = Field(0.0, ge=0)


class TaughtPhaseConfig(PhaseConfig):
    """A phase that also sees what other methods made of the training pairs (`Batch.fused`).

    teachers: those methods, rows of the leaderboard; parameter `teachers` lists all that any phase
        asks for.
    """

    teachers: list[str] = Field(min_length=1)


class EncoderLayers(NamedTuple):
    """The layers that encode each modality, by name and in order, for analysis.

    Every module puts out B×C×H×W. One that serves both modalities stands in both; it sees infrared
    before visible, in one batch or in two calls.
    """

    infrared: Mapping[str, nn.Module]
    visible: Mapping[str, nn.Module]


class TrainingPhase(nn.Module):
    """What the training loop optimises.

    `forward(batch)` returns named scalar losses; the one called "loss" is minimised, the others
    are logged. Parameters that require a gradient are trained, all others stay bit-identical.
    The phase itself sets which of its modules are in train or eval mode; the loop never does.
    """

    method: "FusionMethod"

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        raise NotImplementedError


class FusionMethod(nn.Module):
    """(infrared, visible) -> fused luminance; every method, learned or not, is one of these.

    Class attributes:
        config_class: settings of the network; saved with the weights, which so describe themselves.
        phases: names of the training phases in order, each with its settings class; empty for
            methods that are not trained.
        restores_color: whether the fused image gets the visible image's colour.
        trivial: a baseline that fuses nothing cleverly; what others must beat.
        whole_image: whether a tile would be fused otherwise than as a part of its image, so that
            the method is never given tiles.
    """

    config_class: ClassVar[type[Config]] = Config
    phases: ClassVar[Mapping[str, type[PhaseConfig]]] = {}
    restores_color: ClassVar[bool] = True
    trivial: ClassVar[bool] = False
    whole_image: ClassVar[bool] = False

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        """Fuse a batch.

        Args:
            infrared: B×1×H×W in [0, 1].
            visible: B×3×H×W RGB in [0, 1].

        Returns:
            Fused luminance, B×1×H×W in [0, 1], for any H, W ≥ 16.
        """
        raise NotImplementedError

    def encoder_layers(self) -> EncoderLayers:
        """The layers that encode each modality; none in a method without encoders."""
        return EncoderLayers({}, {})

    @classmethod
    def start_phase(
        cls, name: str, config: Config, settings: PhaseConfig, previous: "FusionMethod | None"
    ) -> TrainingPhase:
        """Build the phase `name`.

        Args:
            name: a key of `phases`.
            config: the network's settings.
            settings: the phase's settings.
            previous: the method as the phase before left it; None for the first phase.

        Returns:
            The phase, whose `method` holds the weights to be saved when it ends.
        """
        raise NotImplementedError


_registry: dict[str, type[FusionMethod]] = {}


def register(name: str) -> Callable[[type[FusionMethod]], type[FusionMethod]]:
    """Class decorator: make a method known under `name`.

    Raises:
        ValueError: the name is taken by another class.
    """

    def add(method: type[FusionMethod]) -> type[FusionMethod]:
        if _registry.setdefault(name, method) is not method:
            raise ValueError(f"two fusion methods are called '{name}'")
        return method

    return add
