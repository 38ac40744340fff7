"""EMMA's two training phases."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from fusion.images.color import luminance
from fusion.methods.base import Batch, Fault, TrainingPhase
from fusion.methods.emma.config import EMMAFusionPhaseConfig, EMMASensingPhaseConfig
from fusion.methods.emma.equivariance import transformed
from fusion.methods.emma.loss import IntensityGradientDistance
from fusion.methods.emma.network import EMMANetwork
from fusion.methods.emma.periodic import excess
from fusion.methods.emma.sensing import SensingNetworks, low_contrast
from fusion.methods.emma.tone import ToneCurves

WHITE = math.log(254.5 / 0.5)
"""The logit from which on a pixel is saved as 255, and the negative of that for 0."""


class EMMASensingPhase(TrainingPhase):
    """A_i and A_v, mean squared error; patches of low contrast have weight zero (choice).

    They still pass through the networks, so batch normalization's statistics contain them.
    """

    method: EMMANetwork

    def __init__(self, network: EMMANetwork, settings: EMMASensingPhaseConfig) -> None:
        super().__init__()
        self.method = network
        self.contrast = settings.contrast
        self.noise = settings.noise
        self.tone_curves = ToneCurves()
        network.requires_grad_(False).eval()
        self.sensing.requires_grad_(True).train()

    @property
    def sensing(self) -> SensingNetworks:
        """A_i and A_v of this phase's method."""
        if self.method.sensing is None:
            raise ValueError("phase sensing of emma trains a method with sensing networks")
        return self.method.sensing

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """`loss` = `infrared` + `visible`, the squared errors of A_i and A_v.

        `sensing_mse` is their mean, and `tone_curve_mse` that of a table of gray levels:
        see `ToneCurves`. `low_contrast` is the share of ignored patches.
        """
        if batch.fused is None:
            raise ValueError("phase sensing of emma needs fused images of its teachers")
        teachers = batch.fused.shape[1]
        visible = luminance(batch.visible)
        skipped = low_contrast(batch.infrared, self.contrast)
        skipped = skipped | low_contrast(visible, self.contrast)
        weight = (~skipped).float()
        weight = weight / weight.sum().clamp_min(1)
        sensed = self.sensing(noisy(batch.fused.flatten(0, 1).unsqueeze(1), self.noise))
        terms = {}
        for name, image, source in zip(
            ("infrared", "visible"), sensed, (batch.infrared, visible), strict=True
        ):
            errors = (image.unflatten(0, (-1, teachers)) - source.unsqueeze(1)).square()
            terms[name] = (weight * errors.flatten(1).mean(1)).sum()
        curves = self.tone_curves(batch.fused, (batch.infrared, visible), (~skipped).float())
        loss = terms["infrared"] + terms["visible"]
        return {
            "loss": loss,
            **terms,
            "low_contrast": skipped.float().mean(),
            "sensing_mse": loss.detach() / 2,
            "tone_curve_mse": curves.mean(),
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
        """`loss` = `infrared` + `visible` + equivariance · `equivariance`.

        The rest tells whether the fuser still draws images. `max_logit` is the largest |logit| of
        the fused pixels, at most 13.8, and `saturated` the share of them that is black or white.
        `period_2` and `period_4` are the energy of stripes over that of the sources (`excess`).
        """
        visible = luminance(batch.visible)
        fused = self.method.fuser(batch.infrared, visible)
        moved = transformed(fused, self.settings.shifts, self.settings.rotations)
        sensed = self.sensing(noisy(moved, self.settings.noise))
        count = len(fused)  # the first of `moved` are `fused` as they are
        terms = {
            "infrared": self.distance(sensed.infrared[:count], batch.infrared),
            "visible": self.distance(sensed.visible[:count], visible),
            "equivariance": self.distance(moved, self.method.fuser(*sensed)),
        }
        sources = terms["infrared"] + terms["visible"]
        loss = sources + self.settings.equivariance * terms["equivariance"]
        return {"loss": loss, **terms, **_health(fused.detach(), (batch.infrared, visible))}

    def fault(self, means: Mapping[str, float]) -> Fault | None:
        """Report a saturated fuser: its gradient is zero, so it would never recover."""
        if means["saturated"] <= self.settings.saturation:
            return None
        return Fault(
            f"{means['saturated']:.0%} of the fused pixels are black or white",
            "lower learning_rate or raise warm_up_updates of this phase; "
            "it then starts again, and the phase before is kept",
        )


def noisy(images: Tensor, deviation: float) -> Tensor:
    """Add Gaussian noise from torch's global generator; none is drawn for a deviation of zero."""
    return images + deviation * torch.randn_like(images) if deviation else images


def _health(fused: Tensor, sources: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    logits = torch.logit(fused, eps=1e-6).abs()
    periods = {f"period_{period}": excess(fused, sources, period) for period in (2, 4)}
    return {
        "max_logit": logits.max(),
        "saturated": (logits > WHITE).float().mean(),
        **periods,
    }
