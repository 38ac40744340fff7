import numpy as np
import pytest
import torch
from torch.nn import functional as F

from fusion.methods.tim.config import TIMConfig
from fusion.methods.tim.method import TIM
from fusion.methods.tim.operations import Blur, DenseOperation
from fusion.methods.tim.published import convert, names
from tests.fusion.methods.published import (
    committed,
    grid_of,
    needs_reference,
    noise_inputs,
    noise_rule,
    published_shapes,
    stored,
)
from tests.fusion.toys import pair, parameters, randomized, state

SIZES = [(48, 64), (36, 52)]
ROUNDING = 5e-5
"""A processor with AVX-512 is 1e-5 away from the stored output, one without 4e-5."""
KERNELS = {
    f"cells.0.{part}.filt": (1, 1, 3, 3)
    for step in ("down_2.body.0", "down_4.body.0", "down_4.body.1")
    for part in (f"{step}.top.4", f"{step}.bot.0")
}
"""Constants in the published file, which the rule counts."""


def filled(variant):
    """Its checkpoint by the rule, each file in an order of its own."""
    with torch.device("meta"):
        network = TIM(TIMConfig(variant=variant))
    table = names(network)
    shapes = published_shapes(network, table)
    first = {name: shape for name, shape in shapes.items() if table[name].startswith("first.")}
    second = {name: shapes[name] for name in shapes.keys() - first.keys()}
    first |= KERNELS if variant == "main" else {}
    assert (len(first), len(second)) == ((131, 91) if variant == "main" else (49, 0))
    return noise_rule(first, 0.7) | noise_rule(second, 0.7)


@pytest.fixture(scope="module")
def networks():
    """The filled network of each fixture's name."""
    made = {}
    for variant, statistics, entry in [
        ("main", "image", "output_image_statistics"),
        ("main", "running", "output_running_statistics"),
        ("light", "image", "light"),
    ]:
        converted = convert(filled(variant))
        assert converted.variant == converted.config.variant == variant
        network = TIM(TIMConfig(variant=variant, second_statistics=statistics)).eval()
        network.load_state_dict(converted.weights)
        made[entry] = network
    return made


@pytest.fixture
def tiny():
    network = randomized(TIM(TIMConfig(channels=16)), std=0.1)
    with torch.no_grad():
        network.second.head[-1].bias.fill_(0.5)
    return network


def test_networks_have_the_published_numbers_of_parameters(networks):
    main, light = networks["output_image_statistics"], networks["light"]
    assert parameters(main.first) == 994_917
    assert parameters(main.second) == 237_308
    assert parameters(light) == 127_358


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("entry", ["output_image_statistics", "output_running_statistics", "light"])
@torch.inference_mode()
def test_networks_draw_what_the_authors_do(networks, entry, size):
    drawn = networks[entry].fuse(*noise_inputs(*size))
    expected = committed("tim")["{}_{}x{}".format(entry, *size)]
    np.testing.assert_allclose(grid_of(drawn), expected, atol=ROUNDING)


@pytest.mark.parametrize("size", SIZES)
@torch.inference_mode()
def test_the_first_network_draws_what_the_authors_do(networks, size):
    first = networks["output_image_statistics"].first(torch.cat(noise_inputs(*size), dim=1))
    expected = committed("tim")["first_{}x{}".format(*size)]
    np.testing.assert_allclose(grid_of(first), expected, atol=ROUNDING)


@needs_reference
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("entry", ["output_image_statistics", "output_running_statistics", "light"])
@torch.inference_mode()
def test_networks_draw_every_stored_pixel(networks, entry, size):
    drawn = networks[entry].fuse(*noise_inputs(*size))
    expected = stored("tim")["{}_{}x{}".format(entry, *size)]
    torch.testing.assert_close(drawn, expected, atol=ROUNDING, rtol=0)


def test_a_file_of_the_first_network_alone_is_refused():
    checkpoint = {name: value for name, value in filled("main").items() if "stem_out2" not in name}
    with pytest.raises(ValueError, match=r"missing: stem_out2\.0\.conv2d\.bias"):
        convert(checkpoint)


def test_groups_of_dense_layers_take_neighbors_of_the_concatenation():
    """Output channel j of the second layer sees channels 2j and 2j + 1 of (x, y₁)."""
    layer = randomized(DenseOperation(2, "running"), std=0.5)
    x = torch.randn(1, 2, 5, 6)
    activation = layer.activation
    seen = x
    for count, conv in enumerate(layer.layers, start=1):
        outputs = [
            F.conv2d(seen[:, j * count : (j + 1) * count], conv.weight[j : j + 1], padding=1)
            for j in range(2)
        ]
        last = activation(torch.cat(outputs, dim=1))
        seen = torch.cat([seen, last], dim=1)
    torch.testing.assert_close(layer(x), x + 0.333 * last)


def test_blur_is_a_binomial_filter_of_every_second_pixel():
    features = torch.randn(1, 3, 6, 8)
    padded = F.pad(features, (1, 1, 1, 1), mode="reflect")
    rows = (padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]) / 4
    both = (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 4
    torch.testing.assert_close(Blur()(features), both[..., ::2, ::2])


@torch.inference_mode()
def test_images_of_a_batch_are_normalized_alone_and_leave_no_trace(tiny):
    infrared, visible = pair(24, 32, batch=3)
    before = state(tiny)
    together = tiny(infrared, visible)
    assert together.std() > 0
    for i in range(3):
        alone = tiny(infrared[i : i + 1], visible[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)
    assert all(torch.equal(value, before[name]) for name, value in tiny.state_dict().items())


@torch.inference_mode()
def test_other_sizes_are_reflected_and_cropped(tiny):
    infrared, visible = pair(17, 30)
    padded = [F.pad(image, (0, 2, 0, 3), mode="reflect") for image in (infrared, visible)]
    torch.testing.assert_close(tiny(infrared, visible), tiny(*padded)[..., :17, :30])
