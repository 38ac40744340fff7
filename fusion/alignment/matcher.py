"""Transforms from the points that a learned matcher finds in the pairs of a rig."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion.alignment.grid import Gray, View
from fusion.alignment.transforms import Matrix, Points
from fusion.core.errors import InputError

FEWEST = 12
"""Matching points over all pairs that a transform needs (choice)."""

TOLERANCE = 3.0
"""Infrared pixels by which a point may differ from the transform (choice)."""

_FAILURES = (cv2.error, RuntimeError, ValueError, TypeError, LookupError, AssertionError)
"""What matchers raise, for example for an image in which they find no point."""


class MatchingError(Exception):
    """A matcher fails on a pair; the message is the matcher's own."""


class Matcher(Protocol):
    """Finds points of one image in another one; both are H×W gray, uint8."""

    def __call__(self, visible: Gray, infrared: Gray) -> tuple[Points, Points]:
        """Return N×2 visible points and the N×2 infrared points that match them.

        Raises:
            MatchingError: the matcher fails on this pair.
        """


def load_matcher(name: str, device: str = "cpu") -> Matcher:
    """A matcher of the package vismatch, which downloads the matcher's weights.

    Args:
        name: as vismatch lists it, for example "minima-roma" or "xoftr".
        device: "cpu" or "cuda".

    Raises:
        InputError: vismatch is not installed, has no such matcher, or cannot load it.
    """
    try:
        vismatch: Any = import_module("vismatch")
    except ImportError as error:
        reason = f"needs the package vismatch ({error})"
        raise InputError("--matcher", reason, "install `pomai[match]`") from error
    if name not in vismatch.available_models:
        known = ", ".join(vismatch.available_models)
        raise InputError("--matcher", f"{name} is unknown to vismatch", f"choose from {known}")
    try:
        model = vismatch.get_matcher(name, device=device)
    except (OSError, ImportError, *_FAILURES) as error:
        reason = f"{name} cannot be loaded ({error})"
        raise InputError("--matcher", reason, "check the network, or take another") from error

    def match(visible: Gray, infrared: Gray) -> tuple[Points, Points]:
        try:
            found = model(_planes(visible), _planes(infrared))
        except _FAILURES as error:
            raise MatchingError(str(error)) from error
        points = (np.asarray(found[f"matched_kpts{side}"], np.float64) for side in (0, 1))
        first, second = (side.reshape(-1, 2) for side in points)
        return first, second

    return match


def match_views(views: Sequence[View], matcher: Matcher) -> Matrix | None:
    """The homography that most points of all pairs agree on (MAGSAC++), visible to infrared.

    A pair on which the matcher fails counts as one without points.

    Returns:
        None if fewer than `FEWEST` points agree.

    Raises:
        InputError: the matcher fails on every pair.
    """
    found, failure = [], None
    for view in views:
        try:
            found.append(matcher(view.visible, view.infrared))
        except MatchingError as error:
            failure = error
    if not found:
        raise InputError("--matcher", f"fails on every pair ({failure})", "take another")
    visible, infrared = (np.concatenate(points) for points in zip(*found, strict=True))
    if len(visible) < FEWEST:
        return None
    matrix, inliers = cv2.findHomography(
        visible, infrared, cv2.USAC_MAGSAC, ransacReprojThreshold=TOLERANCE
    )
    if matrix is None or int(inliers.sum()) < FEWEST:
        return None
    return np.asarray(matrix, np.float64)


def _planes(image: Gray) -> NDArray[np.float32]:
    """3×H×W in 0..1, three equal channels."""
    return np.repeat(image[None].astype(np.float32) / 255, 3, axis=0)
