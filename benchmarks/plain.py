"""PoMAI and its training written the plain way: what the measurements compare with.

The network computes what `fusion.methods.pomai` computes, with the same weights, as published
code of the field does: images permuted and copied for every layer norm, q and k normalized over all
pixels, every product an operation of its own, softmax attention written out. The loop decodes and
crops image by image.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.layers import GatedFeedForward, RestormerBlock, TransposedAttention
from fusion.images.color import luminance
from fusion.methods.pomai.context import ContextAwareModeling
from fusion.methods.pomai.method import PoMAI
from fusion.methods.pomai.neighbor_groups import NeighborGroupMatching
from fusion.methods.pomai.phases import PoMAIPhase


def layer_norm(norm: nn.LayerNorm, features: Tensor) -> Tensor:
    """Channel layer norm by way of a copy with the channels last."""
    height, width = features.shape[2:]
    pixels = features.flatten(2).transpose(1, 2).contiguous()
    mean, variance = pixels.mean(-1, keepdim=True), pixels.var(-1, keepdim=True, unbiased=False)
    pixels = (pixels - mean) / torch.sqrt(variance + norm.eps) * norm.weight + norm.bias
    return pixels.transpose(1, 2).reshape(*features.shape[:2], height, width).contiguous()


def transposed_attention(attention: TransposedAttention, features: Tensor) -> Tensor:
    """MDTA; q and k normalized over all pixels."""
    qkv = attention.depthwise(attention.expand(features))
    heads = len(attention.temperature)
    query, key, value = (part.flatten(2).unflatten(1, (heads, -1)) for part in qkv.chunk(3, dim=1))
    scores = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1)
    mixed = (scores * attention.temperature).softmax(-1) @ value
    return attention.project(mixed.reshape(features.shape))


def feed_forward(network: GatedFeedForward, features: Tensor) -> Tensor:
    """GDFN."""
    gate, value = network.depthwise(network.expand(features)).chunk(2, dim=1)
    return network.project(F.gelu(gate) * value)


def restormer_block(block: RestormerBlock, features: Tensor) -> Tensor:
    """x + MDTA(LN(x)), then x + GDFN(LN(x))."""
    normed = layer_norm(block.attention_norm, features)
    features = features + transposed_attention(block.attention, normed)
    normed = layer_norm(block.feed_forward_norm, features)
    return features + feed_forward(block.feed_forward, normed)


def context(camn: ContextAwareModeling, features: Tensor) -> Tensor:
    """CAMN, equations 4-5."""
    spatial = camn.spatial(features) + features
    channel = layer_norm(camn.channel[0], spatial)
    for layer in camn.channel[1:]:
        channel = layer(channel)
    return channel + spatial + features


def hash_codes(key: Tensor, rotation: Tensor) -> Tensor:
    """Cross-polytope codes, B×L."""
    rotated = key @ rotation
    return torch.cat([rotated, -rotated], -1).argmax(-1)


def match_groups(ngmm: NeighborGroupMatching, features: Tensor, rotation: Tensor) -> Tensor:
    """One hash round; groups are gathered with expanded indices, as NLSA does."""
    batch, channels, height, width = features.shape
    size, length = ngmm.config.group_size, height * width
    buckets = max(2, min(2 * (length // size // 2), ngmm.config.buckets))
    value, key = (
        conv(features).flatten(2).transpose(1, 2).contiguous() for conv in (ngmm.left, ngmm.right)
    )
    key = F.normalize(key, dim=-1)
    order = hash_codes(key.detach(), rotation[:, : buckets // 2]).argsort(dim=1, stable=True)
    undo = order.argsort(dim=1)
    order = torch.cat([order, order[:, length - -length % size :]], dim=1)
    rows = order.unsqueeze(2).expand(-1, -1, channels)
    keys, values = (x.gather(1, rows).view(batch, -1, size, channels) for x in (key, value))
    scores = keys * ngmm.temperature @ keys.transpose(-2, -1)
    attended = (scores.softmax(-1) @ values).flatten(1, 2)
    attended = attended.gather(1, undo.unsqueeze(2).expand(-1, -1, channels))
    return features + attended.transpose(1, 2).reshape(features.shape)


def fuse(network: PoMAI, infrared: Tensor, visible: Tensor, rotation: Tensor) -> Tensor:
    """The forward pass with a given hash rotation, C×(n/2)."""
    encoded = [network.infrared_stem(infrared), network.visible_stem(visible)]
    for block in network.encoder:
        encoded = [restormer_block(block, features) for features in encoded]
    matched = match_groups(network.ngmm, encoded[0], rotation)
    adapted = context(network.camn, encoded[1])
    if network.micm:
        gate = network.micm(*encoded)
        adapted = gate * encoded[1] + adapted
        matched = (1 - gate) * encoded[0] + matched
    features = network.decoder.reduce(torch.cat([matched, adapted], 1))
    for block in network.decoder.blocks:
        features = restormer_block(block, features)
    return torch.sigmoid(network.decoder.head(features) + network.start(infrared, visible))


def train(phase: PoMAIPhase, folder: Path, batch_size: int, crop: int) -> Iterator[float]:
    """Train the plain network on its device; yield losses as long as the caller iterates."""
    device = next(phase.parameters()).device
    optimizer = torch.optim.Adam(phase.parameters(), lr=1e-4, foreach=False)
    names = sorted(path.name for path in (folder / "ir").iterdir())
    generator = np.random.default_rng(0)
    while True:
        pairs = [
            _crop(folder, name, crop, generator) for name in generator.choice(names, batch_size)
        ]
        infrared, visible = (torch.stack(images).to(device) for images in zip(*pairs, strict=True))
        rotation = torch.randn(phase.method.config.channels, phase.method.config.ngmm.buckets // 2)
        rotation = rotation.to(device)
        fused = fuse(phase.method, infrared, visible, rotation)
        loss = phase.loss(fused, infrared, luminance(visible))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()


def _crop(
    folder: Path, name: str, size: int, generator: np.random.Generator
) -> tuple[Tensor, Tensor]:
    infrared = np.asarray(Image.open(folder / "ir" / name))[..., None]
    visible = np.asarray(Image.open(folder / "vi" / name))
    top, left = (generator.integers(side - size + 1) for side in infrared.shape[:2])
    window = slice(top, top + size), slice(left, left + size)
    planes = [
        torch.from_numpy(image[window].transpose(2, 0, 1).astype(np.float32) / 255)
        for image in (infrared, visible)
    ]
    return planes[0], planes[1]
