import pytest
import torch
from torch import nn

from fusion import methods
from fusion.core.config import Config, RuntimeConfig
from fusion.core.runtime import device_name
from fusion.inference import cost
from fusion.inference.cost import HEIGHT, WIDTH, count_flops, time_pair
from fusion.methods.base import FusionMethod


class OneConvolution(FusionMethod):
    """A convolution of 3×3 from two channels to one; `by_value` needs more than shapes."""

    def __init__(self, by_value=False):
        super().__init__(Config())
        self.layer = nn.Conv2d(2, 1, 3, padding=1)
        self.by_value = by_value

    def forward(self, infrared, visible):
        fused = self.layer(torch.cat([infrared, visible[:, :1]], 1))
        if self.by_value and fused.mean().item() > 1e9:
            return infrared
        return fused.sigmoid()


@pytest.mark.parametrize("by_value", [False, True])
def test_a_convolution_counts_a_multiplication_and_an_addition_per_weight(by_value):
    assert count_flops(OneConvolution(by_value).eval()) == 2 * 9 * 2 * HEIGHT * WIDTH


def test_counting_leaves_the_method_as_it_was():
    method = OneConvolution().eval()
    count_flops(method)
    assert {value.device.type for value in method.state_dict().values()} == {"cpu"}
    assert all(value.requires_grad for value in method.parameters())


class ParameterAsInput(FusionMethod):
    """Hands a trainable parameter to a layer, as LRRNet's coding steps do."""

    def __init__(self):
        super().__init__(Config())
        self.image = nn.Parameter(torch.rand(1, 1, 8, 8))
        self.layer = nn.Conv2d(1, 1, 3)

    def forward(self, infrared, visible):
        return infrared + self.layer(self.image).mean()


def test_a_parameter_that_a_layer_takes_as_input_is_no_obstacle():
    assert count_flops(ParameterAsInput().eval()) == 2 * 9 * 6 * 6


def test_elementwise_methods_count_no_operation():
    average = methods.get("average")
    assert count_flops(average(average.config_class()).eval()) == 0


def test_a_pair_is_timed_on_a_named_device():
    timing = time_pair(OneConvolution().eval(), stretched=False, runtime=RuntimeConfig())
    assert 0 < timing.milliseconds < 60_000
    assert timing.threads == torch.get_num_threads()
    assert timing.device == device_name(torch.device("cpu")) != ""


@pytest.mark.parametrize(("slow_from", "calls"), [(0.0, 1), (60.0, 6)])
def test_a_network_that_takes_seconds_is_called_once(monkeypatch, slow_from, calls):
    monkeypatch.setattr(cost, "_SLOW", slow_from)
    monkeypatch.setattr(cost, "_SECONDS", 60.0)
    method = OneConvolution().eval()
    sizes = []
    method.layer.register_forward_hook(lambda _, given, __: sizes.append(given[0].shape[-2:]))
    time_pair(method, stretched=False, runtime=RuntimeConfig())
    assert sizes.count((HEIGHT, WIDTH)) == calls
