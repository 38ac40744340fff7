"""CDDFuse's training: two phases, or both in one run as the authors' code trains."""

from torch import Tensor

from fusion.methods.base import Batch, ParameterGroup, TrainingPhase
from fusion.methods.cddfuse.config import (
    CDDFuseFusionLossConfig,
    CDDFuseOneRunPhaseConfig,
    CDDFuseReconstructionLossConfig,
)
from fusion.methods.cddfuse.loss import FusionLoss, ReconstructionLoss
from fusion.methods.cddfuse.network import CDDFuseNetwork


class CDDFuseReconstructionPhase(TrainingPhase):
    """Train encoder and decoder (`ReconstructionLoss`); the fusion layers wait."""

    method: CDDFuseNetwork

    def __init__(self, network: CDDFuseNetwork, weights: CDDFuseReconstructionLossConfig) -> None:
        super().__init__()
        self.method = network
        self.losses = ReconstructionLoss(weights)
        self.train()
        for waiting in (network.base_fusion, network.detail_fusion):
            waiting.requires_grad_(False).eval()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = self.losses(self.method, batch)
        return losses


class CDDFuseFusionPhase(TrainingPhase):
    """Train all weights (`FusionLoss`; choice: reflect padding)."""

    method: CDDFuseNetwork

    def __init__(self, network: CDDFuseNetwork, weights: CDDFuseFusionLossConfig) -> None:
        super().__init__()
        self.method = network
        self.losses = FusionLoss(weights, "reflect")
        self.train()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = self.losses(self.method, batch)
        return losses


class CDDFuseOneRunPhase(TrainingPhase):
    """Reconstruct, then fuse, in one run: what the authors' code does.

    Encoder and decoder keep the state of their optimizer and their rate when the fusion layers
    join. Each of the four modules has its own schedule and gradient limit. The Sobel operator of
    `FusionLoss` pads with zeros.
    """

    method: CDDFuseNetwork

    def __init__(self, network: CDDFuseNetwork, settings: CDDFuseOneRunPhaseConfig) -> None:
        super().__init__()
        self.method = network
        self.fuses_from = settings.reconstruction_epochs
        self.reconstruction = ReconstructionLoss(settings.reconstruction)
        self.fusion = FusionLoss(settings.fusion, "constant")
        self.fuses = self.fuses_from == 0
        self.train()

    def groups(self) -> list[ParameterGroup]:
        network = self.method
        starts = {
            network.encoder: 0,
            network.decoder: 0,
            network.base_fusion: self.fuses_from,
            network.detail_fusion: self.fuses_from,
        }
        return [ParameterGroup(list(part.parameters()), epoch) for part, epoch in starts.items()]

    def set_epoch(self, epoch: int) -> None:
        self.fuses = epoch >= self.fuses_from

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """`ReconstructionLoss` until the fusion layers join, then `FusionLoss`.

        Both have a term "gradient" and one "decomposition", so their names tell the loss too.
        """
        name = "fusion" if self.fuses else "reconstruction"
        losses = self.get_submodule(name)(self.method, batch)
        return {key if key == "loss" else f"{name}_{key}": losses[key] for key in losses}
