"""The metrics as one torchmetrics metric, for loops that fuse and measure."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from fusion.metrics import CORE, METRICS, compute


class FusionMetrics(Metric):
    """Means of fusion metrics over all batches, in one process or several.

    `update(fused, infrared, visible)` takes B×1×H×W gray levels 0..255 (whole numbers); batches
    may differ in size. `compute()` gives name → mean (float64); undefined values are left out, and
    a metric that was never defined is NaN. Processes are reduced by sums, so the result does not
    depend on how images are divided.

    Raises:
        KeyError: a name is not in `METRICS`.
    """

    full_state_update = False
    total: Tensor
    defined: Tensor

    def __init__(self, names: Iterable[str] = CORE, **options: Any) -> None:
        super().__init__(**options)
        self.names = tuple(names)
        for name in self.names:
            METRICS[name]
        zeros = torch.zeros(len(self.names), dtype=torch.float64)
        self.add_state("total", default=zeros, dist_reduce_fx="sum")
        self.add_state("defined", default=zeros.clone(), dist_reduce_fx="sum")

    def update(self, fused: Tensor, infrared: Tensor, visible: Tensor) -> None:
        """Add a batch."""
        values = torch.stack([*compute(fused, infrared, visible, self.names).values()])
        self.total = self.total + values.nansum(1)
        self.defined = self.defined + (~values.isnan()).sum(1)

    def compute(self) -> dict[str, Tensor]:
        """name → mean over all images seen."""
        return dict(zip(self.names, self.total / self.defined, strict=True))
