import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import piq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity as skimage_ssim

from benchmarks.plain_metrics import PLAIN
from fusion.core.code import ROOT
from fusion.images.decode import read_infrared
from fusion.metrics import CORE, METRICS, compute, edges, windows
from fusion.metrics.structure import structural_similarity
from fusion.metrics.triplet import Triplet
from tests.fusion.metrics import slow

DATA = os.environ.get("FUSION_DATA")


def scene(seed, height, width):
    """Fused, infrared and visible that share structure, with flat parts and noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    visible = 90 + 60 * np.sin(x / 5) + 8 * random.standard_normal((height, width))
    infrared = np.where((x - width / 2) ** 2 + (y - height / 2) ** 2 < height * 2, 220, 30)
    infrared = infrared + np.where(x > width / 2, 6 * random.standard_normal((height, width)), 0)
    fused = 0.6 * visible + 0.5 * infrared
    return [image.clip(0, 255).round().astype(np.float32) for image in (fused, infrared, visible)]


def spots(seed, height, width):
    """Single bright pixels on black: windows whose whole weight is one pixel."""
    random = np.random.default_rng(seed)
    return list((random.random((3, height, width)) > 0.95).astype(np.float32) * 200)


def noise(seed, height, width):
    random = np.random.default_rng(seed)
    return list(random.integers(0, 256, (3, height, width)).astype(np.float32))


def batch(*planes):
    return [torch.tensor(plane)[None, None] for plane in planes]


def value(name, *planes):
    return compute(*batch(*planes), names=[name])[name].item()


@pytest.mark.parametrize("name", CORE)
@settings(max_examples=12, deadline=None)
@given(
    make=st.sampled_from([scene, noise]),
    seed=st.integers(0, 1000),
    height=st.integers(41, 90),
    width=st.integers(41, 90),
)
def test_the_twelve_are_their_plain_formulation(name, make, seed, height, width):
    planes = make(seed, height, width)
    assert value(name, *planes) == pytest.approx(PLAIN[name](*planes), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "definition"),
    [("Nabf", slow.nabf), ("FMI-pixel", slow.fmi), ("Qcb", slow.qcb), ("Qcv", slow.qcv)],
)
@pytest.mark.parametrize(
    "shape", [(33, 50), *(pytest.param(s, marks=pytest.mark.slow) for s in ((48, 48), (40, 37)))]
)
def test_the_others_are_their_definitions(name, definition, shape):
    for make in (scene, noise, spots):
        planes = make(3, *shape)
        expected = definition(*(plane.astype(np.float64) for plane in planes))
        assert value(name, *planes) == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_gradient_fmi_is_pixel_fmi_of_the_horizontal_gradients():
    planes = scene(1, 30, 41)
    gradients = (np.gradient(plane.astype(np.float64), axis=1) for plane in planes)
    assert value("FMI-gradient", *planes) == pytest.approx(slow.fmi(*gradients), rel=1e-6)


def test_multiscale_ssim_is_the_mean_of_piqs_over_both_sources():
    fused, infrared, visible = (plane.double() for plane in batch(*scene(2, 192, 208)))
    parts = [
        piq.multi_scale_ssim(fused, source, data_range=255.0).item()
        for source in (infrared, visible)
    ]
    assert value("MS-SSIM", *scene(2, 192, 208)) == pytest.approx(np.mean(parts), rel=1e-4)


@pytest.mark.parametrize("shape", [(41, 41), (48, 63), (97, 80)])
def test_vif_agrees_with_piq(shape):
    fused, infrared, visible = batch(*scene(1, *shape))
    expected = sum(
        piq.vif_p(fused.double(), source.double(), sigma_n_sq=2.0, data_range=255).item()
        for source in (infrared, visible)
    )
    measured = compute(fused, infrared, visible, ["VIF"])["VIF"].item()
    assert measured == pytest.approx(expected, rel=1e-4)


def test_ssim_with_the_range_that_the_published_script_happened_to_use():
    planes = scene(4, 50, 60)
    parts = [skimage_ssim(planes[0], source, data_range=2) for source in planes[1:]]
    measured = structural_similarity(Triplet(*batch(*planes)), data_range=2).item()
    assert measured == pytest.approx(sum(parts), rel=1e-4)
    assert measured != pytest.approx(value("SSIM", *planes), rel=0.05)


def test_an_image_fused_with_itself():
    image = noise(2, 180, 180)[0]
    values = {name: value(name, image, image, image) for name in METRICS}
    assert values["VIF"] == pytest.approx(2, rel=1e-6)
    assert values["SSIM"] == pytest.approx(2, rel=1e-6)
    for name in ("CC", "MS-SSIM", "FMI-pixel", "FMI-gradient", "Qcb"):
        assert values[name] == pytest.approx(1, rel=1e-6), name
    for name in ("MSE", "Qcv", "Nabf"):
        assert values[name] == pytest.approx(0, abs=1e-9), name
    assert np.isnan(values["PSNR"])
    assert np.isnan(values["SCD"])


@pytest.mark.parametrize("name", ["CC", "SCD", "Qabf", "Qcb", "Qcv"])
def test_constant_images_leave_a_metric_undefined_never_zero(name):
    flat = np.zeros((60, 60), np.float32)
    assert np.isnan(value(name, flat, flat, flat))


@pytest.mark.parametrize("source", [1, 2])
@pytest.mark.parametrize("added", [0, 7])
def test_scd_is_undefined_where_a_difference_is_constant(source, added):
    for seed in range(10):
        planes = [plane // 2 for plane in noise(seed, 45, 50)]
        planes[0] = planes[source] + added
        assert np.isnan(value("SCD", *planes)), seed


@pytest.mark.parametrize(("name", "side"), [("VIF", 40), ("SSIM", 6), ("MS-SSIM", 175)])
def test_images_too_small_for_a_metrics_windows_leave_it_undefined(name, side):
    assert np.isnan(value(name, *noise(3, side, 300)))
    assert np.isfinite(value(name, *scene(3, side + 1, 300)))


def test_images_of_a_batch_are_measured_one_by_one():
    scenes = [scene(seed, 44, 61) for seed in range(3)]
    together = compute(
        *(torch.cat(planes) for planes in zip(*(batch(*s) for s in scenes), strict=True))
    )
    for index, planes in enumerate(scenes):
        for name in CORE:
            alone = value(name, *planes)
            assert together[name][index].item() == pytest.approx(alone, rel=1e-6), name


@pytest.mark.parametrize(("group", "strip"), [(1, 1), (2, 900), (7, 5000)])
def test_images_measured_part_by_part_are_the_plain_formulation(monkeypatch, group, strip):
    monkeypatch.setitem(windows.GROUP, "cpu", group)
    monkeypatch.setitem(edges.STRIP, "cpu", strip)
    scenes = [scene(seed, 97, 131) for seed in range(3)]
    measured = compute(
        *(torch.cat(planes) for planes in zip(*(batch(*s) for s in scenes), strict=True)),
        names=["VIF", "SSIM", "Qabf"],
    )
    for name, values in measured.items():
        expected = [PLAIN[name](*planes) for planes in scenes]
        assert values.tolist() == pytest.approx(expected, rel=1e-4), name


MEMORY = """
import resource, torch
from fusion.metrics import compute
from fusion.core.memory import keep_freed_memory
keep_freed_memory()
side = 1600
images = torch.randint(0, 256, (3, 1, 1, side, side), dtype=torch.uint8)
compute(*images[..., :128, :128])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
compute(*images)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(peak * 1024 / (4 * side**2))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads memory as Linux counts it")
def test_a_large_image_takes_the_memory_of_ten_float32_images():
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert float(done.stdout) < 10


