"""PoMAI's two training phases, which the paper calls stages."""

from torch import Tensor

from fusion.images.color import luminance
from fusion.methods.base import Batch, TrainingPhase
from fusion.methods.pomai.loss import FusionLoss
from fusion.methods.pomai.network import PoMAINetwork


class PoMAIPhase(TrainingPhase):
    """Either stage: the same loss on the same kind of crops."""

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
