import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from fusion.core.errors import InputError
from fusion.images.decode import read_infrared, read_visible, to_gray, write_image
from fusion.images.pairs import find_pairs
from fusion.metrics.folders import BATCH_PIXELS, evaluate_pairs
from fusion.metrics.summary import RANGE, summarize


@pytest.fixture
def folders(tmp_path):
    random = np.random.default_rng(0)
    for name, size in (("a", (45, 50)), ("b", (42, 41)), ("c", (20, 60))):
        for kind in ("ir", "vi", "fused"):
            (tmp_path / kind).mkdir(exist_ok=True)
            color = (3,) if kind != "ir" else ()
            image = random.integers(0, 256, (*size, *color), dtype=np.uint8)
            write_image(tmp_path / kind / f"{name}.png", image)
    return tmp_path / "ir", tmp_path / "vi", tmp_path / "fused"


def evaluate(folders, *names, **options):
    return evaluate_pairs(find_pairs(*folders[:2]), folders[2], *names, **options)


def test_one_row_an_image_color_judged_on_luminance(folders):
    done = []
    frame = evaluate(folders, ["SD", "VIF"], on_pairs=lambda *pairs: done.append(pairs))
    assert list(frame.columns) == ["name", "SD", "VIF", "range"]
    assert done == [(1, 3), (2, 3), (3, 3)]
    color = read_visible(folders[2] / "a.png").pixels
    assert frame["SD"][0] == pytest.approx(to_gray(color).std(), rel=1e-6)
    assert list(frame["name"]) == ["a", "b", "c"]
    assert frame["VIF"].isna().tolist() == [False, False, True]


def test_a_missing_fused_image_is_named_never_left_out(folders):
    (folders[2] / "b.png").unlink()
    with pytest.raises(InputError, match="lacks b; fuse all"):
        evaluate(folders)


def test_a_fused_image_of_another_size_is_named(folders):
    write_image(folders[2] / "a.png", np.zeros((44, 50), np.uint8))
    with pytest.raises(InputError, match=r"a.png: differs in size from its pair: 50x44 and 50x45"):
        evaluate(folders)


def test_a_pair_of_two_sizes_is_named(folders):
    write_image(folders[0] / "b.png", np.zeros((40, 41), np.uint8))
    with pytest.raises(InputError, match=r"b.png: infrared and visible differ in size: 41x40 and"):
        evaluate(folders)


def test_undefined_values_are_left_out_of_the_mean_and_counted(folders):
    summary = summarize(evaluate(folders, ["SD", "VIF"]))
    assert summary.protocol == "cddfuse"
    assert summary.images == 3
    assert [item.undefined for item in summary.metrics.values()] == [0, 1]


def test_intervals_hold_the_mean_and_narrow_with_more_images():
    random = np.random.default_rng(0)
    widths = []
    for count in (20, 500):
        values = random.normal(10, 2, count)
        frame = pd.DataFrame({"name": range(count), "SD": values, "range": 200})
        item = summarize(frame).metrics["SD"]
        assert item.low < item.mean < item.high
        assert item.mean == pytest.approx(values.mean())
        widths.append(item.high - item.low)
    # a normal approximation of the 95 % interval of 500 values
    assert widths[1] == pytest.approx(2 * 1.96 * 2 / 500**0.5, rel=0.15)
    assert widths[0] > 3 * widths[1]


def test_many_images_of_one_size_are_measured_as_each_alone(tmp_path, monkeypatch):
    random = np.random.default_rng(1)
    for kind in ("ir", "vi", "fused"):
        (tmp_path / kind).mkdir()
        for name in "abcde":
            image = random.integers(0, 256, (44, 44), dtype=np.uint8)
            write_image(tmp_path / kind / f"{name}.png", image)
    folders = [tmp_path / kind for kind in ("ir", "vi", "fused")]
    together = evaluate(folders)
    monkeypatch.setitem(BATCH_PIXELS, "cpu", 1)
    pd.testing.assert_frame_equal(evaluate(folders), together, rtol=1e-6)