@pytest.mark.slow
def test_the_sources_order_does_not_matter():
    fused, infrared, visible = scene(5, 177, 180)
    for name in METRICS:
        one, other = value(name, fused, infrared, visible), value(name, fused, visible, infrared)
        assert one == pytest.approx(other, rel=1e-6), name


@pytest.mark.parametrize(
    "change", [lambda image: image / 255, lambda image: image + 0.5, lambda image: image * 300]
)
def test_values_that_no_8_bit_file_holds_are_refused(change):
    planes = batch(*noise(0, 45, 45))
    with pytest.raises(ValueError, match=r"whole numbers 0\.\.255"):
        compute(change(planes[0]), *planes[1:])


def test_images_of_different_sizes_are_refused():
    first, second = batch(noise(0, 45, 45)[0], noise(0, 45, 46)[0])
    with pytest.raises(ValueError, match="must be alike"):
        compute(first, second, first)


@pytest.mark.slow
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
        infrared, visible = (gray(pair / kind, row["image"]) for kind in ("ir", "vi"))
        if row["fused"] == "average":
            fused = np.round((infrared + visible) / 2)
        else:
            folder = root / "precomputed" / row["fused"] / row["dataset"] / "test"
            fused = gray(folder, row["image"])
        values = compute(*batch(fused, infrared, visible))
        for name in CORE:
            expected = float(row["VIFF" if name == "VIF" else name])
            assert values[name].item() == pytest.approx(expected, rel=1e-4), (row["image"], name)


def gray(folder, stem):
    (path,) = folder.glob(f"{stem}.*")
    return read_infrared(path).pixels.astype(np.float32)
