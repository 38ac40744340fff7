"""The leaderboard as the page shows it: groups of columns, cells with their details."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from pipelines.report.costs import RowCost
from pipelines.report.gains import worth_of
from pipelines.report.leaderboard import Column, higher_is_better
from pipelines.report.significance import as_good_as_best
from pipelines.report.tables import Results


@dataclass(frozen=True)
class Cell:
    """A value of the table.

    text: as shown; a dash where there is none.
    value: what it is sorted by.
    rank: 1 for the best, 2 for the second; 0 otherwise.
    tied: whether it cannot be told from the best.
    share: 0 (worst) to 1 (best) of the column.
    detail: everything known about it, as a sentence.
    """

    text: str
    value: float | None
    detail: str
    rank: int = 0
    tied: bool = False
    share: float = 0.0


@dataclass(frozen=True)
class Head:
    """A column. `group` is the index of its group, `lower` says that less is better."""

    group: int
    name: str
    detail: str
    lower: bool


@dataclass(frozen=True)
class Standing:
    """A row. `trivial` marks a baseline that no method should fall behind."""

    method: str
    trivial: bool
    cells: list[Cell]


@dataclass(frozen=True)
class Standings:
    """The table; `bar` is the best trivial baseline of each column, empty without baselines."""

    groups: list[str]
    heads: list[Head]
    rows: list[Standing]
    bar: list[str]


TASKS = "Tasks"
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_COSTS = (
    ("parameters", "learned values of the networks"),
    ("GFLOP", "10⁹ floating-point operations for a pair of 480×640 pixels"),
    ("ms", "milliseconds to fuse a pair of 480×640 pixels, without reading and writing files"),
    ("training min", "minutes of training, all phases"),
)


def standings(results: Results, trivial: Collection[str]) -> Standings:
    """Arrange the leaderboard: tasks, costs, fusion metrics by data set."""
    table = results.table
    datasets = list(dict.fromkeys(dataset for dataset, _ in table.fusion))
    groups: list[str] = []
    heads: list[Head] = []
    columns: list[dict[str, Cell]] = []
    bars: list[str] = []

    def add(title: str, members: Sequence[Column]) -> None:
        for column in members:
            name = " ".join(column) if title == TASKS else column[1]
            lower = not higher_is_better(column)
            heads.append(Head(len(groups), name, _explained(column), lower))
            columns.append(_column(results, column, ties.get(column, frozenset())))
            bars.append(_bar(results, column, trivial))
        groups.append(title)

    ties = as_good_as_best(table, results.tests)
    if table.downstream:
        add(TASKS, table.downstream)
    if any(cost != RowCost() for cost in results.costs.values()):
        heads += [Head(len(groups), name, detail, lower=True) for name, detail in _COSTS]
        columns += _costs(results)
        bars += [""] * len(_COSTS)
        groups.append("Cost")
    for dataset in datasets:
        add(f"Fusion, {dataset}", [column for column in table.fusion if column[0] == dataset])
    rows = [
        Standing(method, method in trivial, [column[method] for column in columns])
        for method in table.rows
    ]
    return Standings(groups, heads, rows, bars if 0 < len(trivial) < len(rows) else [])


def number(value: float) -> str:
    """Three digits after the point, two from ten on, one from a hundred on."""
    return f"{value:.{3 if abs(value) < 10 else 2 if abs(value) < 100 else 1}f}"


def _explained(column: Column) -> str:
    better = "higher is better" if higher_is_better(column) else "lower is better"
    return f"{column[1]} on {column[0]}, {better}"


def _column(results: Results, column: Column, tied: Collection[str]) -> dict[str, Cell]:
    values = {method: row[column] for method, row in results.table.rows.items()}
    ranks, shares = _ranked(values, higher_is_better(column))
    cells = {}
    for method, value in values.items():
        if isnan(value):
            cells[method] = Cell("–", None, f"{method}: no value of {_explained(column)}")
            continue
        spread = results.table.spreads.get(column, {}).get(method)
        text = number(value) + ("" if spread is None else f" ± {spread:.3f}")
        told = ", not significantly different from the best" if method in tied else ""
        detail = f"{method}, {' '.join(column)}: {value:.6g}{told}"
        detail += "".join(f"; {fact}" for fact in _facts(results, column, method))
        cells[method] = Cell(
            text, value, detail, ranks.get(method, 0), method in tied, shares[method]
        )
    return cells


def _ranked(values: Mapping[str, float], higher: bool) -> tuple[dict[str, int], dict[str, float]]:
    """The places 1 and 2, ties sharing one, and every value's share of the column's range."""
    known = {method: value for method, value in values.items() if not isnan(value)}
    best_first = sorted(set(known.values()), reverse=higher)
    places = {value: place for place, value in enumerate(best_first[:2], start=1)}
    low, high = (min(known.values()), max(known.values())) if known else (0.0, 0.0)
    span = high - low
    shares = {
        method: 0.0 if not span else (value - low) / span if higher else (high - value) / span
        for method, value in known.items()
    }
    ranks = {method: places[value] for method, value in known.items() if value in places}
    return (ranks if len(known) > 1 else {}), {method: round(s, 2) for method, s in shares.items()}


def _facts(results: Results, column: Column, method: str) -> Iterator[str]:
    """What is known of a value besides: interval, seeds, number of images."""
    dataset, quantity = column
    board = results.board
    measured = board.fusion.get(dataset, {}).get(method)
    if measured and quantity in measured.summary.metrics:
        metric = measured.summary.metrics[quantity]
        if metric.low is not None and metric.high is not None:
            yield f"95 % interval {metric.low:.4g} to {metric.high:.4g}"
        yield f"{measured.summary.images - metric.undefined} images"
        return
    task = board.segmentation if quantity == "mIoU" else board.detection
    runs = task.get(dataset, {}).get(method)
    if runs:
        seeds = list(runs)
        yield f"training seeds {', '.join(map(str, seeds))}" if len(seeds) > 1 else "one seed"
    yield from _gain(results, column, method)


def _gain(results: Results, column: Column, method: str) -> Iterator[str]:
    gains = results.gains
    here = (gains["dataset"] == column[0]) & (gains["score"] == column[1])
    found = gains[here & (gains["method"] == method)]
    for row in found.to_dict("records"):
        yield (
            f"{row['difference']:+.3f} against visible "
            f"(95 % interval {row['low']:+.3f} to {row['high']:+.3f}; {worth_of(row['seeds'])})"
        )


def _bar(results: Results, column: Column, trivial: Collection[str]) -> str:
    known = [name for name in results.table.rows if name in trivial]
    method = results.table.best(column, known) if known else None
    return "–" if method is None else f"{number(results.table.rows[method][column])} {method}"


def _costs(results: Results) -> list[dict[str, Cell]]:
    costs = results.costs
    columns: list[dict[str, Cell]] = []
    for name, unit, values in (
        ("parameters", "", {m: c.parameters for m, c in costs.items()}),
        ("GFLOP", "", {m: c.gflop for m, c in costs.items()}),
        ("time", " ms", {m: c.milliseconds for m, c in costs.items()}),
        ("training", " min", {m: c.minutes for m, c in costs.items()}),
    ):
        columns.append(
            {
                method: _cost(method, name, unit, value, costs[method])
                for method, value in values.items()
            }
        )
    return columns


def _cost(method: str, name: str, unit: str, value: float | None, cost: RowCost) -> Cell:
    if value is None:
        why = cost.note or "not measured"
        return Cell("–", None, f"{method}, {name}: {why}")
    where = {
        "time": f"; {cost.device}, {cost.threads} threads, {cost.precision}",
        "training": f"; {cost.trained_on}",
    }.get(name, "")
    text = f"{value:.0f}" if name == "time" and value >= 100 else short(value)
    return Cell(text, value, f"{method}, {name}: {value:,.10g}{unit}{where}")


def short(value: float) -> str:
    """Three digits, from 10 000 on with a unit prefix; smaller whole numbers in full.

    >>> short(98_647_381), short(0.0664), short(0), short(2.996), short(1234)
    ('98.6 M', '0.0664', '0', '3.00', '1234')
    """
    if abs(value) < 1e4:
        return f"{value:.0f}" if abs(value) >= 1e3 or value == int(value) else _three(value)
    limit, prefix = next(found for found in _PREFIXES if abs(value) >= found[0])
    return f"{_three(value / limit)} {prefix}"


def _three(value: float) -> str:
    return f"{value:#.3g}".rstrip(".")
