"""Stage: everything measured, and the images -> the report as a page."""

from pipelines import params
from pipelines.paths import RESULTS
from pipelines.report.board import board_of
from pipelines.report.costs import read_costs
from pipelines.report.page.pipeline_page import write_page
from pipelines.report.tables import read_results


def main() -> None:
    """Write the page with its images into results/report."""
    settings = params.load()
    board = board_of(settings)
    costs = read_costs(settings.methods.values(), settings.fuse_on)
    write_page(settings, read_results(RESULTS, board, costs))
