"""One function per metric.

Images are gray levels as an 8-bit file holds them: whole numbers 0..255 of any dtype, B×1×H×W or a
single H×W; all arguments of a call are of one size. The result is float64: B values, or a scalar
for a single image. NaN stands for "undefined"; nothing is replaced by zero. Other shapes and other
values (images in 0..1, unrounded network outputs) raise a ValueError. Color images are measured on
round(0.299 R + 0.587 G + 0.114 B).

F is the fused image, A the infrared one, B the visible one. Definitions are those of CDDFuse's
published evaluator where it has the metric. `fusion.metrics.compute` measures several metrics
faster than one call each, as it computes what they share once.

>>> from fusion.metrics import visual_information_fidelity as vif
>>> infrared = torch.arange(48 * 48).view(48, 48) % 251
>>> visible = infrared.T.contiguous()
>>> fused = (infrared + visible) // 2
>>> vif(fused, infrared, visible).round(decimals=4)
tensor(0.1845, dtype=torch.float64)
"""

from collections.abc import Callable

from torch import Tensor

from fusion.metrics import (
    agreement,
    edges,
    features,
    fidelity,
    information,
    perception,
    statistical,
    structure,
)
from fusion.metrics.triplet import Triplet


def entropy(fused: Tensor) -> Tensor:
    """EN: −Σ p log₂ p over the 256 gray levels of F.

    0..8 bits; higher is better. Always defined. Roberts et al. 2008.

    >>> entropy(torch.tensor([[0, 255], [255, 0]]))
    tensor(1., dtype=torch.float64)
    """
    return _measure(information.entropy, fused, fused, fused)


def standard_deviation(fused: Tensor) -> Tensor:
    """SD: sqrt(mean((F − mean F)²)), of the population.

    0..127.5 gray levels; higher is better. Always defined. CDDFuse's evaluator.

    >>> standard_deviation(torch.tensor([[10, 14], [14, 10]]))
    tensor(2., dtype=torch.float64)
    """
    return _measure(statistical.standard_deviation, fused, fused, fused)


def spatial_frequency(fused: Tensor) -> Tensor:
    """SF: sqrt(mean(Δx²) + mean(Δy²)) of first differences, each over where it exists.

    0..361 gray levels; higher is better. NaN where a side is one pixel. Eskicioglu and Fisher 1995.

    >>> spatial_frequency(torch.tensor([[0, 3], [4, 7]]))
    tensor(5., dtype=torch.float64)
    """
    return _measure(statistical.spatial_frequency, fused, fused, fused)


def average_gradient(fused: Tensor) -> Tensor:
    """AG: mean of sqrt((Gx² + Gy²) / 2); central differences, one-sided at the borders.

    0..255 gray levels a pixel; higher is better. Needs two pixels a side. Cui et al. 2015.

    >>> average_gradient(torch.tensor([[0, 3], [3, 6]])).round(decimals=4)
    tensor(3., dtype=torch.float64)
    """
    return _measure(statistical.average_gradient, fused, fused, fused)


def mutual_information(fused: Tensor, infrared: Tensor, visible: Tensor) -> Tensor:
    """MI: I(F; A) + I(F; B) with I(X; Y) = H(X) + H(Y) − H(X, Y), one bin a gray level.

    0 or more, in nats; higher is better. Always defined. Qu et al. 2002.

    >>> image = torch.tensor([[0, 255], [255, 0]])
    >>> mutual_information(image, image, image)
    tensor(1.3863, dtype=torch.float64)
    """
    return _measure(information.mutual_information, fused, infrared, visible)


def mean_squared_error(fused: Tensor, infrared: Tensor, visible: Tensor) -> Tensor:
    """MSE: (mean((F − A)²) + mean((F − B)²)) / 2.

    0..65025; lower is better. Always defined. CDDFuse's evaluator.

    >>> image = torch.full((8, 8), 10)
    >>> mean_squared_error(image, image, image + 2)
    tensor(2., dtype=torch.float64)
    """
    return _measure(agreement.mean_squared_error, fused, infrared, visible)


