"""The page's HTML, with style sheet and script inside."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from fusion.core.errors import InputError
from fusion.core.files import write_text
from pipelines.datasets.replace import replacing
from pipelines.report.page import svg
from pipelines.report.page.figure import Figure
from pipelines.report.page.gallery import Gallery
from pipelines.report.page.standings import Standings

PAGE = "index.html"
_GENERATOR = b'<meta name="generator" content="pomai">'
_ASSETS = files("pipelines.report.page") / "assets"


@dataclass(frozen=True)
class Facts:
    """How it was measured.

    summary: label and value, a line each.
    datasets: one row a data set, for a table.
    notes: sentences.
    settings: params.yaml as it was composed; empty if there is none.
    """

    summary: list[tuple[str, str]] = field(default_factory=list)
    datasets: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: list[str] = field(default_factory=list)
    settings: str = ""


@dataclass(frozen=True)
class Content:
    """Everything on the page.

    title, subtitle: its heading.
    tables: title and table, shown below the plots on demand.
    """

    title: str
    subtitle: str
    standings: Standings
    galleries: Sequence[Gallery]
    figures: Sequence[Figure] = ()
    tables: Sequence[tuple[str, pd.DataFrame]] = ()
    facts: Facts = field(default_factory=Facts)


def render(content: Content) -> str:
    """The HTML; equal contents give equal bytes. Names are text, whatever characters they have."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["json"] = _json
    environment.filters["data_table"] = _data_table
    environment.filters["code"] = _code
    template = environment.from_string(_asset("page.html.jinja"))
    return template.render(
        page=content,
        style=Markup(_asset("page.css")),  # noqa: S704 - a file of this package
        script=Markup(_asset("page.js")),  # noqa: S704
        marks=[svg.mark(index) for index in range(len(content.standings.rows))],
        markup=Markup,
    )


class PageFolder:
    """A folder that is complete or does not change: written elsewhere first, then renamed.

    Args:
        folder: the folder of the page; an earlier page there is replaced when this one is finished.

    Raises:
        InputError: the folder holds something else than a page, or its parent does not exist.
    """

    def __init__(self, folder: Path) -> None:
        folder = folder.absolute()
        _require_replaceable(folder)
        self._replacing = replacing(folder)

    def __enter__(self) -> "PageFolder":
        (self.path,) = self._replacing.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._replacing.__exit__(kind, error, trace)

    def write(self, content: Content) -> None:
        """Write the page; its images are there already."""
        write_text(self.path / PAGE, render(content))


def _require_replaceable(folder: Path) -> None:
    if not folder.parent.is_dir():
        reason = "cannot be made: its parent folder does not exist"
        raise InputError(folder, reason, "make the parent folder first")
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    page = folder / PAGE
    if not page.is_file() or _GENERATOR not in page.read_bytes()[:2048]:
        raise InputError(folder, "exists and is not a page of pomai", "give a new folder")


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _json(value: Any) -> Markup:
    """JSON for a script element, in which `<` could end it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def _code(text: str) -> Markup:
    """Text in which what is between backticks is code."""
    plain, code = Markup("{}"), Markup("<code>{}</code>")
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return plain.format(text)
    return Markup().join((code if i % 2 else plain).format(part) for i, part in enumerate(parts))


def _data_table(table: pd.DataFrame) -> list[list[str]]:
    """Cells as text; numbers with four digits, undefined values as a dash."""
    return [[_cell(value) for value in row] for row in table.itertuples(index=False)]


def _cell(value: object) -> str:
    if value is None or value is pd.NA or value != value:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
