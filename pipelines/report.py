"""Stage: all scores -> the leaderboard."""

import json
from pathlib import Path

from pipelines import params
from pipelines.leaderboard import collect
from pipelines.stage import SCORES, run

RESULTS = Path("results")


def main() -> None:
    """Write results/leaderboard.csv, .md, metrics.json and the table behind the bar chart."""
    settings = params.load()
    board = collect(
        SCORES, settings.methods, settings.fuse_on, settings.detect_on, settings.segment_on
    )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "leaderboard.csv").write_text(board.to_csv())
    (RESULTS / "leaderboard.md").write_text(board.to_markdown())
    (RESULTS / "metrics.json").write_text(json.dumps(board.to_metrics(), indent=2) + "\n")
    long = RESULTS / "leaderboard_long.csv"
    board.to_long().to_csv(long, index=False, float_format="%.6g")
    print(board.to_markdown())


if __name__ == "__main__":
    run(main)
