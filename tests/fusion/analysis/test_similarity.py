from math import isnan

import pytest
import torch

from fusion import methods
from fusion.analysis.similarity import layer_similarity, linear_cka
from fusion.core.errors import InputError
from fusion.images.pairs import find_pairs
from fusion.methods.pomai.config import NGMMConfig, PoMAIConfig
from fusion.methods.pomai.method import PoMAI

CPU = torch.device("cpu")


def features(samples, channels, seed):
    return torch.randn(samples, channels, generator=torch.Generator().manual_seed(seed)) + 3


def slow_cka(x, y):
    """The definition: normalized HSIC of the two N×N Gram matrices."""
    x, y = x.double(), y.double()
    count = len(x)
    center = torch.eye(count, dtype=torch.float64) - 1 / count

    def hsic(first, second):
        return torch.trace(first @ first.T @ center @ second @ second.T @ center) / (count - 1) ** 2

    return hsic(x, y) / (hsic(x, x) * hsic(y, y)).sqrt()


def test_cka_is_the_normalized_hilbert_schmidt_criterion():
    x = features(30, 5, 0)
    y = torch.cat([x[:, :2] ** 2, features(30, 6, 1)], dim=1)
    torch.testing.assert_close(linear_cka(x, y), slow_cka(x, y), atol=1e-10, rtol=1e-8)
    assert 0.05 < linear_cka(x, y) < 0.95


def test_cka_ignores_rotation_scale_and_offset_but_not_other_linear_maps():
    x = features(40, 6, 2)
    rotation, _ = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(3)))
    assert linear_cka(x, -7 * x @ rotation + 5) == pytest.approx(1, abs=1e-6)
    assert linear_cka(x, x * torch.tensor([9.0, 1, 1, 1, 1, 1])) < 0.9


def test_cka_of_a_constant_layer_is_undefined():
    assert isnan(linear_cka(features(10, 2, 0), torch.ones(10, 3)))


@pytest.fixture(params=["separate", "luminance"])
def network(request):
    torch.manual_seed(0)
    ngmm = NGMMConfig(group_size=20)
    config = PoMAIConfig(channels=8, heads=2, blocks=2, ngmm=ngmm, stem=request.param)
    return PoMAI(config).eval()


def encode(network, image):
    layers = [image]
    for block in network.encoder:
        layers.append(block(layers[-1]))
    return layers


@pytest.mark.slow
def test_layers_of_each_modality_are_told_apart(network, pair_folder):
    """With so many positions that every pixel is seen, the result is that of whole feature maps."""
    folder = pair_folder(count=1)
    pairs = find_pairs(folder / "ir", folder / "vi")
    found = layer_similarity(network, pairs, device=CPU, positions=200_000)
    infrared, visible = _images(pairs[0])
    color = visible
    if network.config.stem == "luminance":
        color = (visible * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, True)
    with torch.inference_mode():
        rows = encode(network, network.infrared_stem(infrared))
        columns = encode(network, network.visible_stem(color))
    expected = [
        [linear_cka(*(layer[0].flatten(1).T for layer in (row, column))) for column in columns]
        for row in rows
    ]
    assert found.infrared == found.visible == ["stem", "block 1", "block 2"]
    torch.testing.assert_close(found.values, torch.tensor(expected).double(), atol=0.01, rtol=0.05)


def test_positions_are_a_function_of_the_seed_and_no_hook_stays(network, pair_folder):
    folder = pair_folder(count=2)
    pairs = find_pairs(folder / "ir", folder / "vi")
    first, second, other = (
        layer_similarity(network, pairs, device=CPU, positions=40, seed=seed) for seed in (0, 0, 1)
    )
    assert first.samples == 80
    assert torch.equal(first.values, second.values)
    assert not torch.equal(first.values, other.values)
    assert not any(module._forward_hooks for module in network.modules())


def test_a_method_without_encoders_is_refused(pair_folder):
    folder = pair_folder(count=1)
    kind = methods.get("average")
    with pytest.raises(InputError, match="no encoders to compare"):
        layer_similarity(
            kind(kind.config_class()), find_pairs(folder / "ir", folder / "vi"), device=CPU
        )


def _images(pair):
    from fusion.images.decode import read_infrared, read_visible

    infrared = torch.tensor(read_infrared(pair.infrared).pixels)[None, None] / 255
    return infrared, torch.tensor(read_visible(pair.visible).pixels).permute(2, 0, 1)[None] / 255
