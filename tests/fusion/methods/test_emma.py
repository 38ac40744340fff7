from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as transforms

from fusion.images.color import luminance
from fusion.methods.base import Batch
from fusion.methods.emma.config import (
    EMMAConfig,
    EMMAFusionPhaseConfig,
    EMMASensingPhaseConfig,
    SensingConfig,
)
from fusion.methods.emma.loss import IntensityGradientDistance
from fusion.methods.emma.method import EMMA
from fusion.methods.emma.sensing import low_contrast
from fusion.methods.emma.ufuser import GlobalLocalBlock
from fusion.methods.files import load_model, save_model
from pipelines import params
from pipelines.compose import compose
from tests.fusion.toys import (
    SCHEDULE,
    changed,
    pair,
    parameters,
    randomized,
    state,
    train_briefly,
)

TINY = EMMAConfig(widths=[4, 4, 8, 8], heads=2)
ONE_PIXEL = SCHEDULE | {"batch_size": 1, "crop": 16}
SENSING = EMMASensingPhaseConfig(
    **SCHEDULE, teachers=["one", "other"], network=SensingConfig(width=4)
)
FUSION = EMMAFusionPhaseConfig(**SCHEDULE)


def pairs(height=32, width=32, batch=2):
    infrared, visible = pair(height, width, batch)
    average = (infrared + luminance(visible)) / 2
    return Batch(infrared, visible, torch.cat([average, average.square()], dim=1))


def sensing_phase(**update):
    torch.manual_seed(0)
    return EMMA.start_phase("sensing", TINY, SENSING.model_copy(update=update), None)


def fusion_phase(settings=FUSION):
    first = sensing_phase()
    train_briefly(first, batch=pairs())  # batch normalization then has statistics of its own
    first.zero_grad()
    torch.manual_seed(0)
    return EMMA.start_phase("fusion", TINY, settings, first.method.eval())


def terms_of(losses):
    """What is minimized; the rest is watched only (test_emma_stripes.py)."""
    names = {"loss", "infrared", "visible", "equivariance", "low_contrast"}
    return {name: value for name, value in losses.items() if name in names}


def conv(x, layer, padding="reflect", **more):
    """Reflect padding, unless told otherwise, then the layer's own weights."""
    x = F.pad(x, (1, 1, 1, 1), mode=padding)
    return F.conv2d(x, layer.weight, layer.bias, **more)


def test_a_block_runs_attention_and_residual_convolutions_side_by_side():
    block = randomized(GlobalLocalBlock(3, 8, 2))
    features = torch.randn(2, 3, 9, 7)
    embedded = conv(features, block.embed)
    local = embedded
    for residual in block.local:
        first, _, second = residual.residual
        local = local + conv(F.relu(conv(local, first)), second)
    expected = conv(torch.cat([block.attention(embedded), local], dim=1), block.merge)
    torch.testing.assert_close(block(features), expected, atol=1e-5, rtol=1e-4)
    biased = {name.split(".")[0] for name, _ in block.named_parameters() if "bias" in name}
    assert biased == {"attention", "local"}


def test_u_fuser_is_two_encoders_a_block_a_level_and_one_decoder():
    fuser = randomized(EMMA(TINY)).fuser
    sources = torch.rand(2, 2, 1, 16, 24).unbind()
    levels = [list(sources)]
    for number in range(4):
        level = []
        for encoder, features in zip((fuser.infrared, fuser.visible), levels[-1], strict=True):
            block = encoder.levels[number]
            if number:
                down, block = block
                features = conv(features, down, stride=2)
            level.append(block(features))
        levels.append(level)
    fused = [fuse(torch.cat(level, 1)) for fuse, level in zip(fuser.fuse, levels[1:], strict=True)]
    decoder = fuser.decoder
    up = decoder.deepest(fused[3])
    for step, skip in enumerate([fused[2], fused[1], fused[0]]):
        weight = decoder.up[step][0].weight
        risen = F.relu(F.conv_transpose2d(up, weight, stride=2, padding=1))
        up = decoder.merge[step](torch.cat([risen, skip], dim=1))
    expected = torch.sigmoid(conv(up, decoder.head))
    torch.testing.assert_close(fuser(*sources), expected, atol=1e-5, rtol=1e-4)


def test_padding_changes_nothing_where_none_is_needed_and_is_cut_off_elsewhere():
    fuser = randomized(EMMA(TINY)).fuser.eval()
    infrared, visible = torch.rand(2, 1, 1, 21, 30).unbind()
    rows, columns = [*range(21), 19, 18, 17], [*range(30), 28, 27]  # mirrored at the last pixel
    padded = [image[:, :, rows][..., columns] for image in (infrared, visible)]
    expected = fuser(*padded)[..., :21, :30]
    torch.testing.assert_close(fuser(infrared, visible), expected, atol=1e-6, rtol=1e-5)


