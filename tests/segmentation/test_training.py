import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from fusion.core.errors import InputError
from segmentation import experiment
from segmentation.config import SegmentationConfig
from segmentation.confusion import scores
from segmentation.data import IGNORE
from segmentation.experiment import repeatable, train_and_test
from segmentation.labels import colorize
from segmentation.models import build, require_sizes
from segmentation.train import BEST, best_epoch, learning_rate, segmentation_loss


class KilledError(Exception):
    """Stands for a signal that ends the process."""


@pytest.fixture
def encoder_file(tmp_path, tiny):
    file = tmp_path / "encoder.pth"
    torch.save(build(tiny).network.encoder.state_dict(), file)
    return file


def numbers(result):
    """What a result measured."""
    return result.test, result.day, result.night, result.per_image.tolist(), result.best_epoch


def changed(config, **values):
    return SegmentationConfig(**{**config.model_dump(), **values})


@pytest.mark.slow
def test_every_step_of_the_experiment_is_there_and_a_seed_repeats_it(scenes, tiny, cpu, tmp_path):
    results = [
        train_and_test(*scenes, tmp_path / f"run{run}", tiny, seed, cpu, pictures=tmp_path / "p")
        for run, seed in enumerate((1, 1, 2))
    ]
    first, again, other = results
    assert numbers(first) == numbers(again)
    assert first.curve == again.curve
    assert first.curve != other.curve

    assert first.per_image.sum() == 2 * (37 * 45 + 40 * 48)
    assert first.day.images == first.night.images == 2
    assert (first.per_image[0::2].sum(0).trace() / first.per_image[0::2].sum()) == pytest.approx(
        first.day.pixel_accuracy
    )
    validated = [record["val_miou"] for record in first.curve]
    assert validated[first.best_epoch - 1] == max(validated)
    assert (tmp_path / "run0" / BEST).is_file()


@pytest.mark.parametrize(
    ("night", "dark", "bright"),
    [(["00000D"], [0], [1, 2, 3]), ([], [], [0, 1, 2, 3]), (None, [], [])],
)
def test_day_and_night_are_what_the_data_set_says_not_the_names(
    scenes, tiny, cpu, tmp_path, night, dark, bright
):
    listing = scenes[1] / "dataset.json"
    listing.write_text(json.dumps({**json.loads(listing.read_text()), "night": night}))
    found = train_and_test(*scenes, tmp_path / "w", changed(tiny, epochs=1), 0, cpu)
    for part, indices in ((found.night, dark), (found.day, bright)):
        assert part == (scores(found.per_image[indices]) if indices else None)


def test_pictures_show_the_same_images_with_truth(scenes, tiny, cpu, tmp_path):
    from fusion.images.decode import read_visible
    from segmentation.labels import read_label

    train_and_test(
        *scenes, tmp_path / "w", changed(tiny, epochs=1), 0, cpu, pictures=tmp_path / "p"
    )
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["00000D.png", "00003N.png"]
    picture = read_visible(tmp_path / "p" / "00000D.png").pixels
    assert picture.shape == (40 + 18, 5 * 48 + 4 * 4, 3)
    truth = colorize(read_label(scenes[1] / "test" / "labels" / "00000D.png"))
    assert np.array_equal(picture[18:, 3 * 52 : 3 * 52 + 48], truth)


def newest(folder):
    """The newest checkpoint of a run; None before the first."""
    return max((folder / "checkpoints").glob("*-step-*"), default=None)


def cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 64
    path.write_bytes(content)


@pytest.mark.slow
def test_whatever_of_a_run_is_damaged_the_result_is_the_same(scenes, tiny, cpu, tmp_path, caplog):
    """Each file of the newest checkpoint of a finished run in turn, then both checkpoints."""
    whole = tmp_path / "whole"
    expected = train_and_test(*scenes, whole, tiny, 0, cpu)
    last = newest(whole).name
    for harm, name, folders in (
        (cut, "state.pt", last),
        (flip, "state.pt", last),
        (flip, "curve.json", last),
        (flip, BEST, last),
        (Path.unlink, "run.json", last),
        (cut, "run.json", "*"),
    ):
        work = shutil.copytree(whole, tmp_path / "work", dirs_exist_ok=True)
        for folder in (work / "checkpoints").glob(folders):
            harm(folder / name)
        caplog.clear()
        resumed = train_and_test(*scenes, work, tiny, 0, cpu)
        assert f"{last} is damaged" in caplog.text
        assert ("starting afresh" in caplog.text) == (folders == "*")
        assert resumed.curve == expected.curve
        assert numbers(resumed) == numbers(expected)
        assert (work / BEST).read_bytes() == (whole / BEST).read_bytes()
        shutil.rmtree(work)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_killed_run_ends_as_if_it_had_never_stopped(scenes, tiny, cpu, tmp_path, stop):
    config = changed(tiny, validate_every=2)
    whole = train_and_test(*scenes, tmp_path / "whole", config, 0, cpu)

    def kill(record):
        if record["epoch"] == stop:
            raise KilledError

    with pytest.raises(KilledError):
        train_and_test(*scenes, tmp_path / "w", config, 0, cpu, log=kill)
    assert (newest(tmp_path / "w") is not None) == (stop > 1)
    epochs = []
    resumed = train_and_test(
        *scenes, tmp_path / "w", config, 0, cpu, log=lambda record: epochs.append(record["epoch"])
    )
    assert epochs == [1, 2, 3, 4], "the log of a continued run has all epochs"
    assert resumed.curve == whole.curve
    assert numbers(resumed) == numbers(whole)
    assert (tmp_path / "w" / BEST).read_bytes() == (tmp_path / "whole" / BEST).read_bytes()


