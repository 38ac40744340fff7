"""What is said about the cost of a network is true of it."""

import pytest

from benchmarks.networks import build, measure
from tests.fusion.toys import parameters


def test_costs_are_those_of_the_networks():
    networks = {"pomai-tiny": build("pomai-tiny"), "mmdrfuse": build("mmdrfuse")}
    rows = measure(networks, rounds=1, height=32, width=48)
    assert rows["pomai-tiny"]["ratio"] == 1
    assert rows["mmdrfuse"]["ratio"] < 1
    assert rows["mmdrfuse"]["parameters"] == parameters(networks["mmdrfuse"]) == 113
    # its convolutions have 108 weights: one multiplication and one addition each, at every pixel
    assert rows["mmdrfuse"]["gflop"] == pytest.approx(2 * 108 * 32 * 48 / 1e9, rel=1e-3)
