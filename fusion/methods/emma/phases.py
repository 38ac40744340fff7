"""EMMA's two training phases."""

from torch import Tensor

from fusion.images.color import luminance
from fusion.methods.base import Batch, TrainingPhase
from fusion.methods.emma.config import EMMAFusionPhaseConfig, EMMASensingPhaseConfig
from fusion.methods.emma.equivariance import transformed
from fusion.methods.emma.loss import IntensityGradientDistance
from fusion.methods.emma.network import EMMANetwork
from fusion.methods.emma.sensing import SensingNetworks, low_contrast


class EMMASensingPhase(TrainingPhase):
    """A_i and A_v, mean squared error; patches of low contrast have weight zero (choice).

    They still pass through the networks, so batch normalization's statistics contain them.
    """

    method: EMMANetwork

    def __init__(self, network: EMMANetwork, settings: EMMASensingPhaseConfig) -> None:
        super().__init__()
        self.method = network
        self.contrast = settings.contrast
        network.requires_grad_(False).eval()
        self.sensing.requires_grad_(True).train()

    @property
    def sensing(self) -> SensingNetworks:
        """A_i and A_v of this phase's method."""
        if self.method.sensing is None:
            raise ValueError("phase sensing of emma trains a method with sensing networks")
        return self.method.sensing

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """`loss` = `infrared` + `visible`; `low_contrast` is the share of ignored patches."""
        if batch.fused is None:
            raise ValueError("phase sensing of emma needs fused images of its teachers")
        teachers = batch.fused.shape[1]
        visible = luminance(batch.visible)
        skipped = low_contrast(batch.infrared, self.contrast)
        skipped = skipped | low_contrast(visible, self.contrast)
        weight = (~skipped).float()
        weight = weight / weight.sum().clamp_min(1)
        sensed = self.sensing(batch.fused.flatten(0, 1).unsqueeze(1))
        terms = {}
        for name, image, source in zip(
            ("infrared", "visible"), sensed, (batch.infrared, visible), strict=True
        ):
            errors = (image.unflatten(0, (-1, teachers)) - source.unsqueeze(1)).square()
            terms[name] = (weight * errors.flatten(1).mean(1)).sum()
        return {
            "loss": terms["infrared"] + terms["visible"],
            **terms,
            "low_contrast": skipped.float().mean(),
        }


class EMMAFusionPhase(TrainingPhase):
    """Train the U-Fuser alone; A_i and A_v pass gradients but do not learn or update statistics."""

    method: EMMANetwork

    def __init__(
        self, network: EMMANetwork, sensing: SensingNetworks, settings: EMMAFusionPhaseConfig
    ) -> None:
        super().__init__()
        self.method = network
        self.sensing = sensing
        self.settings = settings
        self.distance = IntensityGradientDistance()
        self.train()
        sensing.requires_grad_(False).eval()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        visible = luminance(batch.visible)
        fused = self.method.fuser(batch.infrared, visible)
        moved = transformed(fused, self.settings.shifts, self.settings.rotations)
        sensed = self.sensing(moved)
        count = len(fused)  # the first of `moved` are `fused` as they are
        terms = {
            "infrared": self.distance(sensed.infrared[:count], batch.infrared),
            "visible": self.distance(sensed.visible[:count], visible),
            "equivariance": self.distance(moved, self.method.fuser(*sensed)),
        }
        sources = terms["infrared"] + terms["visible"]
        return {"loss": sources + self.settings.equivariance * terms["equivariance"], **terms}
