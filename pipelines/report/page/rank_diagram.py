"""Critical-difference diagrams: mean ranks on an axis, bars over those that do not differ."""

from collections.abc import Callable, Iterator, Sequence
from math import ceil

from pipelines.report.page import svg
from pipelines.report.page.ranks import Ranks


def critical_difference(dataset: str, ranks: Ranks) -> str:
    """The better half of the methods on the left-hand side, the others on the right-hand side."""
    means = ranks.means
    order = sorted(means, key=means.__getitem__)
    highest = len(order)
    left, across = 60 + svg.text_width(map(svg.short_name, order)), max(160.0, 15.0 * highest)
    groups = _cliques([means[m] for m in order], ranks.difference)

    def place(rank: float) -> float:
        return left + (rank - 1) / (highest - 1) * across

    top = 62.0
    parts = [svg.text(8, 16, f"{dataset}: Friedman p = {ranks.p:.2g}", css="name")]
    parts += _rank_axis(highest, ranks.difference, place, top)
    for index, (first, last) in enumerate(groups):
        y = top + 8 + 8 * index
        ends = place(means[order[first]]) - 3, place(means[order[last]]) + 3
        parts.append(f'<path class="clique" d="M{ends[0]:.1f} {y:.1f}H{ends[1]:.1f}"/>')
    base, line, rows = top + 20 + 8 * len(groups), 18.0, (highest + 1) // 2
    for index, method in enumerate(order):
        right = index >= rows
        y = base + line * (highest - 1 - index if right else index)
        edge = left + across + 8 if right else left - 8
        path = f"M{place(means[method]):.1f} {top}V{y:.1f}H{edge:.1f}"
        parts.append(f'<path class="axis" d="{path}"/>')
        words = f"{means[method]:.2f}", svg.short_name(method)
        shown, anchor = "  ".join(words if right else words[::-1]), "start" if right else "end"
        parts.append(svg.text(edge + (4 if right else -4), y + 4, shown, anchor, "label"))
    alt = f"Mean ranks on {dataset}: " + ", ".join(f"{m} {means[m]:.2f}" for m in order)
    return svg.picture(2 * left + across, base + line * rows + 4, parts, alt)


def _rank_axis(
    highest: int, difference: float, place: Callable[[float], float], top: float
) -> Iterator[str]:
    """The axis of ranks, above it the critical difference."""
    yield f'<path class="axis" d="M{place(1):.1f} {top}H{place(highest):.1f}"/>'
    every = ceil(highest / 12)
    for rank in range(1, highest + 1):
        yield f'<path class="axis" d="M{place(rank):.1f} {top}v-5"/>'
        if (rank - 1) % every == 0:
            yield svg.text(place(rank), top - 9, str(rank), "middle", "tick")
    end = place(1 + difference)
    yield f'<path class="cd" d="M{place(1):.1f} 31H{end:.1f}m0 -4v8M{place(1):.1f} 27v8"/>'
    yield svg.text(min(end, place(highest)) + 6, 35, f"CD = {difference:.2f}", css="tick")


def _cliques(means: Sequence[float], difference: float) -> list[tuple[int, int]]:
    """First and last index of the longest runs that span less than the critical difference."""
    found: list[tuple[int, int]] = []
    for first, low in enumerate(means):
        last = max(i for i, mean in enumerate(means) if mean - low <= difference)
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found
