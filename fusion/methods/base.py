"""Base classes of fusion methods and of their training phases."""

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, NamedTuple, Self

from torch import Tensor, nn
from typing_extensions import TypeVar

from fusion.core.config import Config
from fusion.methods.registry import register
from fusion.methods.settings import PhaseConfig, TaughtPhaseConfig

__all__ = [
    "Batch",
    "EncoderLayers",
    "Fault",
    "FusionMethod",
    "ParameterGroup",
    "PhaseConfig",
    "TaughtPhaseConfig",
    "TrainingPhase",
    "of_type",
    "register",
]

ConfigT = TypeVar("ConfigT", bound=Config, default=Any)
PhaseConfigT = TypeVar("PhaseConfigT", bound=PhaseConfig)


class Batch(NamedTuple):
    """Aligned pairs, as the training loop hands them to a phase.

    infrared: B×1×H×W, float32 in [0, 1].
    visible: B×3×H×W RGB, float32 in [0, 1]; gray images have three equal channels.
    fused: B×K×H×W float32 in [0, 1], luminance of the same crops as K other methods fused them;
        None in phases without teachers.
    """

    infrared: Tensor
    visible: Tensor
    fused: Tensor | None = None


class EncoderLayers(NamedTuple):
    """The layers that encode each modality, by name and in order, for analysis.

    Every module returns B×C×H×W. A module that serves both modalities is in both lists; it sees
    infrared before visible, in one batch or in two calls.
    """

    infrared: Mapping[str, nn.Module]
    visible: Mapping[str, nn.Module]


class Fault(NamedTuple):
    """Why a training phase cannot succeed any more, and what to change."""

    reason: str
    remedy: str


class ParameterGroup(NamedTuple):
    """Parameters with a schedule and a limit of the gradient norm of their own.

    parameters: those that require a gradient.
    starts: the epoch in which they begin to learn; their schedule counts from there. Until then
        they stay bit-identical.
    """

    parameters: list[nn.Parameter]
    starts: int = 0


class TrainingPhase(nn.Module):
    """One training phase: the losses that the training loop minimizes.

    `forward(batch)` returns named scalar losses; the one called "loss" is minimized, the others
    are logged. Parameters that require a gradient are trained, all others stay bit-identical.
    The phase itself sets which of its modules are in train or eval mode; the loop never does.
    """

    method: "FusionMethod"

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        raise NotImplementedError

    def groups(self) -> list[ParameterGroup]:
        """Every parameter that requires a gradient, in one group; by default, all are in one."""
        return [ParameterGroup([value for value in self.parameters() if value.requires_grad])]

    def set_epoch(self, epoch: int) -> None:
        """Prepare for an update in epoch 0, 1, …; the loop calls this before each one."""

    def fault(self, means: Mapping[str, float]) -> Fault | None:
        """Whether training should stop, given the running epoch's means of what is logged."""
        return None


class FusionMethod(nn.Module, Generic[ConfigT]):
    """(infrared, visible) -> fused luminance; every method, learned or not, is one of these.

    `FusionMethod[MyConfig]` is a method whose settings are a `MyConfig`; a method without settings
    is a plain `FusionMethod`.

    Class attributes:
        kind: the method's name; set by `register`.
        config_class: settings of the network; saved in the card beside the weights.
        phases: names of the training phases, each with its settings class; empty for methods that
            are not trained. A phase starts after another, or instead of others.
        restores_color: whether the fused image gets the visible image's color.
        trivial: whether the method is a trivial baseline.
        whole_image: whether the method needs the whole image, so that it is never given tiles.
        tiles_itself: whether the method works through an image in small tiles of its own, so that
            its memory does not grow with the image.
    """

    kind: ClassVar[str]
    config_class: ClassVar[type[Config]] = Config
    phases: ClassVar[Mapping[str, type[PhaseConfig]]] = {}
    restores_color: ClassVar[bool] = True
    trivial: ClassVar[bool] = False
    whole_image: ClassVar[bool] = False
    tiles_itself: ClassVar[bool] = False
    config: ConfigT

    def __init__(self, config: ConfigT) -> None:
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
        cls, name: str, config: ConfigT, settings: PhaseConfig, previous: Self | None
    ) -> TrainingPhase:
        """Build the phase `name`.

        Args:
            name: a key of `phases`.
            config: the network's settings.
            settings: the phase's settings, an object of the class that `phases` names.
            previous: the method after the previous phase; None where training starts from nothing.

        Returns:
            The phase, whose `method` holds the weights to be saved when it ends.
        """
        raise NotImplementedError


def of_type(settings: PhaseConfig, kind: type[PhaseConfigT]) -> PhaseConfigT:
    """Return `settings` after checking that they are of class `kind`.

    Raises:
        TypeError: they are of another class.
    """
    if not isinstance(settings, kind):
        raise TypeError(f"this phase takes {kind.__name__}, not {type(settings).__name__}")
    return settings