def test_a_checkpoint_of_other_images_is_not_continued(scenes, tiny, cpu, tmp_path):
    from fusion.images.decode import write_image

    config = changed(tiny, epochs=1)
    before = train_and_test(*scenes, tmp_path / "w", config, 0, cpu)
    for path in (scenes[0] / "train").iterdir():
        write_image(path, np.full((40, 48) if path.stem[4] in "0246" else (37, 45), 9, np.uint8))
    after = train_and_test(*scenes, tmp_path / "w", config, 0, cpu)
    assert after.curve != before.curve
    assert after.protocol == before.protocol  # what methods share, and images are not


def test_the_random_state_of_the_caller_is_left_alone(scenes, tiny, cpu, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train_and_test(*scenes, tmp_path / "w", changed(tiny, epochs=1), 0, cpu)
    assert torch.equal(torch.rand(3), expected)


def encoder_state(folder):
    state = torch.load(newest(folder) / "state.pt", weights_only=True)["model"]
    return {name: value for name, value in state.items() if name.startswith("network.encoder.")}


def test_a_frozen_encoder_stays_bit_identical_statistics_included(
    scenes, tiny, cpu, tmp_path, encoder_file
):
    states = {}
    for frozen in (2, 1):
        config = changed(tiny, epochs=2, frozen_epochs=frozen, encoder_weights=str(encoder_file))
        train_and_test(*scenes, tmp_path / str(frozen), config, 0, cpu)
        states[frozen] = encoder_state(tmp_path / str(frozen))
    loaded = torch.load(encoder_file, weights_only=True)
    assert {name.removeprefix("network.encoder.") for name in states[2]} == set(loaded)
    for name, value in loaded.items():
        assert torch.equal(states[2][f"network.encoder.{name}"], value)
    statistics = [name for name in loaded if name.endswith("running_mean")]
    assert statistics
    for name in statistics:
        assert not torch.equal(states[1][f"network.encoder.{name}"], loaded[name])


def test_no_dropout_is_left_on_in_a_frozen_encoder(tiny):
    model = build(SegmentationConfig(architecture="Segformer", encoder="mit_b0"))
    model.train()
    model.freeze_encoder(True)
    model.train()
    assert not any(module.training for module in model.network.encoder.modules())
    model.freeze_encoder(False)
    model.train()
    assert all(module.training for module in model.network.encoder.modules())


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_encoder_weights_are_found_inside_a_whole_model(tmp_path, tiny, suffix):
    source = build(tiny)
    file = tmp_path / f"model{suffix}"
    if suffix == ".pth":
        torch.save(source.state_dict(), file)
    else:
        save_file(source.state_dict(), file)
    loaded = build(changed(tiny, encoder_weights=str(file)))
    expected = source.network.encoder.state_dict()
    for name, value in loaded.network.encoder.state_dict().items():
        assert torch.equal(value, expected[name])
    assert loaded.std.flatten().tolist() == [0.5] * 3, "as timm says of this encoder"


def test_files_that_hold_no_weights_of_the_encoder_are_refused(tmp_path, tiny):
    with pytest.raises(InputError, match=r"nowhere\.pth: does not exist"):
        build(changed(tiny, encoder_weights=str(tmp_path / "nowhere.pth")))

    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(InputError, match=r"text\.pth: is not a \.pth file: it begins with"):
        build(changed(tiny, encoder_weights=str(tmp_path / "text.pth")))

    save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="holds no weights of encoder tu-test_resnet"):
        build(changed(tiny, encoder_weights=str(tmp_path / "other.safetensors")))


def test_options_of_another_architecture_have_no_effect(tiny):
    assert tiny.options.keys() == {"DeepLabV3Plus"}
    plain = changed(tiny, architecture="Unet", encoder="resnet18")
    fewer = changed(plain, options={"Unet": {"encoder_depth": 3, "decoder_channels": [8, 8, 8]}})
    sizes = [sum(p.numel() for p in build(config).parameters()) for config in (plain, fewer)]
    assert sizes[0] > sizes[1]


def test_an_option_that_the_architecture_lacks_is_refused(tiny):
    with pytest.raises(InputError, match=r"decoder_chanels.*did you mean decoder_channels"):
        build(changed(tiny, options={"DeepLabV3Plus": {"decoder_chanels": 8}}))
    with pytest.raises(InputError, match="DPT with encoder resnet18: cannot be built"):
        build(SegmentationConfig(architecture="DPT", encoder="resnet18"))


