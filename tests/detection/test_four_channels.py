"""A detector on both images without fusing."""

import numpy as np
import pytest
import torch
import yaml

from detection.config import DetectionConfig
from detection.experiment import BEST, train_and_test
from detection.offline import go_offline
from detection.workspace import build_workspace
from fusion.core.config import RuntimeConfig
from fusion.images.prepared import PreparedSet
from fusion.images.stacked import stack_pairs

SETTINGS = {"model": "yolov5n", "image_size": 64, "epochs": 1, "batch_size": 4, "workers": 0}


@pytest.fixture
def stacked(shapes, tmp_path):
    prepared = PreparedSet.load(shapes / "set")
    for split in prepared.splits:
        stack_pairs(prepared.pairs(split), tmp_path / "stacked" / split)
    return tmp_path / "stacked"


def test_the_description_says_how_many_channels_there_are(shapes, stacked, tmp_path):
    for images, channels in ((shapes / "fused", 3), (stacked, 4)):
        workspace = build_workspace(images, shapes / "set", tmp_path / "work")
        assert yaml.safe_load(workspace.description.read_text())["channels"] == channels


def test_color_changes_as_that_of_a_fused_image_and_infrared_stays(tmp_path):
    go_offline(tmp_path / "ultralytics")
    from ultralytics.data.augment import RandomHSV

    from detection.four_channels import with_color

    base = RandomHSV(0.1, 0.7, 0.4)
    image = np.random.default_rng(0).integers(0, 256, (8, 9, 4), dtype=np.uint8)
    visible = np.ascontiguousarray(image[..., :3])
    changed = image.copy()
    for step, pixels in ((base, visible), (with_color(base), changed)):
        np.random.seed(3)
        step.apply_image({"img": pixels})
    assert (changed[..., :3] == visible).all()
    assert (changed[..., :3] != image[..., :3]).any()
    assert (changed[..., 3] == image[..., 3]).all()


def test_start_weights_see_the_colors_that_they_were_trained_with(tmp_path):
    """Ultralytics hands three channels over as R, G, B, and four as B, G, R, infrared."""
    go_offline(tmp_path / "ultralytics")
    from ultralytics.nn.tasks import DetectionModel

    from detection.four_channels import load_first_filters

    three = DetectionModel("yolov5n.yaml", ch=3, nc=2, verbose=False)
    four = DetectionModel("yolov5n.yaml", ch=4, nc=2, verbose=False)
    later = four.state_dict()["model.1.conv.weight"].clone()
    load_first_filters(four, three)
    image = torch.rand(1, 3, 64, 64)
    dark = torch.zeros(1, 1, 64, 64)
    colors = three.model[0].conv(image)
    torch.testing.assert_close(
        four.model[0].conv(torch.cat([image.flip(1), dark], 1)), 0.75 * colors
    )
    assert four.model[0].conv(torch.cat([image.flip(1), dark + 1], 1)).ne(0.75 * colors).any()
    assert torch.equal(four.state_dict()["model.1.conv.weight"], later)


@pytest.mark.slow
def test_a_detector_of_four_channels_is_trained_from_weights_of_three(shapes, stacked, tmp_path):
    go_offline(tmp_path / "ultralytics")
    from ultralytics import YOLO
    from ultralytics.nn.tasks import DetectionModel

    model = DetectionModel("yolov5n.yaml", nc=2, verbose=False)
    torch.save({"model": model}, tmp_path / "start.pt")
    config = DetectionConfig(**SETTINGS, weights=str(tmp_path / "start.pt"), learning_rate=1e-9)
    workspace = build_workspace(stacked, shapes / "set", tmp_path / "data")
    pictures = tmp_path / "pictures"
    cpu = RuntimeConfig(accelerator="cpu")
    found = train_and_test(workspace, tmp_path / "run", config, 0, cpu, pictures=pictures)
    assert found.matches.stems == ["00016", "00017", "00018", "00019"]
    assert len(list(pictures.iterdir())) == 4
    first = YOLO(tmp_path / "run" / BEST).model.model[0].conv.weight
    expected = model.model[0].conv.weight.flip(1)
    torch.testing.assert_close(first[:, :3], 0.75 * expected, atol=2e-3, rtol=0)
    torch.testing.assert_close(first[:, 3], 0.75 * expected.mean(1), atol=2e-3, rtol=0)
