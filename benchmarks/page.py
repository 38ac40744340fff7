"""Size and speed of the report's page for many methods and images.

    python -m benchmarks.page --methods 13 --images 361 --out benchmarks/results/page.json

Generated images of 480×640 pixels are fused by nothing: each method's are a shifted copy. Writing
is timed without generating them. The browser is Chromium, where it is installed: `ready_ms` is the
time from the start of loading until the page can be used, `opened_ms` until everything has loaded
that the window shows.
"""

import json
import os
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import typer

from fusion.images.decode import write_image
from fusion.images.pairs import Pair
from fusion.metrics.names import CORE
from pipelines.report.board import Board
from pipelines.report.page.gallery import Source, build_gallery
from pipelines.report.page.images import ImageStore
from pipelines.report.page.render import Content, PageFolder
from pipelines.report.page.standings import standings
from pipelines.report.tables import assess
from pipelines.scores.fusion import FusionScores

HEIGHT, WIDTH = 480, 640


def main(methods: int = 13, images: int = 361, out: Path | None = None) -> None:
    """Write one page and open it; print the result as JSON (and write it to OUT)."""
    with tempfile.TemporaryDirectory() as folder:
        source = generate(Path(folder), methods, images)
        result: dict[str, Any] = {
            "methods": methods,
            "images": images,
            "size": [HEIGHT, WIDTH],
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1),
            **write(source, Path(folder) / "page"),
            "browser": browse(Path(folder) / "page/index.html"),
        }
    typer.echo(json.dumps(result, indent=2))
    if out:
        out.write_text(json.dumps(result, indent=2) + "\n")


def generate(folder: Path, methods: int, images: int) -> Source:
    """Pairs, fused images and random values of every metric."""
    random = np.random.default_rng(0)
    stems = [f"{index:05d}N" for index in range(images)]
    names = [f"method {index}" for index in range(methods)]
    kinds = ["ir", "vi", *names]
    for kind in kinds:
        (folder / kind).mkdir()
    for stem in stems:
        coarse = random.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
        picture = np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT)), np.uint8)
        for shift, kind in enumerate(kinds):
            write_image(folder / kind / f"{stem}.png", np.roll(picture, shift, 1))
    pairs = [Pair(s, folder / "ir" / f"{s}.png", folder / "vi" / f"{s}.png") for s in stems]
    values = {
        name: pd.DataFrame({"name": stems, **{m: random.random(images) * 50 for m in CORE}})
        for name in names
    }
    fused = {name: {s: folder / name / f"{s}.png" for s in stems} for name in names}
    return Source("msrs", pairs, fused, values)


def write(source: Source, folder: Path) -> dict[str, Any]:
    """Write the page; seconds and bytes of its parts, and peak memory."""
    scores = {
        name: FusionScores.of(table.assign(range=200), stretch=False)
        for name, table in source.values.items()
    }
    results = assess(Board(list(source.fused), {source.name: scores}))
    started, worked = time.perf_counter(), time.process_time()
    with PageFolder(folder) as page:
        gallery = build_gallery(source, ImageStore(page.path), None)
        page.write(Content("Benchmark", "", standings(results, ()), [gallery]))
    return {
        "write_seconds": round(time.perf_counter() - started, 1),
        "write_cpu_seconds": round(time.process_time() - worked, 1),
        "html_bytes": (folder / "index.html").stat().st_size,
        "thumbs_bytes": sum(path.stat().st_size for path in (folder / "thumbs").iterdir()),
        "images_bytes": sum(path.stat().st_size for path in (folder / "images").iterdir()),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def browse(page: Path) -> dict[str, float] | None:
    """Milliseconds and memory in Chromium; None where it is not installed."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.goto(page.as_uri(), wait_until="load")
        found: dict[str, float] = tab.evaluate(
            """() => ({
                ready_ms: Math.round(performance.getEntriesByName("ready")[0].startTime),
                opened_ms: Math.round(performance.getEntriesByType("navigation")[0].loadEventEnd),
                heap_mib: Math.round(performance.memory.usedJSHeapSize / 2 ** 20),
                elements: document.querySelectorAll("*").length,
            })"""
        )
        browser.close()
    return found


if __name__ == "__main__":
    typer.run(main)
