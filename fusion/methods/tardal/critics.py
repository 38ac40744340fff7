"""TarDAL's critics, and what they are trained with: Wasserstein divergence."""

import torch
from torch import Tensor, nn
from torch.func import functional_call

from fusion.blocks.losses import correlate, filter_matrix

POWER, FACTOR = 6, 2


class Critic(nn.Module):
    """B×1×side×side -> B scores; 193,025 parameters at 224."""

    def __init__(self, side: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 1
        for outputs in (32, 64, 128):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.ReLU()]
            inputs, side = outputs, -(-side // 2)
        self.layers = nn.Sequential(*layers)
        self.score = nn.Linear(inputs * side * side, 1)

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.score(self.layers(images).flatten(1))
        return scores.squeeze(1)


def judged(critic: Critic, images: Tensor) -> Tensor:
    """−mean C(x), what a generator minimizes; the critic's weights get no gradient."""
    frozen = {name: value.detach() for name, value in critic.named_parameters()}
    scores: Tensor = functional_call(critic, frozen, (images,))
    return -scores.mean()


def critic_loss(critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
    """−mean C(real) + mean C(fake) + 2·mean ‖∇C(x)‖⁶, x between real and fake (WGAN-div).

    Wu et al. 2018. Only the critic's weights get a gradient.
    """
    real, fake = real.detach(), fake.detach()
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = (share * real + (1 - share) * fake).requires_grad_()
    with torch.enable_grad():
        scores = critic(between).sum()
        (slopes,) = torch.autograd.grad(scores, between, create_graph=True)
    penalty = slopes.flatten(1).square().sum(1).pow(POWER / 2).mean()
    result: Tensor = critic(fake).mean() - critic(real).mean() + FACTOR * penalty
    return result


def slope(images: Tensor) -> Tensor:
    """√(dx² + dy² + 1e-6), central differences, borders replicated: B×1×H×W -> B×1×H×W."""
    difference = torch.tensor([-0.5, 0.0, 0.5], device=images.device)
    one = torch.ones(1, device=images.device)
    height, width = images.shape[-2:]
    x = correlate(images, filter_matrix(one, height), filter_matrix(difference, width, "replicate"))
    y = correlate(images, filter_matrix(difference, height, "replicate"), filter_matrix(one, width))
    return (x.square() + y.square() + 1e-6).sqrt()


def dissimilarity(first: Tensor, second: Tensor, window: Tensor) -> Tensor:
    """(1 − SSIM)/2 clipped to [0, 1], at every pixel, borders reflected: B×1×H×W."""
    down, across = (filter_matrix(window, side, "reflect") for side in first.shape[-2:])
    planes = torch.cat([first, second, first**2, second**2, first * second], dim=1)
    mean_x, mean_y, square_x, square_y, both = correlate(planes, down, across).chunk(5, dim=1)
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    variances = square_x - mean_x**2 + square_y - mean_y**2
    similarity = similarity * (2 * (both - mean_x * mean_y) + c2) / (variances + c2)
    result: Tensor = ((1 - similarity) / 2).clamp(0, 1)
    return result
