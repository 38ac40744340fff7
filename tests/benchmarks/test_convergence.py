import pytest
import torch

from benchmarks.convergence import PARTS, floor, of_image, start, train
from fusion.images.color import luminance
from fusion.methods.cddfuse.config import CDDFuseConfig
from fusion.methods.cddfuse.method import CDDFuse
from pipelines import params
from pipelines.compose import compose
from tests.fusion.toys import SCHEDULE, smooth_batch

TINY = CDDFuseConfig(channels=8, heads=2, blocks=1, nodes=1)


def tiny_phase(name):
    torch.manual_seed(0)
    settings = CDDFuse.phases[name](**SCHEDULE)
    previous = CDDFuse(TINY) if name == "fusion" else None
    return CDDFuse.start_phase(name, TINY, settings, previous), settings


def test_a_curve_is_the_first_loss_and_a_mean_for_each_tenth():
    phase, settings = tiny_phase("reconstruction")
    batch = smooth_batch()
    first = phase(batch)["loss"].item()
    curve = train(phase, settings, [batch] * 23, 23)
    assert len(curve) == 1 + PARTS
    assert curve[0] == pytest.approx(first, abs=1e-5)
    assert curve[-1] < curve[0]


def test_the_floor_is_below_what_a_network_starts_from_and_reconstruction_has_none():
    batch = smooth_batch()
    phase, _ = tiny_phase("fusion")
    lost = of_image(phase, batch.infrared, luminance(batch.visible))
    fused = phase.method(batch.infrared, batch.visible)
    terms = phase(batch)
    weights = phase.losses.weights
    rest = terms["loss"] - weights.decomposition * terms["decomposition"]
    assert lost(fused).item() == pytest.approx(rest.item(), rel=1e-4)
    assert floor(phase, batch, 30) < rest.item()
    assert floor(tiny_phase("reconstruction")[0], batch, 30) is None


def test_phases_that_this_loop_cannot_train_are_refused(tmp_path):
    compose(tmp_path / "params.yaml", ["method=[visible,maximum,pomai,emma]"])
    with pytest.raises(ValueError, match="emma-sensing needs teachers"):
        start(params.load(tmp_path / "params.yaml"), "emma-sensing", None)