@pytest.mark.parametrize(
    "architecture", ["DeepLabV3Plus", "UnetPlusPlus", "Segformer", "PSPNet", "DPT"]
)
@pytest.mark.parametrize("size", [(16, 16), (33, 47)])
def test_any_size_is_predicted_at_its_own_size(architecture, size):
    encoder = "tu-vit_tiny_patch16_224" if architecture == "DPT" else "resnet18"
    model = build(SegmentationConfig(architecture=architecture, encoder=encoder)).eval()
    with torch.inference_mode():
        assert model(torch.rand(1, 3, *size)).shape == (1, 9, *size)


def test_padding_mirrors_and_is_cut_off_again(tiny):
    """A network that answers each pixel with itself must give the normalized image back."""
    model = build(tiny)
    seen = []

    class Echo(nn.Module):
        encoder = model.network.encoder

        def forward(self, padded):
            seen.append(padded)
            return padded

    image = torch.rand(1, 3, 37, 45)
    model.network = Echo()
    expected = (image - 0.5) / 0.25
    assert torch.equal(model(image), expected)
    side = model.network.encoder.output_stride
    assert seen[0].shape[-2] % side == seen[0].shape[-1] % side == 0
    top, left = -37 % side // 2, -45 % side // 2
    mirrored = F.pad(expected, (left, -45 % side - left, top, -37 % side - top), mode="reflect")
    assert torch.equal(seen[0], mirrored)


def test_the_learning_rate_falls_by_half_a_cosine_to_one_percent():
    rates = [learning_rate(step, 101, 2.0) for step in range(101)]
    assert rates[0] == 2
    assert rates[50] == pytest.approx(1.01)
    assert rates[-1] == pytest.approx(0.02)
    assert (np.diff(rates) < 0).all()


@pytest.mark.parametrize("kind", ["ce", "ce+dice"])
def test_losses_are_their_definitions_and_padding_does_not_count(kind):
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 9, 5, 6), torch.randint(0, 9, (2, 5, 6))
    labels[:, :, 4:] = IGNORE
    probability = logits.softmax(1)[..., :4].movedim(1, 0).flatten(1)
    truth = F.one_hot(labels[..., :4].flatten(), 9).T
    expected = -(probability.log() * truth).sum(0).mean()
    if kind == "ce+dice":
        overlap = 2 * (probability * truth).sum(1) / (probability + truth).sum(1)
        expected = expected + torch.where(truth.sum(1) > 0, 1 - overlap, 0).mean()
    assert segmentation_loss(logits, labels, kind).item() == pytest.approx(expected.item())


@pytest.mark.slow
def test_a_network_that_cannot_take_the_images_is_refused_before_training(
    scenes, tiny, cpu, tmp_path
):
    config = changed(tiny, architecture="PAN", encoder="resnet18", crop=128)
    with pytest.raises(InputError, match=r"PAN: cannot take images of (45×37|48×40): .*too small"):
        train_and_test(*scenes, tmp_path / "w", config, 0, cpu)
    assert not (tmp_path / "w").exists()
    with pytest.raises(InputError, match=r"cannot take images of 32×32: .*a larger crop"):
        require_sizes(build(config), [(128, 128), (32, 32)])
    fixed = SegmentationConfig(architecture="Unet", encoder="tu-swin_tiny_patch4_window7_224")
    with pytest.raises(InputError, match=r"cannot take images of 64×64: .*doesn't match model"):
        require_sizes(build(fixed), [(64, 64)])


def test_algorithms_are_deterministic_in_the_experiment_and_as_before_after_it(monkeypatch):
    def state():
        return (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.backends.cudnn.deterministic,
            torch.utils.deterministic.fill_uninitialized_memory,
            os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
        )

    def stopped():
        with repeatable():
            assert state() == (True, True, True, False, ":4096:8")
            raise KilledError

    for workspace in (None, ":16:8"):
        monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
        if workspace:
            monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", workspace)
        before = state()
        with pytest.raises(KilledError):
            stopped()
        assert state() == before


def test_the_experiment_computes_by_deterministic_algorithms(
    scenes, tiny, cpu, tmp_path, monkeypatch
):
    seen = []
    fit = experiment.train.fit

    def noted(*arguments):
        seen.append(torch.are_deterministic_algorithms_enabled())
        return fit(*arguments)

    monkeypatch.setattr(experiment.train, "fit", noted)
    train_and_test(*scenes, tmp_path / "w", changed(tiny, epochs=1), 0, cpu)
    assert seen == [True]


def test_a_diverged_run_says_so(scenes, tiny, cpu, tmp_path):
    with pytest.raises(InputError, match="epoch 1: the loss is nan; lower the learning rate"):
        train_and_test(
            *scenes, tmp_path / "w", tiny.model_copy(update={"learning_rate": 1e30}), 0, cpu
        )


def test_an_epoch_without_a_validation_score_is_never_the_best():
    curve = [{"val_miou": value} for value in (None, float("nan"), 0.25, float("nan"), 0.125)]
    assert best_epoch(curve) == 3
    assert best_epoch(curve[:2]) == 2