def test_fusing_sees_luminance_only_and_tells_its_sources_apart():
    network = randomized(EMMA(TINY)).eval()
    infrared, visible, _ = pairs()
    gray = luminance(visible)
    fused = network(infrared, visible)
    torch.testing.assert_close(fused, network(infrared, gray.expand(-1, 3, -1, -1)))
    swapped = network(gray, infrared.expand(-1, 3, -1, -1))
    assert not torch.allclose(fused, swapped, atol=1e-3)


def test_encoder_layers_are_the_levels_that_fusing_goes_through():
    network = EMMA(TINY).eval()
    layers = network.encoder_layers()
    seen = []
    for source, levels in zip(("infrared", "visible"), layers, strict=True):
        for name, level in levels.items():
            level.register_forward_hook(
                lambda *call, key=(source, name): seen.append((*key, tuple(call[2].shape)))
            )
    batch = pairs(48, 32)
    network(batch.infrared, batch.visible)
    shapes = [(2, 4, 48, 32), (2, 4, 24, 16), (2, 8, 12, 8), (2, 8, 6, 4)]
    assert seen == [
        (source, f"level {number}", shape)
        for source in ("infrared", "visible")
        for number, shape in enumerate(shapes, start=1)
    ]


def test_distance_is_mean_absolute_difference_of_values_and_of_sobel_slopes():
    image, reference = torch.rand(2, 2, 1, 5, 6).unbind()

    def slopes(plane):
        def at(y, x):
            return plane[min(max(y, 0), 4), min(max(x, 0), 5)]  # the border's pixels go on

        for y in range(5):
            for x in range(6):
                yield sum(w * (at(y + d, x + 1) - at(y + d, x - 1)) / 8 for d, w in WEIGHTS)
                yield sum(w * (at(y + 1, x + d) - at(y - 1, x + d)) / 8 for d, w in WEIGHTS)

    WEIGHTS = [(-1, 1), (0, 2), (1, 1)]  # noqa: N806
    differences = [
        abs(a - b)
        for one, other in zip(image[:, 0], reference[:, 0], strict=True)
        for a, b in zip(slopes(one), slopes(other), strict=True)
    ]
    expected = (image - reference).abs().mean() + sum(differences) / len(differences)
    torch.testing.assert_close(IntensityGradientDistance()(image, reference), expected)
    ramp = torch.arange(6.0).expand(1, 1, 5, 6)
    shifted = IntensityGradientDistance()(ramp * 3, ramp * 3 + 1)
    assert shifted.item() == pytest.approx(1)  # slopes cancel


