"""A pair of images that a tiny network learns in seconds, and the few steps that it takes."""

import torch
from torch.nn import functional as F

from fusion.methods.base import Batch

SCHEDULE = {"epochs": 1, "batch_size": 2, "crop": 32, "learning_rate": 1e-2}


def pair(height, width, batch=1, seed=0):
    """Noise: (infrared B×1×H×W, visible B×3×H×W)."""
    generator = torch.Generator().manual_seed(seed)
    infrared = torch.rand(batch, 1, height, width, generator=generator)
    return infrared, torch.rand(batch, 3, height, width, generator=generator)


def smooth_batch(side=32, batch=2, seed=0):
    """Random blobs, different in infrared and visible: something that can be learned."""
    coarse = pair(5, 5, batch, seed)
    return Batch(
        *(F.interpolate(image, (side, side), mode="bicubic").clamp(0, 1) for image in coarse)
    )


def train_briefly(phase, steps=2, rate=0.01, batch=None):
    """Adam on one batch; the loss before every step."""
    torch.manual_seed(0)
    batch = batch or smooth_batch()
    optimizer = torch.optim.Adam([p for p in phase.parameters() if p.requires_grad], lr=rate)
    seen = []
    for _ in range(steps):
        optimizer.zero_grad()
        losses = phase(batch)
        losses["loss"].backward()
        optimizer.step()
        seen.append(losses["loss"].item())
    return seen


def state(module):
    """A copy of weights and statistics."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(before, module):
    """Names of the weights and statistics that are not bit-identical to `before`."""
    after = module.state_dict()
    return {name for name, value in before.items() if not torch.equal(after[name], value)}


def randomized(module, std=0.3):
    """Every parameter drawn from a normal distribution; eval mode."""
    torch.manual_seed(1)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=std)
    return module.eval()


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())
