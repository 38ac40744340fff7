"""Imports what commands import late, so that the processes that fork from here start at once."""

from importlib import import_module

from fusion import methods

SLOW = (
    "av",
    "cv2",
    "dvc.utils.hydra",
    "fusion.inference.video",
    "onnx",
    "onnxruntime",
    "pandas",
    "pipelines.cli",
    "pipelines.compose",
    "pipelines.datasets.prepare",
    "pipelines.preflight",
    "pipelines.stages.segment",
    "pipelines.stages.train",
    "rich.table",
    "segmentation.named_weights",
    "torch",
)

for _name in SLOW:
    import_module(_name)
for _kind in methods.names():
    methods.get(_kind)
