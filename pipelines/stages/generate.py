"""Stage: sample scenes in the official layouts of MSRS and M3FD."""

from pathlib import Path

from pipelines import params
from pipelines.datasets.sample import generate

SAMPLE = Path("data/sample")


def main() -> None:
    """Generate the embedded sample data."""
    generate(SAMPLE, params.load().sample)
