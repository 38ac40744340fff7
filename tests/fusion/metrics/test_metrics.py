import csv
import os
from pathlib import Path

import numpy as np
import piq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.images import read_infrared
from fusion.metrics import METRICS, compute

DATA = os.environ.get("FUSION_DATA")
COLUMNS = {"SD": "SD", "SF": "SF", "AG": "AG", "VIF": "VIFF"}


def images(seed, height, width, count=3):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, height, width)).astype(np.float64)


def batch(*planes):
    return [torch.tensor(plane, dtype=torch.float32)[None, None] for plane in planes]


def slow(image):
    """SD, SF and AG from their definitions, by loops over rows and columns."""
    height, width = image.shape
    deviation = np.sqrt(((image - image.mean()) ** 2).mean())
    rows = np.mean(
        [(image[y, x + 1] - image[y, x]) ** 2 for y in range(height) for x in range(width - 1)]
    )
    columns = np.mean(
        [(image[y + 1, x] - image[y, x]) ** 2 for y in range(height - 1) for x in range(width)]
    )
    vertical, horizontal = np.gradient(image)
    gradient = np.sqrt((vertical**2 + horizontal**2) / 2).mean()
    return {"SD": deviation, "SF": np.sqrt(rows + columns), "AG": gradient}


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 20), st.integers(2, 20))
def test_sd_sf_ag_are_their_definitions(seed, height, width):
    fused = images(seed, height, width, 1)[0]
    values = compute(*batch(fused, fused, fused), names=["SD", "SF", "AG"])
    for name, expected in slow(fused).items():
        assert values[name].item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("shape", [(41, 41), (48, 63), (97, 80)])
def test_vif_is_the_sum_of_pixel_domain_vif_with_both_sources(shape):
    fused, infrared, visible = images(1, *shape)
    fused = (fused + infrared + visible) / 3
    planes = batch(fused, infrared, visible)
    expected = sum(
        piq.vif_p(planes[0].double(), source.double(), sigma_n_sq=2.0, data_range=255).item()
        for source in planes[1:]
    )
    value = compute(*planes, names=["VIF"])["VIF"].item()
    assert value == pytest.approx(expected, rel=1e-6)


def test_vif_of_an_image_with_itself_is_one_for_each_source():
    image = batch(images(2, 60, 50, 1)[0])[0]
    assert compute(image, image, image, ["VIF"])["VIF"].item() == pytest.approx(2.0, rel=1e-6)


def test_vif_of_an_image_too_small_for_four_scales_is_undefined():
    small = batch(images(3, 40, 60, 1)[0])[0]
    assert compute(small, small, small, ["VIF"])["VIF"].isnan().all()


@given(st.integers(0, 100))
@settings(max_examples=5, deadline=None)
def test_images_of_a_batch_are_measured_one_by_one(seed):
    stacks = [torch.tensor(images(seed + i, 44, 45)).float().unsqueeze(1) for i in range(3)]
    together = compute(*stacks)
    for index in range(3):
        alone = compute(*(stack[index : index + 1] for stack in stacks))
        for name in METRICS:
            assert together[name][index].item() == pytest.approx(alone[name].item(), rel=1e-9)


@pytest.mark.skipif(DATA is None, reason="FUSION_DATA is not set: no reference images")
def test_the_published_evaluators_values():
    root = Path(DATA)
    reference = root.parent / "reference" / "fusion_metrics.csv"
    if not reference.is_file():
        pytest.skip(f"{reference} is missing: no reference values")
    with reference.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 28
    for row in rows:
        pair = root / row["dataset"] / "test"
        infrared, visible = (grey(pair / kind, row["image"]) for kind in ("ir", "vi"))
        if row["fused"] == "average":
            fused = np.round((infrared + visible) / 2)
        else:
            fused = grey(
                root / "precomputed" / row["fused"] / row["dataset"] / "test", row["image"]
            )
        values = compute(*batch(fused, infrared, visible))
        for name, column in COLUMNS.items():
            expected = float(row[column])
            assert values[name].item() == pytest.approx(expected, rel=1e-4), (row["image"], name)


def grey(folder, stem):
    (path,) = folder.glob(f"{stem}.*")
    return read_infrared(path).pixels.astype(np.float64)
