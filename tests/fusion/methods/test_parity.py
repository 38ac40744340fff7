"""Networks that are trained here are the authors': filled by a rule, they draw the same."""

import numpy as np
import pytest
import torch
from torch import Tensor

from fusion.methods.cddfuse import published as cddfuse
from fusion.methods.cddfuse.config import CDDFuseConfig
from fusion.methods.cddfuse.method import CDDFuse
from fusion.methods.emma import published as emma
from fusion.methods.emma.config import EMMAConfig, SensingConfig
from fusion.methods.emma.method import EMMA
from fusion.methods.emma.sensing import SensingNetwork
from fusion.methods.mmaunet import published as mmaunet
from fusion.methods.mmaunet.config import MMAUNetConfig
from fusion.methods.mmaunet.method import MMAUNet
from tests.fusion.methods.published import (
    committed,
    grid_of,
    needs_reference,
    noise_inputs,
    noise_rule,
    part_by_part,
    published_shapes,
    reference,
    rgb,
    stored,
)

CDDFUSE_PARTS = ["DIDF_Encoder.", "DIDF_Decoder.", "BaseFuseLayer.", "DetailFuseLayer."]


def as_image(plane: Tensor) -> Tensor:
    """H×W or 3×H×W -> 1×1×H×W."""
    return plane.view(1, -1, *plane.shape[-2:]).mean(1, keepdim=True)


def agrees(kind: str, entry: str, drawn: Tensor) -> None:
    np.testing.assert_allclose(grid_of(as_image(drawn)), committed(kind)[entry], atol=1e-5)


@pytest.fixture(scope="module")
def filled_cddfuse():
    network = CDDFuse(CDDFuseConfig()).eval()
    shapes = published_shapes(network, cddfuse.NAMES)
    filled = part_by_part(shapes, 0.6, CDDFUSE_PARTS)
    checkpoint = {name.replace(".", ".module.", 1): value for name, value in filled.items()}
    network.load_state_dict(cddfuse.convert(checkpoint).weights)
    return network


@pytest.fixture(scope="module")
def filled_emma():
    network = EMMA(EMMAConfig()).eval()
    shapes = published_shapes(network, emma.NAMES)
    network.load_state_dict(emma.convert(noise_rule(shapes, 0.6)).weights)
    return network


@pytest.fixture(scope="module")
def filled_mmaunet():
    network = MMAUNet(MMAUNetConfig()).eval()
    shapes = published_shapes(network, mmaunet.names(network))
    filled = part_by_part(shapes, 1.0, [f"{part}." for part in mmaunet.PARTS])
    network.load_state_dict(mmaunet.convert(filled).weights)
    return network


@torch.inference_mode()
def drawn_by_cddfuse(network, size):
    infrared, visible = noise_inputs(*size)
    return network(infrared, rgb(visible))


@pytest.mark.parametrize("size", [(48, 64), (45, 61)])
def test_cddfuse_draws_what_the_authors_do(filled_cddfuse, size):
    agrees("cddfuse", "fused_{}x{}".format(*size), drawn_by_cddfuse(filled_cddfuse, size))


@needs_reference
@pytest.mark.parametrize("size", [(48, 64), (45, 61)])
def test_cddfuse_draws_every_stored_pixel(filled_cddfuse, size):
    expected = stored("cddfuse")["fused_{}x{}".format(*size)]
    drawn = drawn_by_cddfuse(filled_cddfuse, size)[0, 0]
    torch.testing.assert_close(drawn, expected, atol=1e-5, rtol=0)


@needs_reference
def test_cddfuses_features_are_the_authors(filled_cddfuse):
    expected = stored("cddfuse")
    with torch.inference_mode():
        encoded = filled_cddfuse.encode(*noise_inputs(48, 64))
    for modality, features in zip(("infrared", "visible"), encoded, strict=True):
        for kind, feature in features._asdict().items():
            means = expected[f"{modality}_{kind}_mean_48x64"]
            torch.testing.assert_close(feature[0].mean((1, 2)), means, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [(64, 96), (96, 64)])
@torch.inference_mode()
def test_emma_draws_what_the_authors_do(filled_emma, size):
    infrared, visible = noise_inputs(*size)
    agrees("emma", "fused_{}x{}".format(*size), filled_emma(infrared, rgb(visible)))


@needs_reference
@pytest.mark.parametrize("size", [(64, 96), (96, 64)])
@torch.inference_mode()
def test_emma_draws_every_stored_pixel(filled_emma, size):
    infrared, visible = noise_inputs(*size)
    drawn = filled_emma(infrared, rgb(visible))[0, 0]
    expected = stored("emma")["fused_{}x{}".format(*size)]
    torch.testing.assert_close(drawn, expected, atol=1e-5, rtol=0)


def key_table(kind: str, file: str = "keys.tsv") -> list[list[str]]:
    lines = (reference(kind) / file).read_text().splitlines()
    return [line.split("\t") for line in lines[1:]]


@needs_reference
@pytest.mark.slow
@torch.inference_mode()
def test_emmas_sensing_networks_are_the_authors():
    """But for the order of two inputs: theirs concatenate what has risen before the skip."""
    network = SensingNetwork(SensingConfig()).eval()
    names = {published: ours for published, _, ours in key_table("emma", "keys-sensing.tsv")}
    filled = noise_rule(published_shapes(network, names), 1.0)
    weights = {ours: filled[published] for published, ours in names.items()}
    for merge in range(4):
        risen, skip = weights[f"up.merges.{merge}.0.weight"].chunk(2, dim=1)
        weights[f"up.merges.{merge}.0.weight"] = torch.cat([skip, risen], dim=1)
    network.load_state_dict(weights)
    expected = stored("emma")["sensed_infrared_source_64x96"]
    sensed = network(noise_inputs(64, 96)[0])[0, 0]
    torch.testing.assert_close(sensed, expected, atol=1e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(32, 48), (64, 32)])
@torch.inference_mode()
def test_mmaunet_draws_what_the_authors_do(filled_mmaunet, size):
    entry = "fused_{}x{}".format(*size)
    agrees("mmaunet", entry, filled_mmaunet.fuse(*noise_inputs(*size)))


@needs_reference
@pytest.mark.slow
@pytest.mark.parametrize("size", [(32, 48), (64, 32)])
@torch.inference_mode()
def test_mmaunet_draws_every_stored_pixel(filled_mmaunet, size):
    infrared, visible = noise_inputs(*size)
    drawn = {
        "fused": filled_mmaunet.fuse(infrared, visible),
        "visible_reconstructed": filled_mmaunet.reconstruct_visible(visible),
        "infrared_reconstructed": filled_mmaunet.reconstruct_infrared(infrared, visible),
    }
    for name, image in drawn.items():
        expected = stored("mmaunet")[f"{name}_{size[0]}x{size[1]}"]
        torch.testing.assert_close(image[0], expected, atol=1e-5, rtol=0)


@needs_reference
@pytest.mark.parametrize("kind", ["cddfuse", "emma", "mmaunet"])
def test_tables_of_names_are_the_recorded_ones(kind):
    rows = key_table(kind)
    if kind == "emma":
        assert {published: ours for published, _, ours in rows} == emma.NAMES
        return
    recorded = {f"{row[0]}.{row[1].removeprefix('module.')}": row[3] for row in rows}
    with torch.device("meta"):
        tables = {"cddfuse": cddfuse.NAMES, "mmaunet": mmaunet.names(MMAUNet(MMAUNetConfig()))}
    assert tables[kind] == recorded