@pytest.mark.slow
def test_fusion_loss_is_that_of_the_paper():
    phase = fusion_phase(FUSION.model_copy(update={"shifts": 2, "equivariance": 0.3}))
    batch = pairs()
    torch.manual_seed(5)
    losses = phase(batch)

    torch.manual_seed(5)
    rows, columns = (torch.randperm(31)[:2] + 1 for _ in range(2))
    visible = luminance(batch.visible)
    fused = phase.method(batch.infrared, batch.visible)
    moved = [fused]
    for down, right in zip(rows.tolist(), columns.tolist(), strict=True):
        lines = torch.cat([fused[:, :, -down:], fused[:, :, :-down]], dim=2)
        moved.append(torch.cat([lines[..., -right:], lines[..., :-right]], dim=3))
    moved += [
        transforms.rotate(fused, angle, transforms.InterpolationMode.BILINEAR)
        for angle in (10, 130, 250)
    ]
    horizontal, vertical = transforms.horizontal_flip(fused), transforms.vertical_flip(fused)
    moved += [horizontal, vertical, transforms.vertical_flip(horizontal)]
    distance = IntensityGradientDistance()
    see_infrared, see_visible = phase.sensing.infrared, phase.sensing.visible
    equivariance = [
        distance(image, phase.method.fuser(see_infrared(image), see_visible(image)))
        for image in moved
    ]
    expected = {
        "infrared": distance(see_infrared(fused), batch.infrared),
        "visible": distance(see_visible(fused), visible),
        "equivariance": sum(equivariance) / 9,
    }
    expected["loss"] = expected["infrared"] + expected["visible"] + 0.3 * expected["equivariance"]
    torch.testing.assert_close(terms_of(losses), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_phase_fusion_trains_the_fuser_and_leaves_sensing_bit_identical():
    phase = fusion_phase()
    before, fuser = state(phase.sensing), state(phase.method)
    train_briefly(phase, batch=pairs())
    assert any(name.endswith("running_mean") for name in before)
    assert not changed(before, phase.sensing)
    assert all(parameter.grad is None for parameter in phase.sensing.parameters())
    assert not any(module.training for module in phase.sensing.modules())
    parts = {".".join(name.split(".")[:2]) for name in changed(fuser, phase.method)}
    assert parts == {"fuser.infrared", "fuser.visible", "fuser.fuse", "fuser.decoder"}


@pytest.mark.slow
@pytest.mark.parametrize("term", ["infrared", "visible", "equivariance"])
def test_every_term_reaches_the_fuser_through_the_sensing_networks(term):
    phase = fusion_phase()
    phase(pairs())[term].backward()
    for part in phase.method.fuser.children():
        assert sum(parameter.grad.abs().sum() for parameter in part.parameters()) > 0
    # a sensing network that sees the same whatever is fused teaches nothing
    for network in phase.sensing.children():
        network.head.weight.zero_()
    phase.zero_grad()
    phase(pairs())[term].backward()
    through = sum(p.grad.abs().sum() for p in phase.method.fuser.infrared.parameters())
    assert (through == 0) == (term != "equivariance")


def test_phase_sensing_trains_both_sensing_networks_and_leaves_the_fuser():
    phase = sensing_phase()
    before = state(phase.method)
    train_briefly(phase, batch=pairs())
    learned = {name for name in before if name.startswith("sensing.")}
    assert changed(before, phase.method) == learned


@pytest.mark.slow
def test_sensing_learns_to_take_sources_out_of_a_fused_image():
    """The fused image is the infrared one; the visible one is its negative."""
    phase = sensing_phase(teachers=["one"])
    optimizer = torch.optim.Adam([p for p in phase.parameters() if p.requires_grad], lr=0.01)
    losses = []
    for step in range(60):
        infrared = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(step))
        batch = Batch(infrared, (1 - infrared).expand(-1, 3, -1, -1), infrared)
        optimizer.zero_grad()
        terms = phase(batch)
        terms["loss"].backward()
        optimizer.step()
        losses.append(torch.stack([terms["infrared"], terms["visible"]]).detach())
    first, last = torch.stack(losses[:5]).mean(0), torch.stack(losses[-5:]).mean(0)
    assert (last < first / 3).all()


def test_sensing_loss_compares_every_teachers_image_with_the_sources_of_its_pair():
    phase = sensing_phase()
    phase.method.sensing.eval()  # so that images of a batch do not see each other
    batch = pairs(batch=3)
    visible = luminance(batch.visible)
    networks = phase.method.sensing
    expected = {"infrared": 0, "visible": 0, "low_contrast": torch.tensor(0.0)}
    for i in range(3):
        for k in range(2):
            fused = batch.fused[i : i + 1, k : k + 1]
            infrared_error = (networks.infrared(fused) - batch.infrared[i]).square().mean()
            expected["infrared"] += infrared_error / 6
            expected["visible"] += (networks.visible(fused) - visible[i]).square().mean() / 6
    expected["loss"] = expected["infrared"] + expected["visible"]
    torch.testing.assert_close(terms_of(phase(batch)), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("flat", ["infrared", "visible"])
def test_patches_of_low_contrast_do_not_count(flat):
    phase = sensing_phase()
    phase.method.sensing.eval()
    batch = pairs(batch=3)
    getattr(batch, flat)[1] = 0.5 + 0.02 * getattr(batch, flat)[1]
    kept = Batch(*(images[[0, 2]] for images in batch))
    losses, expected = phase(batch), phase(kept)
    assert losses.pop("low_contrast").item() == pytest.approx(1 / 3)
    expected.pop("low_contrast")
    torch.testing.assert_close(losses, expected, atol=1e-6, rtol=1e-5)


def test_a_batch_of_nothing_but_low_contrast_teaches_nothing():
    phase = sensing_phase()
    losses = phase(Batch(*(torch.full_like(images, 0.5) for images in pairs())))
    losses["loss"].backward()
    assert losses["loss"] == 0
    assert losses["low_contrast"] == 1
    assert all((p.grad == 0).all() for p in phase.method.sensing.parameters())


def test_contrast_is_the_relative_distance_of_the_10th_and_90th_percentile():
    ramp = torch.linspace(0, 1, 121).view(1, 1, 11, 11)  # p10 = 0.1, p90 = 0.9 of the range
    images = torch.cat([0.6 + 0.4 * ramp, torch.zeros_like(ramp)])
    contrast = 0.32 / 0.96
    assert low_contrast(images, contrast + 1e-4).tolist() == [True, True]
    assert low_contrast(images, contrast - 1e-4).tolist() == [False, True]
    assert low_contrast(images, 0.0).tolist() == [False, True]


def test_the_saved_method_is_the_fuser_alone(tmp_path):
    phase = fusion_phase()
    assert phase.method.config.sensing is None
    save_model(tmp_path, "emma", phase.method, {})
    loaded = load_model(tmp_path)
    assert parameters(loaded) == parameters(phase.method.fuser)
    batch = pairs()
    expected = phase.method(batch.infrared, batch.visible)
    assert torch.equal(loaded(batch.infrared, batch.visible), expected)


def test_phase_sensing_survives_the_disk_on_its_way_to_phase_fusion(tmp_path):
    first = sensing_phase()
    train_briefly(first, batch=pairs())
    save_model(tmp_path, "emma", first.method, {})
    phase = EMMA.start_phase("fusion", TINY, FUSION, load_model(tmp_path))
    assert not changed(state(first.method.sensing), phase.sensing)


def test_a_checkpoint_of_phase_fusion_has_the_sensing_networks():
    saved = state(fusion_phase())
    phase = EMMA.start_phase("fusion", TINY, FUSION, sensing_phase().method)
    assert {name.split(".")[0] for name in changed(saved, phase)} >= {"sensing"}
    phase.load_state_dict(saved)
    assert not changed(saved, phase)


def test_phases_refuse_to_start_without_what_they_need():
    with pytest.raises(ValueError, match="fusion of emma starts from the weights of phase sensing"):
        EMMA.start_phase("fusion", TINY, FUSION, None)
    with pytest.raises(ValueError, match="fusion of emma starts from the weights of phase sensing"):
        EMMA.start_phase("fusion", TINY, FUSION, EMMA(TINY))
    preset = TINY.model_copy(update={"sensing": SensingConfig(width=4)})
    with pytest.raises(ValueError, match="not a setting of the network"):
        EMMA.start_phase("sensing", preset, SENSING, None)
    with pytest.raises(ValueError, match="needs fused images of its teachers"):
        sensing_phase()(pairs()._replace(fused=None))


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (EMMAConfig, {"widths": [8, 12]}, r"12 must be a multiple of heads \(8\)"),
        (EMMAConfig, {"widths": [8]}, "at least 2 items"),
        (EMMASensingPhaseConfig, SCHEDULE | {"teachers": []}, "at least 1 item"),
        (EMMASensingPhaseConfig, ONE_PIXEL | {"teachers": ["one"]}, "raise batch_size or crop"),
        (EMMAFusionPhaseConfig, SCHEDULE | {"shifts": 16}, "less than or equal to 15"),
    ],
)
def test_impossible_settings_are_refused(model, values, message):
    with pytest.raises(ValidationError, match=message):
        model(**values)


