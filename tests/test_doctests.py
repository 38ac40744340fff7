"""The examples in the documentation of the public API print what they say."""

import doctest
from importlib import import_module

import pytest
import torch

MODULES = [
    "detection.boxes",
    "fusion.alignment.control_points",
    "fusion.alignment.orientation",
    "fusion.alignment.rig",
    "fusion.alignment.transforms",
    "fusion.images.color",
    "fusion.images.decode",
    "fusion.images.pairs",
    "fusion.images.panels",
    "fusion.images.prepared",
    "fusion.inference.fuse",
    "fusion.inference.pretrained",
    "fusion.metrics.functional",
    "fusion.metrics.registry",
    "fusion.metrics.temporal",
    "pipelines.datasets.prepare",
    "pipelines.datasets.splits",
    "pipelines.report.markdown",
    "segmentation.confusion",
]
"""Modules with examples; add yours. `torch` is imported, and `folder` is an empty folder."""


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name, tmp_path):
    module = import_module(name)
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    known = {"torch": torch, "folder": tmp_path}
    failed, attempted = doctest.testmod(module, extraglobs=known, optionflags=options)
    assert attempted, "no example was found"
    assert not failed
