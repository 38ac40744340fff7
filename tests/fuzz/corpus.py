"""A small folder of valid inputs of every kind, and the commands that read each of them."""

import json
import shutil
from pathlib import Path

import av
import cv2
import numpy as np
from onnx import TensorProto, helper
from PIL import Image
from pydantic import TypeAdapter

from fusion.alignment.rig import Rig
from fusion.methods import get
from fusion.methods.files import save_model
from pipelines.compose import compose
from pipelines.datasets.config import DatasetConfig
from pipelines.datasets.prepare import prepare

ROOT = Path(__file__).parents[2]
NAMES = ("00001D", "00002N", "00003D", "00004N")
HEIGHT, WIDTH = 24, 32
VOC = """<annotation><size><width>32</width><height>24</height></size>
<object><name>person</name><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>12</xmax><ymax>20</ymax></bndbox>
</object></annotation>
"""
YOLO = "0 0.5 0.5 0.25 0.5\n1 0.25 0.4 0.1 0.2\n"


def build(folder: Path) -> None:
    """Write the inputs below `folder`."""
    random = np.random.default_rng(0)
    for place in ("pairs/ir", "pairs/vi", "msrs/train/ir", "msrs/train/vi", "msrs/test/ir"):
        (folder / place).mkdir(parents=True)
    for place in ("msrs/test/vi", "voc/ir", "voc/vi", "voc/labels", "yolo/ir", "yolo/vi"):
        (folder / place).mkdir(parents=True)
    for place in ("yolo/labels", "msrs/train/Segmentation_labels", "msrs/test/Segmentation_labels"):
        (folder / place).mkdir(parents=True)
    for number, name in enumerate(NAMES):
        infrared = random.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
        visible = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        label = random.integers(0, 9, (HEIGHT, WIDTH), dtype=np.uint8)
        suffix = ("png", "tif", "jpg", "bmp")[number]
        _write_pair(folder / "pairs", name, suffix, infrared, visible)
        for place in ("voc", "yolo", "msrs/train" if number < 2 else "msrs/test"):
            _write_pair(folder / place, name, "png", infrared, visible)
        split = "train" if number < 2 else "test"
        Image.fromarray(label).save(folder / f"msrs/{split}/Segmentation_labels/{name}.png")
        (folder / f"voc/labels/{name}.xml").write_text(VOC)
        (folder / f"yolo/labels/{name}.txt").write_text(YOLO)
    deep = random.integers(7000, 9000, (HEIGHT, WIDTH), dtype=np.uint16)
    cv2.imwrite(str(folder / "pairs/ir/00001D.png"), deep)
    (folder / "yolo/night.txt").write_text("00002N\n00004N\n")
    average = get("average")
    save_model(folder / "model", "average", average(average.config_class()), {})
    learned = folder / "learned"
    learned.mkdir()
    for suffix, name in (("safetensors", "weights.safetensors"), ("json", "card.json")):
        source = ROOT / f"fusion/weights/pomai-tiny.{suffix}"
        (learned / name).write_bytes(source.read_bytes())
    _write_streams(folder / "streams", random)
    _write_rig(folder)
    _write_prepared(folder)
    (folder / "network.onnx").write_bytes(_program())
    shutil.copytree(ROOT / "conf", folder / "conf")
    compose(folder / "params.yaml", ["profile=tiny", "runtime.reproducible=false"], folder / "conf")


def _write_rig(folder: Path) -> None:
    size = (HEIGHT, WIDTH)
    rig = Rig(matrix=((1, 0, 2), (0, 1, 1), (0, 0, 1)), visible=size, infrared=size)
    rig.save(folder / "rig.json")
    places = ((3, 4), (28, 5), (7, 20), (25, 18), (16, 11))
    rows = [f"{x},{y},{x + 2},{y + 1}" for x, y in places]
    (folder / "points.csv").write_text("\n".join(["vi_x,vi_y,ir_x,ir_y", *rows, ""]))


def _write_prepared(folder: Path) -> None:
    """What the stage `fuse average msrs` reads."""
    settings = {"layout": "msrs", "source": str(folder / "msrs"), "fuse": ["train", "test"]}
    config = TypeAdapter[DatasetConfig](DatasetConfig).validate_python(settings)
    prepare("msrs", config, folder / "data/prepared/msrs", folder / "data/train/msrs")
    shutil.copytree(folder / "model", folder / "models/average")


