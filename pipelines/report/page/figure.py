"""What a plot of the page consists of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """Charts below one title.

    legend: name the methods, where the charts do not.
    folded: shown on demand.
    """

    title: str
    caption: str
    charts: list[str]
    legend: bool = False
    folded: bool = False
