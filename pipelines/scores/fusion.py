"""Scores of the evaluate stage: fusion metrics."""

from pathlib import Path
from typing import ClassVar, Self

import pandas as pd
from pydantic import Field, InstanceOf

from fusion.core.errors import InputError
from fusion.core.files import write_text
from fusion.metrics.summary import FusionSummary, summarize
from pipelines.scores.base import REMEDY, UNREADABLE, Scores, Stage, unreadable


class FusionScores(Scores):
    """Fusion metrics of a method's test images.

    summary: means over the images, with intervals.
    stretch: whether the fused images were stretched to their full range.
    selection: how the test pairs were selected from those of the data set; None for all of them.
    images: what `fusion.metrics.folders.evaluate_pairs` returns, a row an image.
    """

    stage: ClassVar[Stage] = "evaluate"
    summary: FusionSummary
    stretch: bool
    selection: str | None = None
    images: InstanceOf[pd.DataFrame] = Field(default_factory=pd.DataFrame, exclude=True, repr=False)

    @classmethod
    def of(cls, images: pd.DataFrame, stretch: bool, selection: str | None = None) -> Self:
        """Summarize measured images."""
        summary = summarize(images)
        return cls(summary=summary, stretch=stretch, selection=selection, images=images)

    def _save_files(self, folder: Path) -> None:
        write_text(folder / "images.csv", self.images.to_csv(index=False))

    def _load_files(self, folder: Path) -> dict[str, object]:
        path = folder / "images.csv"
        try:
            # an image may be called nan.png
            images = pd.read_csv(path, dtype={"name": str}, keep_default_na=False, na_values=[""])
        except UNREADABLE as error:
            raise unreadable(path, error) from error
        missing = {"name", *self.summary.metrics} - {*images.columns}
        if missing or len(images) != self.summary.images:
            raise InputError(path, f"does not match the {self.file} beside it", REMEDY)
        return {"images": images}
