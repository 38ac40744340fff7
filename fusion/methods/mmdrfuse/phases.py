"""MMDRFuse's training: the teacher, then the student, both with dynamic refresh."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from fusion.blocks.losses import weighted_sum
from fusion.images.color import luminance
from fusion.methods.base import Batch, TrainingPhase
from fusion.methods.mmdrfuse.config import MMDRFuseLossConfig, MMDRFusePhaseConfig
from fusion.methods.mmdrfuse.loss import MMDRFuseLoss, magnitude_deviation, pattern_distance
from fusion.methods.mmdrfuse.network import MMDRFuseNetwork


class Memory(nn.Module):
    """An earlier state of a network, replaced by the present one where that does better.

    The authors keep the best image of every patch. Crops here are new in every update, so that no
    patch comes back; the best network is kept in place of images (choice).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = deepcopy(network).requires_grad_(False)

    @torch.no_grad()
    def recall(self, images: Tensor) -> Tensor:
        """What the earlier state makes of a batch, B×1×H×W."""
        image: Tensor = self.network(images)[1]
        return image.float()

    @torch.no_grad()
    def refresh(self, network: nn.Module, better: Tensor) -> None:
        """Copy the weights of `network` where the scalar `better` is true."""
        for stored, current in zip(self.network.parameters(), network.parameters(), strict=True):
            stored.copy_(torch.where(better, current, stored))


class MMDRFusePhase(TrainingPhase):
    """One network learns from the sources and from its own earlier states.

    refresh_structure: gap of SSIM to the state best in SSIM, times `structure_distance` to what
        that state fuses; 0 where there is no gap, and then it is replaced.
    refresh_gradient: the same with GMSD and `gradient_distance`.
    distillation: half of `pattern_distance` to the teacher's image and to its hidden features, each
        summed over channels.
    """

    method: MMDRFuseNetwork

    def __init__(
        self, network: MMDRFuseNetwork, settings: MMDRFusePhaseConfig, weights: MMDRFuseLossConfig
    ) -> None:
        super().__init__()
        self.method = network
        self.weights = weights
        self.compare = MMDRFuseLoss(settings.vgg19)
        self.structure = Memory(network.network)
        self.gradient = Memory(network.network)
        self.train()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        sources = batch.infrared, luminance(batch.visible)
        hidden, fused = self.method.network(torch.cat(sources, dim=1))
        with torch.autocast(fused.device.type, enabled=False):
            fused, hidden = fused.float(), hidden.float()
            terms = self.compare(fused, *sources) | self._refresh(fused, *sources)
            terms |= self._distillation(hidden, fused, *sources)
            return weighted_sum(self.weights, terms)

    def _refresh(self, fused: Tensor, *sources: Tensor) -> dict[str, Tensor]:
        compare, images = self.compare, torch.cat(sources, dim=1)
        old, present = self.structure.recall(images), fused.detach()
        structure = compare.structure(old, sources) - compare.structure(present, sources)
        by_structure = structure.clamp_min(0) * compare.structure_distance(fused, old)
        self.structure.refresh(self.method.network, structure < 0)
        old = self.gradient.recall(images)
        gradient = magnitude_deviation(present, sources) - magnitude_deviation(old, sources)
        by_gradient = gradient.clamp_min(0) * compare.gradient_distance(fused, old)
        self.gradient.refresh(self.method.network, gradient < 0)
        return {"refresh_structure": by_structure, "refresh_gradient": by_gradient}

    def _distillation(self, hidden: Tensor, fused: Tensor, *sources: Tensor) -> dict[str, Tensor]:
        return {}


class MMDRFuseTeacherPhase(MMDRFusePhase):
    """The teacher alone."""


class MMDRFuseStudentPhase(MMDRFusePhase):
    """The student, whose head starts as the frozen teacher's."""

    def __init__(
        self,
        network: MMDRFuseNetwork,
        settings: MMDRFusePhaseConfig,
        weights: MMDRFuseLossConfig,
        teacher: MMDRFuseNetwork,
    ) -> None:
        network.network.head.load_state_dict(teacher.network.head.state_dict())
        super().__init__(network, settings, weights)
        self.teacher = deepcopy(teacher.network).requires_grad_(False).eval()

    def _distillation(self, hidden: Tensor, fused: Tensor, *sources: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            wanted_hidden, wanted = self.teacher(torch.cat(sources, dim=1))
        hidden, wanted_hidden = (x.sum(1, keepdim=True) for x in (hidden, wanted_hidden))
        distances = pattern_distance(hidden, wanted_hidden) + pattern_distance(fused, wanted)
        return {"distillation": distances / 2}
