"""The graph of IGNet: three nodes per modality, which exchange features and messages."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NODES = 3
ROUNDS = 2
OTHERS = ((1, 2), (0, 2), (0, 1))
"""For each node, the two nodes that send it messages."""


class CrossModality(nn.Module):
    """Exchange features between the nodes of both modalities where they differ, twice.

    a' = a + b · σ(P₁(b − a)) and b' = b + a · σ(P₀(a − b)), at once; one P₀ and P₁ for all nodes.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_visible = nn.Conv2d(channels, 1, 1, bias=False)
        self.to_infrared = nn.Conv2d(channels, 1, 1, bias=False)

    def forward(self, infrared: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        """B×C×H×W each, for one node or for all of them in one batch."""
        for _ in range(ROUNDS):
            difference = visible - infrared
            infrared, visible = (
                infrared + visible * torch.sigmoid(self.to_infrared(difference)),
                visible + infrared * torch.sigmoid(self.to_visible(-difference)),
            )
        return infrared, visible


class GatedUpdate(nn.Module):
    """A convolutional GRU of 1×1 kernels: the new state of a node that got a message."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.candidate = nn.Conv2d(2 * channels, channels, 1)
        for layer in (self.gates, self.candidate):
            nn.init.normal_(layer.weight, std=0.01)

    def forward(self, message: Tensor, state: Tensor) -> Tensor:
        gates = torch.sigmoid(self.gates(torch.cat([message, state], dim=1)))
        reset, update = gates.chunk(2, dim=1)
        candidate = torch.tanh(self.candidate(torch.cat([message, reset * state], dim=1)))
        return (1 - update) * state + update * candidate


class MessagePassing(nn.Module):
    """Pass messages from the other two nodes, twice with the same weights: B×3×C×H×W kept.

    The two gates of a node interleave, as in the authors' code: of the 2·C channels that arrive,
    channel j is gated by gate j mod 2, not by the gate of the node it comes from.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.edge = nn.Conv2d(2 * channels, 2, 1, groups=2, bias=False)
        self.update = GatedUpdate(channels)
        self.gain = nn.Parameter(torch.zeros(1))

    def forward(self, nodes: Tensor) -> Tensor:
        channels = nodes.shape[2]
        for _ in range(ROUNDS):
            state = nodes.flatten(0, 1)
            heard = torch.stack([nodes[:, others].flatten(1, 2) for others in OTHERS], dim=1)
            heard = heard.flatten(0, 1)
            gates = torch.sigmoid(self.edge(state.repeat(1, 2, 1, 1) - heard))
            gated = heard * gates.repeat(1, channels, 1, 1)
            message = gated[:, :channels] + gated[:, channels:]
            state = state + self.gain * self.update(message, state)
            nodes = state.unflatten(0, (-1, NODES))
        return nodes


class LeaderGate(nn.Module):
    """x + x · σ(attention(leader)): merged features of the level below, B×2C×h×w, guide B×C×H×W."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(2 * channels, channels // 2, 1, bias=False)
        self.excite = nn.Conv2d(channels // 2, channels, 1, bias=False)

    def forward(self, features: Tensor, leader: Tensor) -> Tensor:
        logits = self.excite(F.relu(self.squeeze(leader.mean((2, 3), keepdim=True))))
        return features * (1 + torch.sigmoid(logits))
