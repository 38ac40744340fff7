import pytest
import torch

from fusion.blocks.skip import skip_logit


def test_a_skip_is_the_logit_of_its_image_and_black_and_white_stay_finite():
    infrared = torch.tensor([0.2, 0.9, 0.0, 1.0]).view(1, 1, 1, 4)
    visible = torch.tensor([0.6, 0.3, 0.0, 0.5]).view(1, 1, 1, 4)
    assert skip_logit("none", infrared, visible) == 0
    half = 1 / 512
    for skip, image in (
        ("visible", [0.6, 0.3, half, 0.5]),
        ("brighter", [0.6, 0.9, half, 1 - half]),
    ):
        found = torch.sigmoid(torch.as_tensor(skip_logit(skip, infrared, visible)))
        assert found.flatten().tolist() == pytest.approx(image, abs=1e-6)
