"""Time of preparing a set of generated pairs, by this code and by another version of it.

The pairs are in the layout `m3fd`: infrared as RGB PNG with equal channels, visible as RGB PNG,
boxes as VOC XML. Each run is a process of its own; versions take turns, so that a busy machine
slows all of them alike, and the fastest run of each counts. On a busy machine compare the CPU time.

    python -m benchmarks.prepare --other /path/to/another/checkout
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

PREPARE = """
import sys, time
from pathlib import Path
from pipelines.datasets import config, prepare
from pydantic import TypeAdapter
source, output, split = sys.argv[1:]
values = {"layout": "m3fd", "source": source, "split": split}
settings = TypeAdapter(config.DatasetConfig).validate_python(values)
folders = [Path(output) / kind / "set" for kind in ("prepared", "train")]
wall, busy = time.perf_counter(), time.process_time()
prepare.prepare("set", settings, *folders, train_fusion=True)
print(time.perf_counter() - wall, time.process_time() - busy)
"""


def write_pairs(folder: Path, count: int, width: int, height: int) -> None:
    """Write smooth random scenes with some noise: they compress as camera images do."""
    for kind in ("Ir", "Vis", "Annotation"):
        (folder / kind).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        coarse = rng.uniform(0, 255, (6, 8, 3)).astype(np.float32)
        scene = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        visible = (scene + rng.normal(0, 4, scene.shape)).clip(0, 255).astype(np.uint8)
        infrared = np.repeat(255 - visible[..., :1], 3, axis=2)
        cv2.imwrite(str(folder / "Ir" / f"{index:05d}.png"), infrared)
        cv2.imwrite(str(folder / "Vis" / f"{index:05d}.png"), visible)
        box = "<xmin>4</xmin><ymin>4</ymin><xmax>40</xmax><ymax>60</ymax>"
        item = f"<object><name>Car</name><bndbox>{box}</bndbox></object>"
        text = f"<annotation>{item}</annotation>"
        (folder / "Annotation" / f"{index:05d}.xml").write_text(text)


def seconds(checkout: Path, source: Path, split: str) -> tuple[float, float]:
    """Wall and CPU time of one run of one version in a new process and folder."""
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-c", PREPARE, str(source), output, split]
        done = subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True)
    wall, busy = map(float, done.stdout.split())
    return wall, busy


def main(
    other: Annotated[Path | None, typer.Option(help="Another checkout to compare with.")] = None,
    runs: Annotated[int, typer.Option(help="Runs of each version.")] = 3,
) -> None:
    """Print the times as JSON."""
    versions = {"this": Path.cwd()} | ({"other": other.resolve()} if other else {})
    results: list[dict[str, object]] = []
    for count, width, height in ((1000, 160, 128), (1000, 640, 480)):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "raw"
            write_pairs(source, count, width, height)
            for split in ("random", "grouped"):
                times: dict[str, list[tuple[float, float]]] = {name: [] for name in versions}
                for _ in range(runs):
                    for name, checkout in versions.items():
                        times[name].append(seconds(checkout, source, split))
                point: dict[str, object] = {
                    "pairs": count,
                    "size": f"{width}x{height}",
                    "split": split,
                }
                for index, kind in enumerate(("seconds", "cpu_seconds")):
                    point[kind] = {
                        name: round(min(run[index] for run in measured), 3)
                        for name, measured in times.items()
                    }
                results.append(point)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    typer.run(main)
