"""Imports what commands import late, so that the processes that fork from here start at once."""

import cv2  # noqa: F401
import dvc.utils.hydra  # noqa: F401
import pandas  # noqa: F401
import rich.table  # noqa: F401
import torch  # noqa: F401

import pipelines.cli
import pipelines.compose
import pipelines.datasets.prepare
import pipelines.params  # noqa: F401
from fusion import methods

for _kind in methods.names():
    methods.get(_kind)