def test_a_second_teacher_is_a_second_image_for_batch_normalization():
    settings = EMMASensingPhaseConfig(
        **ONE_PIXEL, teachers=["one", "other"], network=SensingConfig(width=4), contrast=0
    )
    phase = EMMA.start_phase("sensing", TINY, settings, None)
    assert phase(pairs(16, 16, 1))["loss"].isfinite()


@pytest.fixture
def preset(tmp_path, monkeypatch):
    """A function that composes params.yaml for a profile, as the pipeline does."""
    monkeypatch.setenv("FUSION_DATA", "/somewhere")

    def make(profile):
        overrides = (f"profile={profile}", "method=[maximum,pomai,emma]")
        compose(tmp_path / "params.yaml", overrides, Path(__file__).parents[3] / "conf")
        return params.load(tmp_path / "params.yaml")

    return make


@pytest.mark.parametrize("profile", ["tiny", "sample", "pairs", "paper"])
def test_a_preset_learns_from_other_rows_and_its_phases_follow_each_other(preset, profile):
    chosen = preset(profile)
    sensing, fusion = chosen.training["emma-sensing"], chosen.training["emma-fusion"]
    assert sensing.after == "data/teachers"
    assert fusion.after == "models/emma-sensing"
    assert chosen.methods["emma"].source == "models/emma-fusion"
    teachers = chosen.phase_settings("emma-sensing").teachers
    assert set(teachers) <= chosen.methods.keys() - {"emma"}


def test_the_paper_preset_has_the_papers_networks_and_the_tiny_one_trains(preset):
    paper = preset("paper")
    assert paper.method_config("emma") == EMMAConfig()
    assert paper.phase_settings("emma-sensing").network == SensingConfig()
    tiny = preset("tiny")
    config, first = tiny.method_config("emma"), tiny.phase_settings("emma-sensing")
    phase = EMMA.start_phase("sensing", config, first, None)
    phase(pairs(first.crop, first.crop, first.batch_size))["loss"].backward()
    second = tiny.phase_settings("emma-fusion")
    phase = EMMA.start_phase("fusion", config, second, phase.method)
    losses = phase(pairs(second.crop, second.crop, second.batch_size))
    assert all(torch.isfinite(value) for value in losses.values())
