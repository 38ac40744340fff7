"""The fixed transform of a rig of two cameras: its file, and how it is applied to pairs."""

import json
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from fusion.alignment.transforms import Matrix, inverse
from fusion.alignment.warp import Area, common_area, warp
from fusion.core.config import Config
from fusion.core.errors import InputError, own_words
from fusion.core.files import read_bytes, write_bytes

Which = Literal["visible", "infrared"]
"""The camera whose pixels are kept; the other image is resampled on them."""

_Number = Annotated[float, Field(strict=False)]  # JSON may hold whole numbers
_Row = Annotated[tuple[_Number, _Number, _Number], Field(strict=False)]
_Rows = Annotated[tuple[_Row, _Row, _Row], Field(strict=False)]
_Side = Annotated[int, Field(ge=16, le=2**16)]
_Size = Annotated[tuple[_Side, _Side], Field(strict=False)]

LARGEST_FILE = 1 << 20


class Rig(Config):
    """How the pixels of two fixed cameras correspond.

    Attributes:
        matrix: homography from visible pixels to infrared ones, (x, y) of pixel centers.
        visible: height and width of the visible images.
        infrared: height and width of the infrared images.
        source: how the matrix was found.

    >>> rig = Rig(matrix=((1, 0, 4), (0, 1, 0), (0, 0, 1)), visible=(60, 80), infrared=(60, 80))
    >>> rig.save(folder / "rig.json")
    >>> rig.area("visible")
    Area(left=0, top=0, width=76, height=60)
    >>> Rig.load(folder / "rig.json") == rig
    True
    """

    matrix: _Rows
    visible: _Size
    infrared: _Size
    source: str = ""

    @model_validator(mode="after")
    def _can_be_applied(self) -> Self:
        if np.linalg.matrix_rank(self.array, tol=1e-12) < 3:
            raise ValueError("matrix has no inverse")
        if common_area(self.array, self.visible, self.infrared) is None:
            raise ValueError("by its matrix the two images have no common area of 16 pixels")
        return self

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a rig's JSON file.

        Raises:
            InputError: it is missing, or does not describe a rig.
        """
        try:
            return cls.model_validate_json(read_bytes(path, LARGEST_FILE))
        except ValidationError as error:
            first = error.errors()[0]
            where = f"{'.'.join(map(str, first['loc']))}: " if first["loc"] else ""
            reason = f"does not describe a rig ({where}{own_words(first['msg'])})"
            raise InputError(path, reason, "write it with `pomai align`") from error

    def save(self, path: Path) -> None:
        """Write the rig as JSON."""
        write_bytes(path, f"{json.dumps(self.model_dump(), indent=1)}\n".encode())

    @property
    def array(self) -> Matrix:
        """The matrix as an array."""
        return np.array(self.matrix, np.float64)

    def area(self, grid: Which) -> Area:
        """The largest rectangle that both images show, in pixels of one of them.

        Raises:
            ValueError: in the pixels of the infrared image, they share less than 16.
        """
        if grid == "visible":
            found = common_area(self.array, self.visible, self.infrared)
        else:
            found = common_area(inverse(self.array), self.infrared, self.visible)
        if found is None:
            raise ValueError(f"the images share less than 16 {grid} pixels")
        return found

    def apply(
        self,
        infrared: NDArray[np.uint8],
        visible: NDArray[np.uint8],
        grid: Which = "visible",
        area: Area | None = None,
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Make a pair of one size: one image is cropped, the other one resampled.

        Args:
            infrared: uint8 gray, of the rig's size.
            visible: uint8 gray H×W or RGB H×W×3, of the rig's size.
            grid: the image that is only cropped.
            area: what `area` returns for this grid; give it if you have many pairs.

        Raises:
            ValueError: as `area`.
        """
        area = area or self.area(grid)
        rows = slice(area.top, area.top + area.height)
        columns = slice(area.left, area.left + area.width)
        if grid == "visible":
            return warp(infrared, self.array, area), visible[rows, columns]
        return infrared[rows, columns], warp(visible, inverse(self.array), area)
