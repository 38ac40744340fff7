"""Stage: all scores -> the leaderboard and what its differences are worth."""

import json
from pathlib import Path

from detection.protocol import conditions as detected_by
from pipelines import params
from pipelines.entry import run
from pipelines.paths import SCORES
from pipelines.report.day_night import day_night
from pipelines.report.gains import task_differences
from pipelines.report.leaderboard import Leaderboard, collect
from pipelines.report.markdown import to_markdown
from pipelines.report.notes import absent_classes, precomputed_rows
from pipelines.report.significance import agreement, as_good_as_best, significance
from segmentation.protocol import conditions as segmented_by

RESULTS = Path("results")


def main() -> None:
    """Write the leaderboard as CSV, Markdown and metrics, and the tables of comparisons."""
    settings = params.load()
    board = collect(
        SCORES,
        settings.methods,
        settings.fuse_on,
        settings.detect_on,
        settings.segment_on,
        settings.has_images,
        {
            "detect": lambda: (
                detected_by(settings.detection, settings.runtime)
                | {"seeds": settings.detection.seeds}
            ),
            "segment": lambda: (
                segmented_by(settings.segmentation, settings.runtime)
                | {"seeds": settings.segmentation.seeds}
            ),
        },
    )
    board.conditions.extend(notes_of(settings, board))
    tests, ranks = significance(board), agreement(board)
    gains = task_differences(SCORES, settings.methods, settings.detect_on, settings.segment_on)
    parts = day_night(SCORES, settings.methods, settings.detect_on, settings.segment_on)
    text = to_markdown(
        board, as_good_as_best(board, tests), ranks, gains, parts, settings.trivial()
    )
    write_board(RESULTS, board, text)
    for name, table in (
        ("leaderboard_long", board.to_long()),
        ("significance", tests),
        ("rank_agreement", ranks),
        ("task_differences", gains),
        ("day_night", parts),
    ):
        table.to_csv(RESULTS / f"{name}.csv", index=False, float_format="%.6g")
    print(text)


def write_board(folder: Path, board: Leaderboard, text: str) -> None:
    """Write the leaderboard as CSV, `text` and metrics."""
    folder.mkdir(exist_ok=True)
    contents = {
        "leaderboard.csv": board.to_csv(),
        "leaderboard.md": text,
        "metrics.json": json.dumps(board.to_metrics(), indent=2) + "\n",
    }
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")


def notes_of(settings: params.Params, board: Leaderboard) -> list[str]:
    """Classes without a value, and how images that others fused came in."""
    return [
        *absent_classes(SCORES, list(settings.methods), settings.detect_on, settings.segment_on),
        *precomputed_rows(board.ranges, settings.precomputed(), settings.fusion.stretch),
    ]


if __name__ == "__main__":
    run(main)