def _write_streams(folder: Path, random: np.random.Generator) -> None:
    """Six frames in deep gray, and in color in the containers that cameras write."""
    folder.mkdir()
    deep = random.integers(7000, 9000, (6, HEIGHT, WIDTH), dtype=np.uint16)
    color = random.integers(0, 256, (6, HEIGHT, WIDTH, 3), dtype=np.uint8)
    _write_video(folder / "ir.mkv", deep, "gray16le", "ffv1", "gray16le")
    _write_video(folder / "vi.mp4", color, "rgb24", "mpeg4", "yuv420p")
    _write_video(folder / "vi.avi", color, "rgb24", "mjpeg", "yuvj420p")


def _write_video(path: Path, frames: np.ndarray, given: str, codec: str, stored: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, stored
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format=given)))
        container.mux(stream.encode(None))


def _program() -> bytes:
    """The mean of two gray images as an ONNX file."""
    shape = ["batch", 1, "height", "width"]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name in ("infrared", "visible", "fused")
    ]
    node = helper.make_node("Mean", ["infrared", "visible"], ["fused"])
    graph = helper.make_graph([node], "mean", ports[:2], ports[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


def _write_pair(
    place: Path, name: str, suffix: str, infrared: np.ndarray, visible: np.ndarray
) -> None:
    Image.fromarray(infrared).save(place / f"ir/{name}.{suffix}")
    Image.fromarray(visible).save(place / f"vi/{name}.{suffix}")


FUSE = ["fuse", "--ir", "pairs/ir", "--vi", "pairs/vi", "--out", "out", "--weights", "model"]
LEARNED = ["fuse", "--ir", "voc/ir", "--vi", "voc/vi", "--out", "out", "--weights", "learned"]
PREPARE = ["prepare", "x", "--output", "out", "--layout"]
DRAWN = ["--classes", "person,car", "--fractions", "0.5", "0.25", "0.25"]
VOC_SET = [*PREPARE, "boxes", "--source", "voc", *DRAWN]
YOLO_SET = [*PREPARE, "boxes", "--source", "yolo", *DRAWN]
STREAMS = ["fuse", "--video", "--weights", "model", "--out", "out.mp4", "--ir", "streams/ir.mkv"]
ONNX = ["fuse", "--ir", "voc/ir", "--vi", "voc/vi", "--out", "out", "--weights", "network.onnx"]
ALIGN = ["align", "--ir", "voc/ir", "--vi", "voc/vi", "--out", "out"]
WATCH = ["evaluate", "--video", "--ir", "streams/ir.mkv", "--vi", "streams/vi.mp4"]
STAGE = ["stage", "fuse", "average", "msrs"]
COMMANDS = {
    "rig.json": [[*ALIGN, "--matrix", "rig.json"]],
    "points.csv": [[*ALIGN, "--points", "points.csv"]],
    "data/prepared/msrs/dataset.json": [STAGE],
    "data/prepared/msrs/test/*/*": [STAGE],
    "models/average/card.json": [STAGE],
    "pairs/ir/*": [FUSE, [*PREPARE, "pairs", "--source", "pairs"]],
    "pairs/vi/*": [
        FUSE,
        [
            "evaluate",
            "--ir",
            "pairs/ir",
            "--vi",
            "pairs/vi",
            "--fused",
            "pairs/vi",
            "--metrics",
            "SD",
        ],
    ],
    "msrs/*/Segmentation_labels/*": [[*PREPARE, "msrs", "--source", "msrs"]],
    "voc/labels/*": [VOC_SET],
    "yolo/labels/*": [YOLO_SET],
    "yolo/night.txt": [YOLO_SET],
    "model/card.json": [FUSE],
    "learned/card.json": [LEARNED],
    "learned/weights.safetensors": [LEARNED],
    "streams/ir.mkv": [[*STREAMS, "--vi", "streams/vi.mp4"]],
    "streams/vi.mp4": [[*STREAMS, "--vi", "streams/vi.mp4"]],
    "streams/vi.avi": [
        [*STREAMS, "--vi", "streams/vi.avi"],
        [*WATCH, "--fused", "streams/vi.avi"],
    ],
    "network.onnx": [ONNX],
    "params.yaml": [["check"]],
    "conf/profile/tiny.yaml": [["params", "profile=tiny", "--output", "out.yaml"]],
    "conf/config.yaml": [["params", "profile=tiny", "--output", "out.yaml"]],
}
"""Which commands read the files that a pattern matches."""


def is_text(path: Path) -> bool:
    """Whether a file of the corpus is text."""
    return path.suffix in {".csv", ".json", ".yaml", ".txt", ".xml"}


def card_of(folder: Path) -> dict[str, object]:
    """The card of the learned network."""
    return json.loads((folder / "learned/card.json").read_text())
