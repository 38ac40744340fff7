import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.methods.tardal.config import TarDALConfig
from fusion.methods.tardal.method import TarDAL
from fusion.methods.tardal.published import convert, published_names
from tests.fusion.methods.published import (
    PAIRS,
    committed,
    grid_of,
    load_converted,
    needs_pairs,
    needs_reference,
    pair_of,
    published_shapes,
    reference,
    share_apart,
    sine_inputs,
    sine_rule,
    stored,
)
from tests.fusion.toys import pair, parameters, randomized

STATISTICS = {"image": "raw_batch", "running": "raw_running"}


def build(statistics="image"):
    torch.manual_seed(0)
    return TarDAL(TarDALConfig(width=4, depth=2, statistics=statistics))


def ruled_weights():
    return sine_rule(published_shapes(TarDAL(TarDALConfig()), published_names()))


def ruled(statistics):
    network = TarDAL(TarDALConfig(statistics=statistics))
    network.load_state_dict(convert(ruled_weights()).weights)
    return network.eval()


def test_published_network_has_the_published_numbers_of_parameters():
    with torch.device("meta"):
        generator = TarDAL(TarDALConfig()).generator
    parts = (generator, generator.stem, generator.dense, generator.head)
    assert [parameters(part) for part in parts] == [296_577, 672, 55_584, 240_321]
    assert len(published_names()) == 46


@pytest.mark.parametrize("statistics", STATISTICS)
def test_network_under_the_rule_gives_the_published_numbers(statistics):
    with torch.inference_mode():
        fused = ruled(statistics).fuse(*sine_inputs())
    assert grid_of(fused) == pytest.approx(committed("tardal")[statistics], abs=1e-5)


@needs_reference
@pytest.mark.parametrize(("statistics", "name"), STATISTICS.items())
def test_network_under_the_rule_gives_the_published_output(statistics, name):
    fixture = stored("tardal")
    with torch.inference_mode():
        fused = ruled(statistics).fuse(fixture["infrared"], fixture["visible"])
    torch.testing.assert_close(fused, fixture[name], atol=1e-5, rtol=0)


@pytest.mark.slow
@needs_pairs
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    ("weights", "folder", "variant", "statistics"),
    [
        ("weights", "reference", "TarDAL++", "running"),
        ("weights-tardal", "reference-tardal", "TarDAL", "image"),
    ],
)
def test_published_weights_draw_the_published_picture(weights, folder, variant, statistics, name):
    converted = convert(stored("tardal", weights))
    assert (converted.variant, converted.config.statistics) == (variant, statistics)
    network = load_converted(TarDAL, converted)
    with torch.inference_mode():
        fused = network(*pair_of(name, "pillow"))
    assert share_apart(fused, reference("tardal") / folder / f"{name}.png") <= 0.001


@needs_reference
def test_the_detection_file_is_recognized():
    converted = convert(stored("tardal", "weights-tardal-plus"))
    assert (converted.variant, converted.config.statistics) == ("TarDAL+", "running")


def test_denormal_weights_become_zero_and_others_stay():
    weights = ruled_weights()
    weights["fuse.0.0.weight"].view(-1)[:5] = torch.tensor([1e-40, -1e-40, 1e-30, 1e-19, -0.5])
    imported = convert(weights).weights["generator.head.0.0.weight"].view(-1)[:5]
    assert imported.tolist() == pytest.approx([0, 0, 0, 1e-19, -0.5], rel=1e-6, abs=0)


def test_files_of_the_newer_code_are_read_too():
    weights = ruled_weights()
    newer = {f"fuse.{name}": value for name, value in weights.items()}
    newer |= {"fuse.use_eval": torch.tensor(True), "disc.t.0.weight": torch.ones(2)}
    old, new = convert(weights).weights, convert(newer).weights
    assert old.keys() == new.keys()
    assert all(torch.equal(old[name], new[name]) for name in old)


def test_an_image_is_fused_with_its_own_statistics_whatever_its_neighbors():
    network = randomized(build(), std=0.1)
    infrared, visible = pair(24, 24, batch=3)
    together = network(infrared, visible)
    for index in range(3):
        alone = network(infrared[index : index + 1], visible[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone, atol=1e-5, rtol=1e-4)
    alone = network(infrared[:1], visible[:1])
    network.train()  # a batch of one image: the same statistics
    torch.testing.assert_close(network(infrared[:1], visible[:1]), alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("statistics", STATISTICS)
@settings(max_examples=6, deadline=None)
@given(st.integers(16, 45), st.integers(16, 45))
def test_any_size_in_the_same_size_out_within_range(statistics, height, width):
    network = randomized(build(statistics), std=0.1)
    with torch.inference_mode():
        fused = network(*pair(height, width, batch=2))
    assert fused.shape == (2, 1, height, width)
    assert 0 <= fused.min() <= fused.max() <= 1
