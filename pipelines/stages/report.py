"""Stage: all scores -> the leaderboard and what its differences are worth."""

from fusion.core.protocol import Protocol
from pipelines import params
from pipelines.paths import RESULTS
from pipelines.report.board import board_of
from pipelines.report.comparability import require_comparable
from pipelines.report.costs import read_costs
from pipelines.report.markdown import to_markdown
from pipelines.report.notes import notes
from pipelines.report.tables import assess, write_results


def main() -> None:
    """Write the leaderboard as CSV, Markdown and metrics, and the tables of comparisons."""
    settings = params.load()
    board = board_of(settings)
    present = {"detect": lambda: _detected_by(settings), "segment": lambda: _segmented_by(settings)}
    require_comparable(board, present)
    results = assess(board, read_costs(settings.methods.values(), settings.fuse_on))
    text = to_markdown(
        results, settings.trivial(), notes(board, settings.precomputed(), settings.unfused())
    )
    write_results(RESULTS, results, text)
    print(text)


def _detected_by(settings: params.Params) -> Protocol:
    from detection.protocol import conditions  # imports torch, which the report never needs else

    return conditions(settings.detection, settings.runtime)


def _segmented_by(settings: params.Params) -> Protocol:
    from segmentation.protocol import conditions

    return conditions(settings.segmentation, settings.runtime)