def peak_signal_to_noise_ratio(fused: Tensor, infrared: Tensor, visible: Tensor) -> Tensor:
    """PSNR: 10 log₁₀(max(F)² / MSE); the peak is F's own maximum, not 255.

    In dB; higher is better. NaN where F equals both sources. CDDFuse's evaluator.

    >>> fused = torch.full((8, 8), 100)
    >>> peak_signal_to_noise_ratio(fused, fused - 10, fused + 10)
    tensor(20., dtype=torch.float64)
    """
    return _measure(agreement.peak_signal_to_noise_ratio, fused, infrared, visible)


def correlation_coefficient(fused: Tensor, infrared: Tensor, visible: Tensor) -> Tensor:
    """CC: (r(F, A) + r(F, B)) / 2 with Pearson's r.

    −1..1; higher is better. NaN where an image is constant. CDDFuse's evaluator.

    >>> visible = torch.tensor([[0, 50], [100, 200]])
    >>> correlation_coefficient(visible, 255 - visible, visible)
    tensor(0., dtype=torch.float64)
    """
    return _measure(agreement.correlation_coefficient, fused, infrared, visible)


def sum_of_correlations_of_differences(fused: Tensor, infrared: Tensor, visible: Tensor) -> Tensor:
    """SCD: r(A, F − B) + r(B, F − A) with Pearson's r.

    −2..2; higher is better. NaN where F is a source plus a constant or a source is constant.
    Aslantas and Bendes 2015.

    >>> infrared = torch.tensor([[0, 100], [0, 100]])
    >>> visible = infrared.T.contiguous()
    >>> sum_of_correlations_of_differences(infrared + visible, infrared, visible)
    tensor(2., dtype=torch.float64)
    """
    return _measure(agreement.sum_of_correlations_of_differences, fused, infrared, visible)


def visual_information_fidelity(fused: Tensor, infrared: Tensor, visible: Tensor) -> Tensor:
    """VIF: VIF(A → F) + VIF(B → F), pixel domain: share of a source's information that F keeps.

    About 0..2; higher is better. NaN where a side is below 41 pixels. Sheikh and Bovik 2006
    (`vifp`): four scales, noise variance 2.

    >>> image = torch.arange(48 * 48).view(48, 48) % 251
    >>> visual_information_fidelity(image, image, image).round(decimals=4)
    tensor(2., dtype=torch.float64)
    """
    return _measure(fidelity.visual_information_fidelity, fused, infrared, visible)


def edge_preservation(fused: Tensor, infrared: Tensor, visible: Tensor) -> Tensor:
    """Qabf: strength and direction of the sources' Sobel edges kept in F, weighted by strength.

    0..1; higher is better. NaN where no source has an edge. Xydeas and Petrovic 2000.

    >>> image = torch.arange(64).view(8, 8) * 3
    >>> edge_preservation(image, image, image).round(decimals=4)
    tensor(0.9753, dtype=torch.float64)
    """
    return _measure(edges.edge_preservation, fused, infrared, visible)


def structural_similarity(
    fused: Tensor, infrared: Tensor, visible: Tensor, data_range: float = 255
) -> Tensor:
    """SSIM: SSIM(F, A) + SSIM(F, B), uniform 7×7 windows, sample covariance.

    −2..2; higher is better. NaN where a side is below 7 pixels. Wang et al. 2004.

    Args:
        fused, infrared, visible: as in the module's description.
        data_range: L of the constants (0.01 L)² and (0.03 L)².

    >>> image = torch.arange(64).view(8, 8)
    >>> structural_similarity(image, image, image).round(decimals=4)
    tensor(2., dtype=torch.float64)
    """

    def similarity(images: Triplet) -> Tensor:
        return structure.structural_similarity(images, data_range)

    return _measure(similarity, fused, infrared, visible)


