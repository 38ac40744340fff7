"""Imports what commands import late, so that the processes that fork from here start at once."""

import av  # noqa: F401
import cv2  # noqa: F401
import dvc.utils.hydra  # noqa: F401
import onnx  # noqa: F401
import onnxruntime  # noqa: F401
import pandas  # noqa: F401
import rich.table  # noqa: F401
import torch  # noqa: F401

import fusion.inference.video  # noqa: F401
import pipelines.cli
import pipelines.compose
import pipelines.datasets.prepare
import pipelines.params
import pipelines.preflight  # noqa: F401
import segmentation.named_weights  # noqa: F401
from fusion import methods

for _kind in methods.names():
    methods.get(_kind)
