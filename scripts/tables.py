"""Writes the result tables of README.md and docs/results.md, so that nobody types them by hand.

    python -m scripts.tables sample results            # after `dvc repro`
    python -m scripts.tables night results             # after `dvc repro`
    python -m scripts.tables pairs docs/pairs          # also stretching, costs and paper
    python -m scripts.tables detection docs/detection  # after `dvc exp run -S profile=boxes …`
    python -m scripts.tables agreement docs/detection  # also after profile=boxes
    python -m scripts.tables medical docs/medical      # after `dvc exp run -S profile=medical …`
    python -m scripts.tables weights fusion/weights    # after `python -m scripts.measure_weights …`

A table replaces the text between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
"""

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from pipelines.report.day_night import ALL
from pipelines.report.gains import REFERENCE
from pipelines.report.markdown import cell, markdown_table
from scripts import comparison
from scripts.agreement import agreement_table
from scripts.runs import joined_board, read

DETECTION, SEGMENTATION = "AP@0.5", "IoU"
USUAL, TASKS = ("SD", "SF", "AG", "VIF"), ("mAP@0.5", "mIoU")
README, RESULTS = Path("README.md"), Path("docs/results.md")


class Section(StrEnum):
    """A marked table of the documentation."""

    agreement = "agreement"
    costs = "costs"
    detection = "detection"
    medical = "medical"
    night = "night"
    pairs = "pairs"
    paper = "paper"
    sample = "sample"
    stretching = "stretching"
    weights = "weights"


def main(
    section: Section,
    results: Annotated[Path, typer.Argument(help="Folder of results, or of cards.")],
    page: Annotated[Path | None, typer.Option(help="Default: the page with this table.")] = None,
) -> None:
    """Write one table into its page."""
    make = {
        Section.agreement: agreement_table,
        Section.costs: comparison.cost_table,
        Section.detection: detection_table,
        Section.medical: comparison.medical_table,
        Section.night: night_table,
        Section.pairs: comparison.metric_tables,
        Section.paper: comparison.paper_table,
        Section.sample: board_table,
        Section.stretching: comparison.stretching_table,
        Section.weights: card_table,
    }[section]
    page = page or (README if section is Section.sample else RESULTS)
    text = replace(page.read_text(encoding="utf-8"), section, make(results))
    page.write_text(text, encoding="utf-8")


def replace(text: str, name: str, content: str) -> str:
    """Returns the text with `content` between the markers of `name`.

    Raises:
        ValueError: the text lacks these markers.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page has no {begin} … {end}")
    return f"{before}{begin}\n{content}\n{end}{after}"


def board_table(results: Path) -> str:
    """The leaderboard, cut to the papers' four fusion metrics and the score of each task."""
    board = pd.read_csv(results / "leaderboard.csv", index_col="method")
    wanted = [name for name in board.columns if name.split(" ")[-1] in (*USUAL, *TASKS)]
    return _markdown(_marked({name: board[name] for name in wanted}, list(board.index)))


def card_table(folder: Path) -> str:
    """The released networks beside other methods, unstretched and stretched, from their cards."""
    cards = {path.stem: json.loads(path.read_bytes())["metrics"] for path in folder.glob("*.json")}
    rows: dict[str, dict[str, float]] = {}
    for stretching in ("unstretched", "stretched"):
        found = [item for card in cards.values() for item in card[stretching].items()]
        names = {name for _, values in found for name in values}
        for name in sorted(names, key=lambda name: (name not in cards, name)):
            rows[f"{name}, {stretching}"] = {
                f"{dataset.split(',')[0]} {metric}": values[name][metric]
                for dataset, values in found
                for metric in USUAL
                if name in values
            }
    table = pd.DataFrame.from_dict(rows, orient="index")
    shown = {name: [cell(value, best=False) for value in column] for name, column in table.items()}
    return _markdown(pd.DataFrame(shown, index=table.index))


def detection_table(results: Path) -> str:
    """mAP, its gain over the visible image, and average precision by class, day and night."""
    rows = joined_board(results)
    parts = _parts(results, DETECTION)
    gains = read(results, "task_differences.csv", "dataset", "score", "method")
    mean = next(name for name in rows.columns if name.endswith("mAP@0.5"))
    detected = [name for name in dict.fromkeys(parts["class"]) if name != ALL]
    columns = [(name, subset) for name in detected for subset in ("day", "night")]
    values = {
        "mAP@0.5": rows[mean],
        **{_title(parts, *column): _column(parts, *column) for column in columns},
    }
    shown = _marked(values, list(rows.index))
    shown.insert(1, f"gain over {REFERENCE}", [_gain(gains, method) for method in rows.index])
    return _markdown(shown)


def night_table(results: Path) -> str:
    """People (average precision) and cones (IoU), by day and at night."""
    people, cones = _parts(results, DETECTION), _parts(results, SEGMENTATION)
    wanted = [(people, "People"), (cones, "color cone")]
    values = {
        f"{_title(parts, name, subset)}, {parts['score'].iloc[0]}": _column(parts, name, subset)
        for parts, name in wanted
        for subset in ("day", "night")
    }
    return _markdown(_marked(values, list(dict.fromkeys(people["method"]))))


def _parts(results: Path, score: str) -> pd.DataFrame:
    table = read(results, "day_night.csv", "dataset", "score", "class", "subset", "method")
    return table[table["score"] == score]


def _rows(parts: pd.DataFrame, name: str, subset: str) -> pd.DataFrame:
    return parts[(parts["class"] == name) & (parts["subset"] == subset)].set_index("method")


def _column(parts: pd.DataFrame, name: str, subset: str) -> pd.Series:
    return _rows(parts, name, subset)["value"]


def _title(parts: pd.DataFrame, name: str, subset: str) -> str:
    """Class and subset; detection adds the number of objects, which may be small."""
    amount = int(_rows(parts, name, subset)["amount"].iloc[0])
    counted = f" ({amount})" if parts["score"].iloc[0] == DETECTION else ""
    return f"{name}, {subset}{counted}"


def _marked(values: dict[str, pd.Series], methods: Sequence[str]) -> pd.DataFrame:
    """Three decimals, two from ten on; the best value of a column is bold."""
    table = pd.DataFrame(values).loc[list(methods)]
    return pd.DataFrame(
        {
            name: [cell(value, best=value == column.max()) for value in column]
            for name, column in table.items()
        },
        index=table.index,
    )


def _gain(gains: pd.DataFrame, method: str) -> str:
    """Difference and interval."""
    rows = gains[(gains["method"] == method) & (gains["score"] == "mAP@0.5")]
    if rows.empty:
        return "–"
    row = rows.iloc[0]
    return f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"


def _markdown(table: pd.DataFrame) -> str:
    return markdown_table(["method", *map(str, table.columns)], table.itertuples(name=None))


if __name__ == "__main__":
    typer.run(main)
