"""Control points: the same places in an infrared and a visible image, in a CSV file."""

import csv
import io
import math
from pathlib import Path

import numpy as np

from fusion.alignment.transforms import Points
from fusion.core.errors import InputError
from fusion.core.files import read_bytes

COLUMNS = ("vi_x", "vi_y", "ir_x", "ir_y")
"""Columns of the file: pixels, (0, 0) is the center of the first one. Others are ignored."""

FEWEST = 3
"""Points that a transform and its errors need."""

LARGEST_FILE = 1 << 20


def read_points(path: Path) -> tuple[Points, Points]:
    """Read N×2 visible and N×2 infrared points.

    Raises:
        InputError: the file is missing, not such a table, or has fewer than `FEWEST` points.

    >>> table = "vi_x,vi_y,ir_x,ir_y\\n" + "10,20,14,20\\n" * 3
    >>> _ = (folder / "points.csv").write_text(table)
    >>> visible, infrared = read_points(folder / "points.csv")
    >>> (infrared - visible)[0].tolist()
    [4.0, 0.0]
    """
    try:
        text = read_bytes(path, LARGEST_FILE).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(path, "is not a text file", "save it as CSV in UTF-8") from error
    try:
        names, *rows = csv.reader(io.StringIO(text), strict=True)
    except ValueError:
        names, rows = [], []  # an empty file
    except csv.Error as error:
        raise InputError(path, f"is not a CSV file ({error})", "save it as CSV") from error
    names = [name.strip() for name in names]
    if missing := [name for name in COLUMNS if name not in names]:
        remedy = f"its first line must name {', '.join(COLUMNS)}, separated by commas"
        raise InputError(path, f"has no column {', '.join(missing)}", remedy)
    table = [
        _numbers(path, line, dict(zip(names, row, strict=False)))
        for line, row in enumerate(rows, start=2)
        if row
    ]
    if len(table) < FEWEST:
        remedy = f"give at least {FEWEST}, better 8 or more spread over the image"
        raise InputError(path, f"has {len(table)} points", remedy)
    points = np.array(table, np.float64)
    return points[:, :2], points[:, 2:]


def _numbers(path: Path, line: int, row: dict[str, str]) -> list[float]:
    try:
        values = [float(row.get(name, "")) for name in COLUMNS]
    except ValueError as error:
        raise InputError(path, f"has no four numbers in line {line}", "correct it") from error
    if not all(map(math.isfinite, values)):
        raise InputError(path, f"has a number that is not finite in line {line}", "correct it")
    return values
