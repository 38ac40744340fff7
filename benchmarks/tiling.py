"""What fusing in tiles changes: whole images against tiles, on pairs of your own.

    python -m benchmarks.tiling --ir M3FD/Ir --vi M3FD/Vis --weights pomai-tiny --sides 512,256

Prints JSON: for each tile side, the mean (over pixels and pairs) and the largest difference of the
fused images in gray levels, and the fusion metrics of both.
"""

import json
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from fusion.core.memory import keep_freed_memory
from fusion.images.decode import read_infrared, read_visible
from fusion.images.pairs import Pair, find_pairs
from fusion.inference.fuse import as_planes, fuse_batch
from fusion.inference.pretrained import load
from fusion.inference.tiles import Tiling
from fusion.methods.base import FusionMethod
from fusion.metrics import compute

METRICS = ("SD", "SF", "AG", "VIF")


def main(
    ir: Annotated[Path, typer.Option()],
    vi: Annotated[Path, typer.Option()],
    weights: str = "pomai-tiny",
    sides: str = "512,256",
    pairs: int = 4,
) -> None:
    """Fuse the first PAIRS pairs whole and in tiles of each side; print the result as JSON."""
    keep_freed_memory()
    method, chosen = load(weights).method, find_pairs(ir, vi)[:pairs]
    tilings = {side: Tiling(int(side)) for side in sides.split(",")}
    rows: dict[str, list[Tensor]] = {"whole": [], **{side: [] for side in tilings}}
    for pair in chosen:
        for label, values in measure(method, pair, tilings).items():
            rows[label].append(values)
    shown = {label: summary(torch.stack(values)) for label, values in rows.items()}
    typer.echo(json.dumps({"pairs": [pair.name for pair in chosen], "tiles": shown}, indent=2))


@torch.inference_mode()
def measure(
    method: FusionMethod, pair: Pair, tilings: dict[str, Tiling | None]
) -> dict[str, Tensor]:
    """Mean difference, largest difference and metrics of the whole image and of every tiling."""
    infrared = torch.from_numpy(read_infrared(pair.infrared).pixels)[None, None]
    visible = as_planes(read_visible(pair.visible).pixels)[None]
    gray = torch.from_numpy(read_infrared(pair.visible).pixels)[None, None]
    whole, found = None, {}
    for label, tiles in {"whole": None, **tilings}.items():
        fused = fuse_batch(method, infrared, visible, stretched=False, tiles=tiles)
        whole = fused if whole is None else whole
        apart = (fused.int() - whole.int()).abs()
        level = luminance_levels(fused)
        values = compute(level, infrared, gray, METRICS)
        differences = [apart.float().mean(), apart.max().float()]
        found[label] = torch.stack([*differences, *(values[name][0].float() for name in METRICS)])
    return found


def luminance_levels(image: Tensor) -> Tensor:
    """B×3×H×W uint8 -> B×1×H×W whole gray levels."""
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (image * weights).sum(1, keepdim=True).round().to(torch.uint8)


def summary(values: Tensor) -> dict[str, float]:
    """Means over the pairs, but the largest of the largest differences."""
    means = values.mean(0).tolist()
    shown = {"mean_difference": means[0], "largest_difference": float(values[:, 1].max())}
    shown |= dict(zip(METRICS, means[2:], strict=True))
    return {name: round(value, 3) for name, value in shown.items()}


if __name__ == "__main__":
    typer.run(main)
