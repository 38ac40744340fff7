"""Tables of README.md from what a run of the pipeline left in `results`, never typed by hand.

    python -m benchmarks.readme boxes results      # after `dvc exp run -S profile=boxes …`
    python -m benchmarks.readme pairs results      # after `dvc exp run -S profile=pairs …`
    python -m benchmarks.readme sample results     # after `dvc repro`
    python -m benchmarks.readme night results      # after `dvc repro`
    python -m benchmarks.readme box fusion/weights     # after `python -m benchmarks.box …`

What stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->` is replaced.
"""

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from math import inf, isnan
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from pipelines.report.day_night import ALL
from pipelines.report.gains import REFERENCE

DETECTION, SEGMENTATION = "AP@0.5", "IoU"
USUAL, TASKS = ("SD", "SF", "AG", "VIF"), ("mAP@0.5", "mIoU")


class Section(StrEnum):
    """A marked place of README.md."""

    boxes = "boxes"
    night = "night"
    pairs = "pairs"
    sample = "sample"
    box = "box"


def main(
    section: Section,
    results: Annotated[Path, typer.Argument(help="What the report stage wrote, or cards.")],
    readme: Path = Path("README.md"),
) -> None:
    """Write one table into README."""
    make = {
        Section.boxes: boxes_table,
        Section.night: night_table,
        Section.pairs: board_table,
        Section.sample: board_table,
        Section.box: card_table,
    }[section]
    text = replace(readme.read_text(encoding="utf-8"), section, make(results))
    readme.write_text(text, encoding="utf-8")


def replace(text: str, name: str, content: str) -> str:
    """The text with `content` between the marks of `name`.

    Raises:
        ValueError: the text has no such marks.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"there is no {begin} … {end}")
    return f"{before}{begin}\n{content}\n{end}{after}"


def board_table(results: Path) -> str:
    """The leaderboard's usual columns: the papers' four fusion metrics and each task's score."""
    board = pd.read_csv(results / "leaderboard.csv", index_col="method")
    wanted = [name for name in board.columns if name.split(" ")[1] in (*USUAL, *TASKS)]
    return _markdown(_marked({name: board[name] for name in wanted}, list(board.index)))


def card_table(folder: Path) -> str:
    """What the networks in the box measure beside others, unstretched and stretched."""
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
    shown = {name: [_cell(value, inf) for value in column] for name, column in table.items()}
    return _markdown(pd.DataFrame(shown, index=table.index))


def boxes_table(results: Path) -> str:
    """Detection: mAP, its gain over the visible image, and classes by day and at night."""
    board = pd.read_csv(results / "leaderboard.csv", index_col="method")
    parts = _parts(results, DETECTION)
    gains = pd.read_csv(results / "task_differences.csv")
    mean = next(name for name in board.columns if name.endswith("mAP@0.5"))
    detected = [name for name in dict.fromkeys(parts["class"]) if name != ALL]
    columns = [(name, subset) for name in detected for subset in ("day", "night")]
    values = {
        "mAP@0.5": board[mean],
        **{_title(parts, *column): _column(parts, *column) for column in columns},
    }
    shown = _marked(values, list(board.index))
    shown.insert(1, f"gain over {REFERENCE}", [_gain(gains, method) for method in board.index])
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
    table = pd.read_csv(results / "day_night.csv")
    return table[table["score"] == score]


def _rows(parts: pd.DataFrame, name: str, subset: str) -> pd.DataFrame:
    return parts[(parts["class"] == name) & (parts["subset"] == subset)].set_index("method")


def _column(parts: pd.DataFrame, name: str, subset: str) -> pd.Series:
    return _rows(parts, name, subset)["value"]


def _title(parts: pd.DataFrame, name: str, subset: str) -> str:
    """Class and part; objects are counted, so that a mean over few is seen to be one."""
    amount = int(_rows(parts, name, subset)["amount"].iloc[0])
    counted = f" ({amount})" if parts["score"].iloc[0] == DETECTION else ""
    return f"{name}, {subset}{counted}"


def _marked(values: dict[str, pd.Series], methods: Sequence[str]) -> pd.DataFrame:
    """Three digits after the point, two above ten; the best of a column bold."""
    table = pd.DataFrame(values).loc[list(methods)]
    return pd.DataFrame(
        {name: [_cell(value, column.max()) for value in column] for name, column in table.items()},
        index=table.index,
    )


def _cell(value: float, best: float) -> str:
    if isnan(value):
        return "–"
    shown = f"{value:.2f}" if value >= 10 else f"{value:.3f}"
    return f"**{shown}**" if value == best else shown


def _gain(gains: pd.DataFrame, method: str) -> str:
    """Difference and interval of every seed."""
    rows = gains[(gains["method"] == method) & (gains["score"] == "mAP@0.5")]
    found = [
        f"{row.difference:+.3f} [{row.low:+.3f}, {row.high:+.3f}]" for row in rows.itertuples()
    ]
    return "<br>".join(found) or "–"


def _markdown(table: pd.DataFrame) -> str:
    def line(cells: Iterable[object]) -> str:
        return f"| {' | '.join(map(str, cells))} |"

    header = ["method", *table.columns]
    rows = [line([method, *cells]) for method, *cells in table.itertuples(name=None)]
    return "\n".join([line(header), "|---" * len(header) + "|", *rows])


if __name__ == "__main__":
    typer.run(main)
