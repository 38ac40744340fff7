"""Hierarchical interactive attention: two modalities exchange features with semantic ones."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.methods.segmif.semantic import image_of, tokens_of


class ContextualAttention(nn.Module):
    """Linear attention: queries of one map, and a context (a small matrix per head) of another."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.key_value = nn.Linear(channels, 2 * channels, bias=False)

    def context(self, tokens: Tensor) -> Tensor:
        """B×L×C -> B×heads×C/heads×C/heads, columns that sum to one."""
        key, value = (self._split(part) for part in self.key_value(tokens).chunk(2, dim=2))
        scale = key.shape[-1] ** -0.5
        output: Tensor = (key.transpose(2, 3) @ value * scale).softmax(dim=2)
        return output

    def attend(self, queries: Tensor, context: Tensor) -> Tensor:
        """B×L×C and a context -> B×L×C."""
        return (self._split(queries) @ context).transpose(1, 2).flatten(2)

    def _split(self, tokens: Tensor) -> Tensor:
        output: Tensor = torch.unflatten(tokens, 2, (self.heads, -1)).transpose(1, 2)
        return output


class Modality(nn.Module):
    """The layers of one modality in the attention."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.expand = nn.Linear(channels, 2 * channels)
        self.attention = ContextualAttention(channels, heads)
        self.project = nn.Linear(2 * channels, channels)
        self.norm = nn.LayerNorm(channels)

    def forward(
        self, tokens: Tensor, semantic_queries: Tensor, semantic: ContextualAttention, own: Tensor
    ) -> Tensor:
        """New features of the modality, B×L×C.

        Args:
            tokens: its features, B×L×C.
            semantic_queries: of the semantic features, B×L×C.
            semantic: attention to the semantic features; `own` is their context.
        """
        keys, queries = F.relu(self.expand(tokens)).chunk(2, dim=2)
        toward_modality = self.attention.attend(semantic_queries, self.attention.context(keys))
        toward_semantics = semantic.attend(queries, own)
        both = torch.cat([toward_modality, toward_semantics], dim=2)
        output: Tensor = self.norm(tokens + self.project(both))
        return output


class InteractiveAttention(nn.Module):
    """Infrared, visible and semantic features, B×C×H×W each -> new infrared and visible ones.

    The context of a map is a sum over all its pixels, so the cost is linear in them.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.infrared = Modality(channels, heads)
        self.visible = Modality(channels, heads)
        self.expand = nn.Linear(channels, 2 * channels)
        self.semantic = ContextualAttention(channels, heads)

    def forward(self, infrared: Tensor, visible: Tensor, semantic: Tensor) -> tuple[Tensor, Tensor]:
        queries, keys = F.relu(self.expand(tokens_of(semantic))).chunk(2, dim=2)
        context = self.semantic.context(keys)
        first = self.infrared(tokens_of(infrared), queries, self.semantic, context)
        second = self.visible(tokens_of(visible), queries, self.semantic, context)
        return image_of(first, infrared), image_of(second, visible)
