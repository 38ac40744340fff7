"""A small page with everything on it."""

import cv2
import numpy as np
import pandas as pd

from detection.matches import Matches
from fusion.images.decode import write_image
from fusion.images.pairs import Pair
from pipelines.report.board import Board
from pipelines.report.costs import RowCost
from pipelines.report.page.curves import Confusion, Curve, task_figures
from pipelines.report.page.figures import figures
from pipelines.report.page.gallery import Boxes, LabelMaps, Source, build_gallery
from pipelines.report.page.images import ImageStore
from pipelines.report.page.render import Content, Facts, PageFolder
from pipelines.report.page.standings import standings
from pipelines.report.tables import assess
from tests.pipelines.report import boards

HOSTILE = "<script>alert(1)</script>"
METHODS = ("visible", "average", HOSTILE)
STEMS = ("night & day", "00001", "00002", "00010")
HEIGHT, WIDTH = 96, 128
CLASSES = ("People", "Car")


def write_pairs(folder):
    """Infrared, visible and three fused images of each name; returns pairs and fused files."""
    random = np.random.default_rng(0)
    for kind in ("ir", "vi", "0", "1", "2"):
        (folder / kind).mkdir(parents=True)
        for stem in STEMS:
            noise = random.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
            write_image(folder / kind / f"{stem}.png", cv2.GaussianBlur(noise, (0, 0), 3))
    pairs = [Pair(s, folder / "ir" / f"{s}.png", folder / "vi" / f"{s}.png") for s in STEMS]
    fused = {
        method: {stem: folder / str(index) / f"{stem}.png" for stem in STEMS}
        for index, method in enumerate(METHODS)
    }
    return pairs, fused


def matches():
    """On every image a hit on the first object, and a false alarm; the second object is missed."""
    count = len(STEMS)
    return Matches(
        stems=list(STEMS),
        truth=np.tile([1, 1], (count, 1)),
        image=np.repeat(np.arange(count), 2),
        label=np.tile([0, 1], count),
        confidence=np.tile(np.array([0.9, 0.4], np.float32), count),
        correct=np.tile([[True] * 10, [False] * 10], (count, 1)),
        boxes=np.tile(np.array([[10, 10, 30, 50], [80, 60, 110, 90]], np.float32), (count, 1)),
    )


def board():
    """Three rows with fusion metrics of two sets, detection on one, segmentation on the other."""
    random = np.random.default_rng(1)

    def measured(shift):
        values = {name: (random.random(len(STEMS)) + shift).tolist() for name in ("SD", "MSE")}
        scores = boards.fusion(values)
        return scores.model_copy(update={"images": scores.images.assign(name=STEMS)})

    fusion = {
        dataset: {method: measured(0.1 * i) for i, method in enumerate(METHODS)}
        for dataset in ("msrs", "m3fd")
    }
    day_and_night = {
        part: boards.part(0.4 + 0.1 * (part == "night"), {"People": 0.5}, {"People": 1}, 2)
        for part in ("day", "night")
    }
    classes = {"ap50": {"People": 0.6, "Car": 0.2}, "objects": {"People": 4, "Car": 4}}
    detection = {
        method: boards.detection(
            {"map50": 0.4 + 0.1 * i, "matches": matches(), **classes, **day_and_night},
            {"map50": 0.45 + 0.1 * i, "matches": matches(), **classes, **day_and_night},
        )
        for i, method in enumerate(METHODS)
    }
    segmentation = {
        method: boards.segmentation(
            {"test": boards.labeled(0.3 + 0.1 * i), "confusions": boards.confusions(i, 0.5)}
        )
        for i, method in enumerate(METHODS)
    }
    return Board(list(METHODS), fusion, {"m3fd": detection}, {"msrs": segmentation})


def costs():
    """The first two were measured, the last was fused elsewhere."""
    measured = {"device": "Processor", "threads": 2, "precision": "32-true"}
    return {
        "visible": RowCost(0, 0.0, 1.5, **measured, note="not trained"),
        "average": RowCost(12_345, 7.7, 20.0, **measured, minutes=0.7, trained_on="Processor"),
        HOSTILE: RowCost(note="fused elsewhere"),
    }


def sources(folder):
    """Two data sets of the same images: one with labels, one with boxes."""
    pairs, fused = write_pairs(folder)
    annotations, labels = {}, {}
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    truth[20:60, 30:70] = 1
    for stem in STEMS:
        annotations[stem] = folder / f"{stem}.txt"
        annotations[stem].write_text("0 0.156 0.312 0.156 0.417\n1 0.5 0.5 0.1 0.1\n")
        labels[stem] = folder / f"label {stem}.png"
        write_image(labels[stem], truth)
    predicted = {
        method: {stem: np.roll(truth, 3 + index, 1) for stem in STEMS}
        for index, method in enumerate(METHODS)
    }
    scores = board()
    values = {d: {m: s.images for m, s in rows.items()} for d, rows in scores.fusion.items()}
    found = Boxes(CLASSES, annotations, {method: matches() for method in METHODS})
    return [
        Source("msrs", pairs, fused, values["msrs"], labels=LabelMaps(labels, predicted)),
        Source("m3fd", pairs, fused, values["m3fd"], night=[STEMS[0]], boxes=found),
    ]


def write_page(folder, inputs):
    """The page; `inputs` takes the images that it is made from."""
    results = assess(board(), costs())
    curve = Curve("pomai-a", pd.DataFrame({"step": [1, 2, 3], "loss": [3.0, 2.0, 1.5]}))
    confusion = Confusion("average", CLASSES, np.array([[3, 1], [0, 4]]))
    with PageFolder(folder) as page:
        store = ImageStore(page.path)
        page.write(
            Content(
                title=f"Report {HOSTILE}",
                subtitle="Three methods.",
                standings=standings(results, ["visible", "average"]),
                galleries=[build_gallery(source, store, None) for source in sources(inputs)],
                figures=[*figures(results), *task_figures(results.board, [curve], [confusion])],
                tables=[("Gains", results.gains)],
                facts=Facts(
                    summary=[("commit", "0123abc")],
                    datasets=pd.DataFrame([{"data set": HOSTILE, "test": 4}]),
                    notes=[f"a note on {HOSTILE}", f"code `{HOSTILE}`", "one ` alone"],
                    settings="seed: 0\n",
                ),
            )
        )
    return folder
