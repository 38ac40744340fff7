"""Measures a released network on pairs that it was not trained on, and writes its card.

    FUSION_DATA=… python -m scripts.measure_weights pomai-tiny

The card also gets `average`, `maximum` and published images of CDDFuse on the same pairs. The
published images were saved stretched, so they appear among the stretched results only.
"""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import typer
from rich.console import Console
from torch import Tensor

from fusion import methods
from fusion.core.config import Config, RuntimeConfig
from fusion.core.files import write_bytes
from fusion.core.memory import keep_freed_memory
from fusion.images.decode import read_infrared, read_visible
from fusion.images.pairs import Pair, find_pairs
from fusion.inference.fuse import as_planes, fuse_batch, write_fused
from fusion.inference.model_card import render_card
from fusion.inference.pretrained import RELEASED, load
from fusion.inference.tiles import MemoryPlan, plan_memory
from fusion.methods.base import FusionMethod
from fusion.metrics import PROTOCOL
from fusion.metrics.folders import evaluate_pairs

METRICS = ("SD", "SF", "AG", "VIF")
SETS = {
    "MSRS, 121 dev pairs": "msrs/dev",
    "RoadScene, 50 test pairs": "roadscene/test",
    "TNO, 25 test pairs": "tno/test",
}
PUBLISHED = {
    "msrs/dev": ("CDDFuse (a reproduction)", "cddfuse_repro"),
    "roadscene/test": ("CDDFuse", "cddfuse"),
    "tno/test": ("CDDFuse (a fork)", "cddfuse_fork"),
}


def main(name: str) -> None:
    """Measure the network NAME; write `metrics` into its card and the card as a page."""
    keep_freed_memory()
    data, card = Path(os.environ["FUSION_DATA"]), RELEASED / f"{name}.json"
    rows = {name: load(name).method} | {
        kind: methods.get(kind)(Config()) for kind in ("average", "maximum")
    }
    metrics: dict[str, Any] = {"protocol": PROTOCOL, "unstretched": {}, "stretched": {}}
    for title, place in SETS.items():
        for row, method in rows.items():
            Console(stderr=True).print(f"{title}: {row}")
            for stretching, values in measure(method, data / place).items():
                metrics[stretching].setdefault(title, {})[row] = values
        row, folder = PUBLISHED[place]
        fused = data / "precomputed" / folder / place
        metrics["stretched"][title][row] = evaluate(
            find_pairs(data / place / "ir", data / place / "vi"), fused
        )
    content = json.loads(card.read_bytes()) | {"metrics": metrics}
    write_bytes(card, (json.dumps(content, indent=2) + "\n").encode())
    write_bytes(card.with_suffix(".md"), render_card(name, content).encode())


class Remembered(FusionMethod):
    """Gives a method's outputs for one pair once more, in the same order."""

    def __init__(self, method: FusionMethod) -> None:
        super().__init__(method.config)
        self.method = method
        self.made: list[Tensor] = []
        self.given = 0

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        self.given += 1
        if self.given > len(self.made):
            self.made.append(self.method(infrared, visible))
        return self.made[self.given - 1]


@torch.inference_mode()
def measure(method: FusionMethod, folder: Path) -> dict[str, dict[str, float]]:
    """Means over the pairs of `folder`, unstretched and stretched."""
    plan = plan_memory(RuntimeConfig().memory_gib, method.eval(), torch.device("cpu"))
    pairs = find_pairs(folder / "ir", folder / "vi")
    with TemporaryDirectory() as work:
        fused = {title: Path(work) / title for title in ("unstretched", "stretched")}
        for pair in pairs:
            remembered = Remembered(method)
            for title, place in fused.items():
                remembered.given = 0
                image = fuse_pair(remembered, pair, plan, stretched=title == "stretched")
                place.mkdir(exist_ok=True)
                write_fused(place / f"{pair.name}.png", image)
        return {title: evaluate(pairs, place) for title, place in fused.items()}


def fuse_pair(method: FusionMethod, pair: Pair, plan: MemoryPlan, *, stretched: bool) -> Tensor:
    """3×H×W uint8."""
    infrared = torch.from_numpy(read_infrared(pair.infrared).pixels)[None, None]
    visible = as_planes(read_visible(pair.visible).pixels)[None]
    tiles = plan.tiling(*infrared.shape[-2:])
    return fuse_batch(method, infrared, visible, stretched=stretched, tiles=tiles)[0]


def evaluate(pairs: list[Pair], fused: Path) -> dict[str, float]:
    """Means over the pairs of what is in `fused`."""
    frame = evaluate_pairs(pairs, fused, METRICS)
    return {name: round(float(frame[name].mean()), 4) for name in METRICS}


if __name__ == "__main__":
    typer.run(main)
