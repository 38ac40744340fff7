"""Stage: everything measured, and the images -> the report as a page."""

from pipelines import params
from pipelines.paths import RESULTS
from pipelines.report.board import read_board
from pipelines.report.costs import read_costs
from pipelines.report.page.pipeline import write_page
from pipelines.report.tables import read_results


def main() -> None:
    """Write the page with its images into results/report."""
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
    costs = read_costs(settings.methods.values(), settings.fuse_on)
    write_page(settings, read_results(RESULTS, board, costs))
