"""Training of the networks whose published checkpoints can be imported."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.metrics import structural_similarity

from fusion import methods
from fusion.blocks.saliency import saliency_target
from fusion.methods.itfuse.config import ITFuseLossConfig
from fusion.methods.itfuse.phases import ITFuseLoss
from fusion.methods.lrrnet.config import LRRNetLossConfig
from fusion.methods.lrrnet.phases import GradientPyramid, LRRNetLoss
from fusion.methods.mmdrfuse.loss import magnitude_deviation, pattern_distance
from fusion.methods.seafusion.config import SeAFusionLossConfig
from fusion.methods.seafusion.phases import SeAFusionLoss
from fusion.methods.tardal.critics import Critic, critic_loss, dissimilarity, judged, slope
from fusion.methods.umf.config import UMFLossConfig
from fusion.methods.umf.phases import UMFLoss, multiscale_similarity
from tests.fusion.toys import SCHEDULE, parameters, smooth_batch, state, train_briefly

TINY = {
    "lrrnet": {"channels": 8, "steps": 2},
    "itfuse": {"channels": 8, "levels": 2, "blocks": 1},
    "mmdrfuse": {"teacher_width": 8},
    "umf": {"channels": 8, "layers": 2},
    "seafusion": {"width": 4},
    "tardal": {"width": 8, "depth": 2},
}


def start(kind, name, previous=None):
    torch.manual_seed(0)
    method = methods.get(kind)
    config = method.config_class(**TINY[kind])
    return method.start_phase(name, config, method.phases[name](**SCHEDULE), previous)


@pytest.mark.slow
def test_tardal_learns_to_look_like_its_sources():
    """The critics' loss has no bound, so the sum may fall while the picture gets worse."""
    phase, batch = start("tardal", "fusion"), smooth_batch()
    optimizer = torch.optim.Adam(phase.parameters(), lr=0.01)
    terms = []
    for _ in range(20):
        losses = phase(batch)
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
        terms.append({name: losses[name].item() for name in ("ssim", "intensity")})
    for name in ("ssim", "intensity"):
        assert terms[-1][name] < 0.8 * terms[0][name], name


