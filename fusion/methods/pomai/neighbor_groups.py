"""PoMAI's Neighbor-Group Matching Model: attention between similar pixels at any distance."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.pointwise import PointwiseConv2d
from fusion.methods.pomai.config import NGMMConfig
from fusion.methods.pomai.hashing import (
    attend_in_groups,
    bucket_count,
    cross_polytope_codes,
    group_scores,
)


class NeighborGroupMatching(nn.Module):
    """NGMM, equations 2-3: B×C×H×W -> B×C×H×W, cost and memory linear in pixels.

    HFN hashes the right branch (directions only: the unit sphere) and sorts pixels into groups of
    K neighbors in feature space; GAM attends inside each group, with cosines of the right branch
    as scores and the left branch as values. A new hash rotation is drawn for every training
    forward; at inference it is a saved buffer, so the result is a function of weights and input.
    """

    rotation: Tensor

    def __init__(self, channels: int, config: NGMMConfig) -> None:
        super().__init__()
        self.config = config
        self.left = PointwiseConv2d(channels, channels)
        self.right = PointwiseConv2d(channels, channels)
        self.temperature = nn.Parameter(torch.tensor(config.temperature))
        self.register_buffer("rotation", self._draw(channels))

    def _draw(self, channels: int, device: torch.device | None = None) -> Tensor:
        size = self.config.rounds, channels, self.config.buckets // 2
        drawn = torch.empty(size, device=device)
        # random numbers of the device "meta", which has no values, import SymPy: two seconds
        return drawn if drawn.is_meta else drawn.normal_()

    def forward(self, features: Tensor) -> Tensor:
        shape = features.shape
        left = self.left(features).flatten(2).transpose(1, 2)  # B × L × C
        right = self.right(features).flatten(2).transpose(1, 2)
        key = F.normalize(right.float(), dim=-1).to(left.dtype)
        query = key * self.temperature.to(key.dtype)
        attended = self._attend(query, key, left)
        return features + attended.transpose(1, 2).reshape(shape)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        size, neighbors = self.config.group_size, self.config.neighbors
        buckets = bucket_count(key.shape[1], size, self.config.buckets)
        rotation = self._draw(key.shape[2], key.device) if self.training else self.rotation
        outputs, scores = [], []
        used = torch.arange(buckets // 2, device=key.device)
        for turn in rotation.index_select(-1, used).unbind():
            codes = cross_polytope_codes(key, turn)
            outputs.append(attend_in_groups(query, key, value, codes, size, neighbors))
            if len(rotation) > 1:
                scores.append(group_scores(query, key, codes, size, neighbors))
        if len(outputs) == 1:
            return outputs[0]
        weights = torch.stack(scores).softmax(0).unsqueeze(-1).to(value.dtype)
        return (torch.stack(outputs) * weights).sum(0)
