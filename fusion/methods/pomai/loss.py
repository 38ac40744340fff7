"""PoMAI's loss between a fused image and its sources, on luminance in [0, 1], in float32."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.fidelity import VisualInformationFidelity
from fusion.blocks.losses import SobelGradient, StructuralSimilarity, weighted_sum
from fusion.methods.pomai.config import FusionLossConfig


class FusionLoss(nn.Module):
    """PoMAI's loss, equations 14-18, the same in both stages, and terms of our own (choices).

    ssim: (1 − SSIM(F, I)) + (1 − SSIM(F, V)).
    mse: mean (F − I)² + mean (F − V)² (choice: means, so that the crop size does not matter).
    intensity: mean |F − max(I, V)|.
    gradient: mean | |∇F| − g·max(|∇I|, |∇V|) |, Sobel (choice: |∇x| = |S_x∗x| + |S_y∗x|, mean); g
        is `gradient_gain` (1 in the paper). With `gradient_target` "vector" (choice; not the
        paper's): mean |∇F − g·∇X|, X the source of the larger |∇| at each pixel. A magnitude is as
        large whichever way an edge runs, so it rewards edges and noise that neither source has; a
        vector does not.
    fidelity: (1 − VIF(F, I)) + (1 − VIF(F, V)), choice; only where its weight is above 0, because
        it takes time.
    """

    def __init__(self, config: FusionLossConfig) -> None:
        super().__init__()
        self.config = config
        self.ssim = StructuralSimilarity()
        self.sobel = SobelGradient()
        self.fidelity = VisualInformationFidelity() if config.fidelity else None

    def forward(self, fused: Tensor, infrared: Tensor, visible: Tensor) -> dict[str, Tensor]:
        """The weighted sum "loss" and the unweighted terms, from B×1×H×W luminances."""
        with torch.autocast(fused.device.type, enabled=False):
            fused, infrared, visible = fused.float(), infrared.float(), visible.float()
            similarities = self.ssim(fused, (infrared, visible))
            terms = {
                "ssim": sum((1 - value for value in similarities), fused.new_zeros(())),
                "mse": F.mse_loss(fused, infrared) + F.mse_loss(fused, visible),
                "intensity": F.l1_loss(fused, torch.maximum(infrared, visible)),
                "gradient": self._gradient(fused, infrared, visible),
            }
            if self.fidelity:
                kept = self.fidelity(fused, (infrared, visible))
                terms["fidelity"] = sum((1 - value for value in kept), fused.new_zeros(()))
            return weighted_sum(self.config, terms)

    def _gradient(self, *images: Tensor) -> Tensor:
        fused, infrared, visible = self.sobel(torch.cat(images)).chunk(3)
        infrared, visible = (
            infrared * self.config.gradient_gain,
            visible * self.config.gradient_gain,
        )
        sizes = [x.abs().sum(1, keepdim=True) for x in (fused, infrared, visible)]
        if self.config.gradient_target == "magnitude":
            return F.l1_loss(sizes[0], torch.maximum(sizes[1], sizes[2]))
        target = torch.where(sizes[1] > sizes[2], infrared, visible)
        distance: Tensor = (fused - target).abs().sum(1)
        return distance.mean()
