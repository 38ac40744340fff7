"""Metrics as functions: every one is there, equals `compute`, and takes single images."""

import inspect
import subprocess
import sys

import pytest
import torch

from fusion import metrics
from fusion.metrics import functional

SHORT = {
    "EN": "entropy",
    "SD": "standard_deviation",
    "SF": "spatial_frequency",
    "AG": "average_gradient",
    "MI": "mutual_information",
    "MSE": "mean_squared_error",
    "CC": "correlation_coefficient",
    "PSNR": "peak_signal_to_noise_ratio",
    "SCD": "sum_of_correlations_of_differences",
    "VIF": "visual_information_fidelity",
    "Qabf": "edge_preservation",
    "SSIM": "structural_similarity",
    "MS-SSIM": "multiscale_structural_similarity",
    "Nabf": "fusion_artifacts",
    "FMI-pixel": "pixel_feature_mutual_information",
    "FMI-gradient": "gradient_feature_mutual_information",
    "Qcb": "contrast_preservation",
    "Qcv": "perceived_difference",
}
IMAGES = torch.randint(0, 256, (3, 2, 1, 177, 180), generator=torch.Generator().manual_seed(0))


def call(function, images):
    return function(*images[: sum(p.default is p.empty for p in parameters(function))])


def parameters(function):
    return inspect.signature(function).parameters.values()


def test_every_metric_has_a_function():
    assert tuple(SHORT) == metrics.METRIC_NAMES == tuple(metrics.METRICS)
    assert {name for name, value in vars(functional).items() if inspect.isfunction(value)} == {
        *SHORT.values(),
        "_measure",
    }


SLOW = [pytest.param(n, marks=pytest.mark.slow) if n[:3] == "FMI" else n for n in SHORT]


@pytest.mark.parametrize("name", SLOW)
def test_a_function_is_the_metric_of_its_name(name):
    function = getattr(metrics, SHORT[name])
    expected = metrics.compute(*IMAGES, names=[name])[name]
    values = call(function, IMAGES)
    assert values.dtype == torch.float64
    torch.testing.assert_close(values, expected, rtol=0, atol=0)
    single = call(function, IMAGES[:, 1, 0].float())
    assert single.shape == ()
    torch.testing.assert_close(single, expected[1], rtol=1e-6, atol=1e-9)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="must be alike, B×1×H×W or H×W"):
        metrics.entropy(IMAGES[0, 0])
    with pytest.raises(ValueError, match="must be alike"):
        metrics.mean_squared_error(IMAGES[0], IMAGES[1, 0, 0], IMAGES[2])


def test_names_and_directions_do_not_import_torch():
    script = """
import sys
from fusion.metrics import METRIC_NAMES, LOWER_IS_BETTER
assert LOWER_IS_BETTER < {*METRIC_NAMES}
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_a_name_that_is_no_metric_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'entropie'"):
        _ = metrics.entropie
