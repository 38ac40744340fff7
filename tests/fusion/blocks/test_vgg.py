import pytest
import torch
import torchvision
from safetensors.torch import save_file

from fusion.blocks.vgg import VGGFeatures
from fusion.core.errors import InputError


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    """torchvision's layers with random weights, and their file in safetensors' order."""
    torch.manual_seed(0)
    network = torchvision.models.vgg16(weights=None).features.eval()
    file = tmp_path_factory.mktemp("vgg") / "vgg16.safetensors"
    save_file({f"features.{name}": value for name, value in network.state_dict().items()}, file)
    return network, file


def test_features_are_those_behind_the_last_relu_of_each_stage(vgg):
    network, file = vgg
    image = torch.rand(2, 1, 32, 40)
    found = VGGFeatures(file, 16, 4)(image)
    for features, end in zip(found, (4, 9, 16, 23), strict=True):
        torch.testing.assert_close(features, network[:end](image.expand(-1, 3, -1, -1)))


def test_weights_are_frozen_and_not_saved_with_a_phase(vgg):
    features = VGGFeatures(vgg[1], 16, 2)
    assert not list(features.parameters())
    assert not features.state_dict()


def test_another_networks_weights_are_refused(vgg):
    with pytest.raises(InputError, match=r"vgg16\.safetensors: is not VGG-19: convolution 8"):
        VGGFeatures(vgg[1], 19, 5)
