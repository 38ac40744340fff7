"""MMA-UNet's three training phases."""

from torch import Tensor, nn

from fusion.images.color import luminance
from fusion.methods.base import Batch, TrainingPhase
from fusion.methods.mmaunet.config import MMAUNetLossConfig
from fusion.methods.mmaunet.loss import MMAUNetLoss
from fusion.methods.mmaunet.network import MMAUNetNetwork


class MMAUNetPhase(TrainingPhase):
    """One of the three networks is trained; the others are frozen and in eval mode."""

    method: MMAUNetNetwork

    def __init__(
        self, network: MMAUNetNetwork, trained: nn.Module, weights: MMAUNetLossConfig
    ) -> None:
        super().__init__()
        self.method = network
        self.loss = MMAUNetLoss(weights)
        network.requires_grad_(False).eval()
        trained.requires_grad_(True).train()

    def losses(self, output: Tensor, *references: Tensor) -> dict[str, Tensor]:
        """The loss of B×3×H×W and its terms; `references` are B×1×H×W each."""
        losses: dict[str, Tensor] = self.loss(output, references)
        return losses


class MMAUNetVisiblePhase(MMAUNetPhase):
    """The visible U-Net reconstructs its input."""

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        visible = luminance(batch.visible)
        return self.losses(self.method.reconstruct_visible(visible), visible)


class MMAUNetInfraredPhase(MMAUNetPhase):
    """The infrared U-Net reconstructs its input, guided by the frozen visible encoder."""

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        output = self.method.reconstruct_infrared(batch.infrared, luminance(batch.visible))
        return self.losses(output, batch.infrared)


class MMAUNetFusionPhase(MMAUNetPhase):
    """The fusion network learns on the features of both frozen encoders."""

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        visible = luminance(batch.visible)
        return self.losses(self.method.fuse(batch.infrared, visible), batch.infrared, visible)
