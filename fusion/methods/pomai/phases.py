"""PoMAI's training phases: the two stages of the paper, and tuning."""

from torch import Tensor

from fusion.images.color import luminance
from fusion.methods.base import Batch, TrainingPhase
from fusion.methods.pomai.config import PoMAITuningPhaseConfig
from fusion.methods.pomai.loss import FusionLoss
from fusion.methods.pomai.network import PoMAINetwork


class PoMAIPhase(TrainingPhase):
    """Any phase: a loss on crops."""

    def __init__(self, network: PoMAINetwork) -> None:
        super().__init__()
        self.method = network
        self.loss = FusionLoss(network.config.loss)
        self.train()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        fused = self.method(batch.infrared, batch.visible)
        losses: dict[str, Tensor] = self.loss(fused, batch.infrared, luminance(batch.visible))
        return losses


class PoMAIStageOnePhase(PoMAIPhase):
    """Everything is trained; there is no MICM yet."""


class PoMAIStageTwoPhase(PoMAIPhase):
    """MICM is trained, alone or with everything else.

    Frozen modules are in eval mode too, so MICM learns with the hash rotation of inference.
    """

    def __init__(self, network: PoMAINetwork, freeze: bool) -> None:
        super().__init__(network)
        if freeze:
            network.requires_grad_(False).eval()
        if network.micm:
            network.micm.requires_grad_(True).train()


class PoMAITuningPhase(PoMAIPhase):
    """All weights, or decoder and MICM alone, are trained on with a loss of their own.

    Frozen modules are in eval mode, as in stage two.
    """

    def __init__(self, network: PoMAINetwork, settings: PoMAITuningPhaseConfig) -> None:
        super().__init__(network)
        if settings.loss:
            self.loss = FusionLoss(settings.loss)
        if settings.freeze:
            network.requires_grad_(False).eval()
            for module in filter(None, (network.decoder, network.micm)):
                module.requires_grad_(True).train()
