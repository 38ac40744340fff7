"""TarDAL's training: the generator and its two critics."""

import torch
from torch import Tensor

from fusion.blocks.losses import gaussian_window, weighted_sum
from fusion.blocks.saliency import histogram_contrast
from fusion.images.color import luminance
from fusion.methods.base import Batch, TrainingPhase
from fusion.methods.tardal.config import TarDALFusionPhaseConfig
from fusion.methods.tardal.critics import Critic, critic_loss, dissimilarity, judged, slope
from fusion.methods.tardal.network import TarDALNetwork


class TarDALFusionPhase(TrainingPhase):
    """Generator and critics learn at once, each from its own terms, in float32.

    With ω = ½ + ½ (saliency of I − saliency of V), target mask m, and critics C_t and C_b:
    ssim: mean[ω·D(F, I) + (1 − ω)·D(F, V)], D = (1 − SSIM)/2 at every pixel.
    intensity: the same of |F − I| and |F − V|.
    target, background: −mean C_t(F ⊙ m) and −mean C_b(∇(F ⊙ (1 − m))).
    critics: `critic_loss` of C_t with I ⊙ m, and of C_b with ∇(V ⊙ (1 − m)); their weight is 1.

    Choices: one optimizer (Adam) updates all three networks at once, where the authors have three
    (RMSprop), one after the other; what the critics judge is fused with the statistics of the
    network's config, by default each image's own, where the authors take those of training;
    saliency is computed in the crop; the background critic learns from the visible background,
    where the published code takes gradients twice and the targets in its place.
    """

    method: TarDALNetwork
    window: Tensor

    def __init__(self, network: TarDALNetwork, settings: TarDALFusionPhaseConfig) -> None:
        super().__init__()
        self.method = network
        self.settings = settings
        self.target_critic = Critic(settings.crop)
        self.background_critic = Critic(settings.crop)
        self.register_buffer("window", gaussian_window(11, 1.5), persistent=False)
        self.train()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        infrared, visible = batch.infrared, luminance(batch.visible)
        with torch.no_grad():
            fake = self.method.eval().fuse(infrared, visible)
        fused = self.method.train().fuse(infrared, visible)
        with torch.autocast(fused.device.type, enabled=False):
            salient = histogram_contrast(infrared)
            mask = (salient >= self.settings.target_saliency).to(fused.dtype)
            share = (1 + salient - histogram_contrast(visible)) / 2
            terms = self._content(fused, infrared, visible, share) | {
                "target": judged(self.target_critic, fused * mask),
                "background": judged(self.background_critic, slope(fused * (1 - mask))),
            }
            critics = critic_loss(self.target_critic, infrared * mask, fake * mask) + critic_loss(
                self.background_critic, slope(visible * (1 - mask)), slope(fake * (1 - mask))
            )
            generator = weighted_sum(self.settings.loss, terms)
            return generator | {"loss": generator["loss"] + critics, "critics": critics}

    def _content(
        self, fused: Tensor, infrared: Tensor, visible: Tensor, share: Tensor
    ) -> dict[str, Tensor]:
        ssim = [dissimilarity(fused, source, self.window) for source in (infrared, visible)]
        intensity = [(fused - source).abs() for source in (infrared, visible)]
        return {
            "ssim": (share * ssim[0] + (1 - share) * ssim[1]).mean(),
            "intensity": (share * intensity[0] + (1 - share) * intensity[1]).mean(),
        }