def triple(side=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(3, 2, 1, side, side + 3, generator=generator).unbind()


def planes(*images):
    return [image.double().numpy()[:, 0] for image in images]


def test_seafusion_loss_is_its_two_equations():
    fused, infrared, visible = triple()
    losses = SeAFusionLoss(SeAFusionLossConfig())(fused, infrared, visible)

    def edges(image):
        return sum(abs(ndimage.sobel(image, axis, mode="constant")) for axis in (0, 1))

    f, i, v = planes(fused, infrared, visible)
    intensity = np.mean(abs(f - np.maximum(i, v)))
    wanted = [np.maximum(edges(a), edges(b)) for a, b in zip(i, v, strict=True)]
    gradient = np.mean([abs(edges(a) - b) for a, b in zip(f, wanted, strict=True)])
    assert losses["loss"].item() == pytest.approx(intensity + 10 * gradient, rel=1e-5)


def test_itfuse_loss_is_its_two_equations():
    fused, infrared, visible = triple()
    losses = ITFuseLoss(ITFuseLossConfig())(fused, infrared, visible)
    expected = 0.0
    for source in (infrared, visible):
        for a, b in zip(*planes(fused, source), strict=True):
            ssim = structural_similarity(
                a,
                b,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=1.0,
                full=True,
            )[1][5:-5, 5:-5].mean()
            expected += (np.sqrt((a - b) ** 2 + 1e-6).mean() + 4 * (1 - ssim)) / 2
    assert losses["loss"].item() == pytest.approx(expected, rel=1e-4)


def test_umf_target_weighs_sources_by_how_much_their_gray_levels_stand_out():
    _, infrared, visible = triple(side=16)

    def saliency(image):
        levels = np.rint(image * 255)
        contrast = np.array([abs(levels - level).sum() for level in levels.flat])
        return (contrast / contrast.max()).reshape(image.shape)

    i, v = planes(infrared, visible)
    for index, target in enumerate(planes(saliency_target(infrared, visible))[0]):
        weight = 0.5 + 0.5 * (saliency(i[index]) - saliency(v[index]))
        np.testing.assert_allclose(target, weight * i[index] + (1 - weight) * v[index], atol=1e-5)


def test_umf_gradient_is_of_the_stronger_laplacian():
    fused, infrared, visible = triple()
    losses = UMFLoss(UMFLossConfig())(fused, infrared, visible)
    kernel = np.array([[1, 1, 1], [1, -8, 1], [1, 1, 1]]) / 16

    def edges(image):
        return abs(ndimage.convolve(image, kernel, mode="mirror"))

    errors = [
        abs(np.maximum(edges(i), edges(v)) - edges(f))
        for f, i, v in zip(*planes(fused, infrared, visible), strict=True)
    ]
    assert losses["gradient"].item() == pytest.approx(np.mean(errors), rel=1e-4)


def test_umf_similarity_is_nearly_constant_with_the_published_range():
    first, second, _ = triple(side=176)
    assert multiscale_similarity(first, first, 1.0).item() == pytest.approx(1, abs=1e-4)
    assert multiscale_similarity(first, second, 1.0) < 0.7
    assert multiscale_similarity(first, second, 255.0) > 0.99
    smallest = first[..., :16, :16]  # of all crops
    assert multiscale_similarity(smallest, smallest, 1.0).item() == pytest.approx(1, abs=1e-4)


def test_lrrnet_sees_infrared_through_features_only():
    fused, infrared, visible = triple()
    loss = LRRNetLoss(LRRNetLossConfig(), GradientPyramid())
    before, after = loss(fused, infrared, visible), loss(fused, infrared.flip(-1), visible)
    unchanged = {name for name in before if torch.equal(before[name], after[name])}
    assert unchanged == {"pixel", "shallow"}
    assert before["pixel"].item() == pytest.approx(
        255**2 * (fused - visible).square().mean().item(), rel=1e-5
    )


def test_gradient_magnitude_deviation_is_its_equation():
    fused, infrared, visible = triple(side=20)

    def magnitude(image):
        halved = 255 * image[: len(image) // 2 * 2, : image.shape[1] // 2 * 2]
        halved = halved.reshape(halved.shape[0] // 2, 2, -1, 2).mean((1, 3))
        sides = [ndimage.prewitt(halved, axis)[1:-1, 1:-1] / 3 for axis in (0, 1)]
        return np.hypot(*sides)

    expected = 0.0
    for source in (infrared, visible):
        for a, b in zip(*planes(fused, source), strict=True):
            x, y = magnitude(a), magnitude(b)
            expected += ((2 * x * y + 170) / (x**2 + y**2 + 170)).std(ddof=1) / 2
    found = magnitude_deviation(fused, [infrared, visible]).item()
    assert found == pytest.approx(expected, rel=1e-4)


def test_distillation_compares_patterns_not_brightness():
    first, second, _ = triple()
    assert pattern_distance(first, 3 * first).item() == pytest.approx(0, abs=1e-6)
    cosine = torch.cosine_similarity(first.flatten(), second.flatten(), dim=0)
    assert pattern_distance(first, second).item() == pytest.approx(2 - 2 * cosine.item(), rel=1e-4)


def test_mmdrfuse_refreshes_its_memory_only_by_a_better_network():
    phase = start("mmdrfuse", "teacher")
    worse, better = torch.tensor(False), torch.tensor(True)
    before = state(phase.structure.network)
    with torch.no_grad():
        for parameter in phase.method.network.parameters():
            parameter.add_(0.1)
    phase.structure.refresh(phase.method.network, worse)
    assert all(torch.equal(before[k], v) for k, v in state(phase.structure.network).items())
    phase.structure.refresh(phase.method.network, better)
    for name, value in phase.method.network.state_dict().items():
        assert torch.equal(value, phase.structure.network.state_dict()[name])


def test_mmdrfuse_is_pulled_back_to_a_better_earlier_state():
    """The gap itself carries no gradient; a network as good as its memory is not pulled."""
    phase, batch = start("mmdrfuse", "teacher"), smooth_batch()
    assert phase(batch)["refresh_structure"] == 0
    train_briefly(phase, steps=10)
    with torch.no_grad():
        phase.method.network.head.bias.add_(2.0)
    losses = phase(batch)
    assert losses["refresh_structure"] > 0
    assert losses["refresh_gradient"] >= 0


def test_mmdrfuse_student_starts_with_its_teachers_head_and_leaves_the_teacher_alone():
    teacher = start("mmdrfuse", "teacher").method
    phase = start("mmdrfuse", "student", teacher)
    assert torch.equal(phase.method.network.head.weight, teacher.network.head.weight)
    assert parameters(phase.method) == 113
    before = state(phase.teacher)
    train_briefly(phase)
    assert all(torch.equal(before[name], value) for name, value in state(phase.teacher).items())
    with pytest.raises(ValueError, match="starts from the weights of phase teacher"):
        start("mmdrfuse", "student")


def test_tardal_critic_has_the_published_number_of_parameters():
    assert parameters(Critic(224)) == 193_025


def test_tardal_generator_and_critics_learn_from_their_own_terms():
    torch.manual_seed(0)
    critic = Critic(16)
    real, fake = torch.rand(2, 3, 1, 16, 16).unbind()
    fake = fake.requires_grad_()
    judged(critic, fake).backward()
    assert fake.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in critic.parameters())
    fake.grad = None
    critic_loss(critic, real, fake).backward()
    assert fake.grad is None
    learning = {name for name, value in critic.named_parameters() if value.grad.abs().sum() > 0}
    assert learning == set(critic.state_dict()) - {"score.bias"}  # a bias cancels in the difference


def test_tardal_critic_is_penalized_for_steep_scores():
    """A linear critic's gradient is its weights: 2·‖w‖⁶."""
    torch.manual_seed(0)
    critic = Critic(8)
    critic.layers = torch.nn.Identity()
    critic.score = torch.nn.Linear(64, 1, bias=False)
    image = torch.rand(2, 1, 8, 8)
    expected = 2 * critic.score.weight.norm().item() ** 6
    assert critic_loss(critic, image, image).item() == pytest.approx(expected, rel=1e-4)


def test_tardal_slope_and_dissimilarity_are_their_equations():
    first, second, _ = triple(side=20)
    window = torch.exp(-(torch.arange(-5.0, 6) ** 2) / 4.5)
    found = dissimilarity(first, second, window / window.sum())
    for a, b, c, d in zip(*planes(first, second, found, slope(first)), strict=True):
        ssim = structural_similarity(
            a,
            b,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
            full=True,
        )[1][5:-5, 5:-5]
        np.testing.assert_allclose(c[5:-5, 5:-5], ((1 - ssim) / 2).clip(0, 1), atol=1e-4)
        sides = [ndimage.correlate1d(a, [-0.5, 0, 0.5], axis, mode="nearest") for axis in (0, 1)]
        np.testing.assert_allclose(d, np.sqrt(sides[0] ** 2 + sides[1] ** 2 + 1e-6), atol=1e-5)