def test_what_stretching_would_add_is_what_stretched_images_measure(folders):
    for path in sorted(folders[2].iterdir()):
        gray = to_gray(read_visible(path).pixels) // 2
        write_image(path, gray)
    promised = summarize(evaluate(folders, ["SD", "SF", "AG"])).stretching
    before = evaluate(folders, ["SD", "SF", "AG"]).mean(numeric_only=True)
    for path in sorted(folders[2].iterdir()):
        gray = read_visible(path).pixels.astype(float)
        stretched = (gray - gray.min()) / np.ptp(gray) * 255
        write_image(path, stretched.round().astype(np.uint8))
    after = evaluate(folders, ["SD", "SF", "AG"]).mean(numeric_only=True)
    assert promised.keys() == {"SD", "SF", "AG"}
    for name, share in promised.items():
        assert after[name] / before[name] - 1 == pytest.approx(share, rel=0.01), name


def test_a_black_fused_image_has_no_psnr(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (20, 24), np.uint8)
    for kind, pixels in {"ir": noise, "vi": noise.T.reshape(20, 24), "fused": 0 * noise}.items():
        (tmp_path / kind).mkdir()
        write_image(tmp_path / kind / "a.png", pixels)
    frame = evaluate_pairs(find_pairs(tmp_path / "ir", tmp_path / "vi"), tmp_path / "fused")
    assert np.isnan(frame["PSNR"]).all()
    assert summarize(frame).metrics["PSNR"].undefined == 1


def test_an_interval_does_not_depend_on_the_other_metrics():
    values = np.random.default_rng(0).normal(size=(30, 3))
    frame = pd.DataFrame(values, columns=["EN", "VIF", "SSIM"])
    frame.loc[:4, "EN"] = np.nan
    frame[RANGE] = 255.0
    alone = summarize(frame[["VIF", RANGE]]).metrics["VIF"]
    assert summarize(frame).metrics["VIF"] == alone
    spread = frame["VIF"].std() / 30**0.5
    assert alone.high - alone.low == pytest.approx(2 * 1.96 * spread, rel=0.15)


def test_stretching_leaves_constant_images_as_they_are():
    frame = pd.DataFrame({"SD": [10.0, 0.0], "SF": [4.0, 0.0], RANGE: [51.0, 0.0]})
    assert summarize(frame).stretching == pytest.approx({"SD": 4.0, "SF": 4.0})


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_measure_pairs_of_their_own_and_change_no_bit(folders, threads):
    ir, vi, fused = folders
    pairs = find_pairs(ir, vi)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = evaluate_pairs(pairs, fused)
        torch.set_num_threads(threads)
        shared = evaluate_pairs(pairs, fused)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    pd.testing.assert_frame_equal(alone, shared, check_exact=True)


def test_deep_infrared_is_measured_in_its_declared_range(folders):
    levels = read_infrared(folders[0] / "a.png").pixels
    cv2.imwrite(str(folders[0] / "a.png"), levels.astype(np.uint16) * 16)
    whole = evaluate(folders, ["MSE"], infrared_range=(0, 255 * 16))
    write_image(folders[0] / "a.png", levels)
    pd.testing.assert_frame_equal(evaluate(folders, ["MSE"]), whole, check_exact=True)


def test_what_all_three_images_are_read_as_is_noted(folders):
    for folder in folders:
        cv2.imwrite(str(folder / "a.png"), np.full((45, 50), 4095, np.uint16))
    notes = []
    evaluate(folders, ["SD"], on_note=lambda path, note: notes.append((path.parent.name, note)))
    dark = {(folder, note.partition(",")[0]) for folder, note in notes if "dark" in note}
    assert dark == {("fused", "fused: dark"), ("ir", "infrared: dark"), ("vi", "visible: dark")}