def multiscale_structural_similarity(fused: Tensor, infrared: Tensor, visible: Tensor) -> Tensor:
    """MS-SSIM: (MS-SSIM(F, A) + MS-SSIM(F, B)) / 2, five scales, Gaussian 11×11 windows.

    0..1; higher is better. NaN where a side is below 176 pixels. Wang et al. 2003.

    >>> image = (torch.arange(176 * 176) % 251).view(176, 176)
    >>> multiscale_structural_similarity(image, image, image).round(decimals=4)
    tensor(1., dtype=torch.float64)
    """
    return _measure(structure.multiscale_structural_similarity, fused, infrared, visible)


def fusion_artifacts(fused: Tensor, infrared: Tensor, visible: Tensor) -> Tensor:
    """Nabf: share of edge information in F that no source has.

    0..1; lower is better. Always defined. Petrovic and Xydeas 2005 as modified by Shreyamsha Kumar
    2013.

    >>> image = torch.arange(64).view(8, 8) * 3
    >>> fusion_artifacts(image, image, image)
    tensor(0., dtype=torch.float64)
    """
    return _measure(edges.fusion_artifacts, fused, infrared, visible)


def pixel_feature_mutual_information(fused: Tensor, infrared: Tensor, visible: Tensor) -> Tensor:
    """FMI-pixel: mean over 3×3 windows and sources of 2 I(X; F) / (H(X) + H(F)), of gray levels.

    0..1; higher is better. Needs three pixels a side; windows without entropy count as 0,
    equal ones as 1. Haghighat et al. 2011.

    >>> image = torch.arange(64).view(8, 8)
    >>> pixel_feature_mutual_information(image, image, image).round(decimals=4)
    tensor(1., dtype=torch.float64)
    """
    return _measure(features.pixel_mutual_information, fused, infrared, visible)


def gradient_feature_mutual_information(fused: Tensor, infrared: Tensor, visible: Tensor) -> Tensor:
    """FMI-gradient: as FMI-pixel, of the horizontal gradient (central differences).

    0..1; higher is better. Needs three pixels a side; windows without entropy count as 0,
    equal ones as 1. Haghighat et al. 2011.

    >>> image = torch.arange(64).view(8, 8)
    >>> gradient_feature_mutual_information(image, image, image).round(decimals=4)
    tensor(1., dtype=torch.float64)
    """
    return _measure(features.gradient_mutual_information, fused, infrared, visible)


def contrast_preservation(fused: Tensor, infrared: Tensor, visible: Tensor) -> Tensor:
    """Qcb: masked contrast kept, as the eye sees it, weighted by saliency.

    0..1; higher is better. NaN where an image is constant. Chen and Blum 2009.

    >>> image = torch.arange(64).view(8, 8)
    >>> contrast_preservation(image, image, image).round(decimals=4)
    tensor(1., dtype=torch.float64)
    """
    return _measure(perception.contrast_preservation, fused, infrared, visible)


def perceived_difference(fused: Tensor, infrared: Tensor, visible: Tensor) -> Tensor:
    """Qcv: squared error of F as the eye sees it, in 16×16 blocks weighted by saliency.

    0 or more; lower is better. NaN where an image is constant. Chen and Varshney 2007.

    >>> image = torch.arange(64).view(8, 8)
    >>> perceived_difference(image, image, image)
    tensor(0., dtype=torch.float64)
    """
    return _measure(perception.perceived_difference, fused, infrared, visible)


def _measure(
    metric: Callable[[Triplet], Tensor], fused: Tensor, infrared: Tensor, visible: Tensor
) -> Tensor:
    images = (fused, infrared, visible)
    if all(image.dim() == 2 for image in images):
        return metric(Triplet(*(image[None, None] for image in images))).squeeze(0)
    return metric(Triplet(*images))
