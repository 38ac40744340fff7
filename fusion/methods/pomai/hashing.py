"""Locality-sensitive hashing of feature vectors into groups, and attention inside the groups."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

_PART = 8192
"""Vectors that are hashed at a time on a CPU: their products fit into its cache."""

_STEEP = 1e30
"""Turns any difference of two floats that are not tiny into more than a number of places."""


def cross_polytope_codes(vectors: Tensor, rotation: Tensor) -> Tensor:
    """Hash codes of the cross-polytope family (Andoni et al. 2015): argmax([xR, −xR]).

    Only the direction of a vector matters, so vectors need not be normalized.

    Args:
        vectors: B×L×C.
        rotation: C×(n/2), Gaussian.

    Returns:
        Codes in 0..n−1, B×L int64. Carries no gradient.
    """
    with torch.no_grad(), torch.autocast(vectors.device.type, enabled=False):
        vectors, rotation = vectors.detach().float(), rotation.float()
        if vectors.device.type == "cpu" and not torch.compiler.is_compiling():
            parts = vectors.flatten(0, 1).split(_PART)
            codes = [_codes_of_columns(rotation.t() @ part.t()) for part in parts]
            return torch.cat(codes).view(vectors.shape[:2])
        rotated = vectors @ rotation
        nearest = rotated.abs().argmax(-1)
        negative = rotated.gather(-1, nearest.unsqueeze(-1)).squeeze(-1) < 0
        return nearest.where(~negative, nearest + rotation.shape[1])


def _codes_of_columns(rotated: Tensor) -> Tensor:
    """argmax([x, −x]) of every column x, (n/2)×L -> L int64; of equal ones the first.

    On a CPU, torch's argmax is a loop over single values; maxima along the columns are vectors.
    """
    count = len(rotated)
    places = torch.arange(count, 0, -1, dtype=rotated.dtype).unsqueeze(1)
    below = rotated.abs()
    below -= below.amax(0)  # 0 at the largest, negative elsewhere
    nearest = count - torch.add(places, below, alpha=_STEEP).amax(0).long()
    nearest.clamp_(0, count - 1)  # an undefined value is no place
    negative = rotated.gather(0, nearest.unsqueeze(0)).squeeze(0) < 0
    return nearest.where(~negative, nearest + count)


def bucket_count(length: int, group_size: int, limit: int) -> int:
    """Number of hash buckets for `length` vectors: min(even(L/K), limit), at least 2 (NLSA)."""
    return max(2, min(2 * (length // group_size // 2), limit))


def group_order(codes: Tensor, group_size: int) -> tuple[Tensor, Tensor]:
    """Sort pixels by hash code and cut the sequence into groups of equal size.

    Args:
        codes: B×L hash codes.
        group_size: K, at most L.

    Returns:
        members: B×(M·K) pixel indices in sorted order, M = ceil(L/K); the tail of the last group
            is padded with repeats of the last pixels.
        rank: B×L, where in `members` each pixel stands.
    """
    order = _stable_order(codes)
    positions = torch.arange(order.shape[1], device=order.device).expand_as(order)
    rank = torch.empty_like(order).scatter_(1, order, positions)
    length = order.shape[1]
    padding = -length % group_size
    places = torch.arange(length + padding, device=order.device)
    members = order.index_select(1, places.where(places < length, places - padding))
    return members, rank


def _stable_order(codes: Tensor) -> Tensor:
    """`codes.argsort(dim=1, stable=True)`; on a CPU by NumPy's radix sort, which takes 16 bits."""
    traced = codes.device.type != "cpu" or torch.compiler.is_compiling()
    if traced or codes.max() >= 2**15:
        return codes.argsort(dim=1, stable=True)
    return torch.from_numpy(codes.numpy().astype(np.int16).argsort(axis=1, kind="stable"))


def take_rows(sequences: Tensor, indices: Tensor) -> Tensor:
    """Rows of every sequence of a batch: B×L×C, B×N -> B×N×C."""
    batch, length, channels = sequences.shape
    offsets = torch.arange(batch, device=indices.device).unsqueeze(1) * length
    rows = sequences.reshape(-1, channels).index_select(0, (indices + offsets).flatten())
    return rows.view(batch, -1, channels)


def attend_in_groups(
    query: Tensor, key: Tensor, value: Tensor, codes: Tensor, group_size: int, neighbors: int = 0
) -> Tensor:
    """Softmax attention of every pixel to the pixels of its hash group, O(L·K·C).

    Args:
        query, key, value: B×L×C; scores are query·key, unscaled.
        codes: B×L hash codes.
        group_size: K; a sequence shorter than K is one group.
        neighbors: how many adjacent groups on either side a group attends to besides itself.

    Returns:
        B×L×C, in the pixels' own order.
    """
    members, rank, size = _groups(codes, group_size)
    attended = F.scaled_dot_product_attention(
        _cut(query, members, size),
        _with_neighbors(_cut(key, members, size), neighbors),
        _with_neighbors(_cut(value, members, size), neighbors),
        scale=1.0,
    )
    return take_rows(attended.flatten(1, 2), rank)


def group_scores(
    query: Tensor, key: Tensor, codes: Tensor, group_size: int, neighbors: int = 0
) -> Tensor:
    """Log of the sum of every pixel's exponentiated attention scores: B×L (arguments as above).

    Several hash rounds are combined by the softmax of these (Mei et al. 2021, NLSA).
    """
    members, rank, size = _groups(codes, group_size)
    keys = _with_neighbors(_cut(key, members, size), neighbors)
    scores = (_cut(query, members, size) @ keys.transpose(-2, -1)).float().logsumexp(-1)
    return scores.flatten(1, 2).gather(1, rank)


def _groups(codes: Tensor, group_size: int) -> tuple[Tensor, Tensor, int]:
    size = min(group_size, codes.shape[1])
    members, rank = group_order(codes, size)
    return members, rank, size


def _cut(sequences: Tensor, members: Tensor, size: int) -> Tensor:
    """B×L×C -> B×M×K×C."""
    groups: Tensor = take_rows(sequences, members).unflatten(1, (-1, size))
    return groups


def _with_neighbors(groups: Tensor, neighbors: int) -> Tensor:
    """B×M×K×C -> B×M×(1+2·neighbors)K×C; the first and the last group are neighbors."""
    if neighbors == 0:
        return groups
    shifts = range(-neighbors, neighbors + 1)
    return torch.cat([groups.roll(shift, dims=1) for shift in shifts], dim=2)
