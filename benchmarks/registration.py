"""Registration of one pair, as `benchmarks.rigs` compares it: visible to infrared pixels."""

from collections.abc import Callable
from importlib.util import find_spec

import cv2
import numpy as np

from fusion.alignment.estimate import find_jointly
from fusion.alignment.grid import Gray, View
from fusion.alignment.transforms import Matrix

ROUNDS = 200
"""Steps of an optimizer at each size."""


def by_orientation(view: View) -> Matrix:
    """The package's own method, from one pair."""
    return find_jointly([view])


def by_ecc(view: View) -> Matrix:
    """Enhanced correlation coefficient of gradient magnitudes, affine; identity where it fails."""
    strengths = [_strength(image) for image in (view.visible, view.infrared)]
    start = np.eye(2, 3, dtype=np.float32)
    until = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, ROUNDS, 1e-5)
    try:
        _, found = cv2.findTransformECC(
            *strengths, start, cv2.MOTION_AFFINE, until, inputMask=None, gaussFiltSize=5
        )
    except cv2.error:  # it does not converge
        return np.eye(3)
    return np.vstack([found, [0, 0, 1]]).astype(np.float64)


def by_information(view: View) -> Matrix:
    """Mattes mutual information of gray levels, affine, three sizes."""
    import SimpleITK as sitk  # noqa: N813

    fixed, moving = (sitk.GetImageFromArray(image.astype(np.float32)) for image in view[::-1])
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(50)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-4, ROUNDS)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SetInterpolator(sitk.sitkLinear)
    start = sitk.AffineTransform(2)
    start.SetCenter([(side - 1) / 2 for side in view.visible.shape[::-1]])
    method.SetInitialTransform(start, inPlace=True)
    try:
        method.Execute(fixed, moving)
    except RuntimeError:  # the images no longer overlap
        return np.eye(3)
    points = np.array([[0.0, 0], [1, 0], [0, 1]])
    first, right, down = (np.array(start.TransformPoint(point)) for point in points.tolist())
    return np.vstack([np.column_stack([right - first, down - first, first]), [0, 0, 1]])


METHODS: dict[str, Callable[[View], Matrix]] = {
    "gradient orientation": by_orientation,
    "ECC on gradients": by_ecc,
    "mutual information": by_information,
}


def available() -> list[str]:
    """Methods whose library is installed."""
    missing = [] if find_spec("SimpleITK") else ["mutual information"]
    return [name for name in METHODS if name not in missing]


def _strength(image: Gray) -> np.ndarray:
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 2)
    return cv2.magnitude(*(cv2.Sobel(smooth, cv2.CV_32F, *way) for way in ((1, 0), (0, 1))))
