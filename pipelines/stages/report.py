"""Stage: all scores -> the leaderboard and what its differences are worth."""

from detection.protocol import conditions as detected_by
from pipelines import params
from pipelines.paths import RESULTS
from pipelines.report.board import read_board
from pipelines.report.comparability import require_comparable
from pipelines.report.costs import read_costs
from pipelines.report.markdown import to_markdown
from pipelines.report.notes import notes
from pipelines.report.tables import assess, write_results
from segmentation.protocol import conditions as segmented_by


def main() -> None:
    """Write the leaderboard as CSV, Markdown and metrics, and the tables of comparisons."""
    settings = params.load()
    board = read_board(
        settings.methods,
        settings.fuse_on,
        settings.detect_on,
        settings.segment_on,
        settings.detect_seeds,
        settings.segment_seeds,
        settings.has_images,
    )
    present = {
        "detect": lambda: detected_by(settings.detection, settings.runtime),
        "segment": lambda: segmented_by(settings.segmentation, settings.runtime),
    }
    require_comparable(board, present)
    results = assess(board, read_costs(settings.methods.values(), settings.fuse_on))
    text = to_markdown(results, settings.trivial(), notes(board, settings.precomputed()))
    write_results(RESULTS, results, text)
    print(text)
