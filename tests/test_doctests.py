"""The examples in the documentation of the public API print what they say."""

import doctest
from importlib import import_module

import pytest
import torch

MODULES = [
    "fusion.metrics.functional",
    "fusion.metrics.registry",
    "pipelines.report.markdown",
]
"""Modules with examples; add yours. `torch` is there without an import."""


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name):
    module = import_module(name)
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed, attempted = doctest.testmod(module, extraglobs={"torch": torch}, optionflags=options)
    assert attempted, "no example was found"
    assert not failed
