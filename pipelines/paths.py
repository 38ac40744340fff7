"""Where stages keep what they write, relative to the project's root."""

import shutil
from pathlib import Path

SAMPLE = Path("data/sample")
PREPARED = Path("data/prepared")
TRAINING_PAIRS = Path("data/train")
TEACHERS = Path("data/teachers")
MODELS = Path("models")
FUSED = Path("fused")
SCORES = Path("scores")
COSTS = Path("costs")
PLOTS = Path("plots")
PICTURES = Path("pictures")
RUNS = Path("runs")
WEIGHTS = Path("weights")
RESULTS = Path("results")
PAGE = RESULTS / "report"
WRITTEN = (PREPARED, TRAINING_PAIRS, TEACHERS, FUSED, RUNS)
"""Folders of images that stages write."""


def empty(folder: Path) -> None:
    """Create an empty folder; earlier content is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
