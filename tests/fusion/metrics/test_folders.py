import numpy as np
import pandas as pd
import pytest

from fusion.images import InputError, write_image
from fusion.metrics.folders import evaluate_folders, summarise


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


def test_one_row_an_image_colour_judged_on_luminance(folders):
    frame = evaluate_folders(*folders)
    assert list(frame.columns) == ["name", "SD", "SF", "AG", "VIF"]
    assert list(frame["name"]) == ["a", "b", "c"]
    assert frame["VIF"].isna().tolist() == [False, False, True]


def test_a_missing_fused_image_is_named_never_left_out(folders):
    (folders[2] / "b.png").unlink()
    with pytest.raises(InputError, match="lacks b; fuse all"):
        evaluate_folders(*folders)


def test_a_fused_image_of_another_size_is_named(folders):
    write_image(folders[2] / "a.png", np.zeros((44, 50), np.uint8))
    with pytest.raises(InputError, match=r"a.png: differs in size from its pair: 50x44 and 50x45"):
        evaluate_folders(*folders)


def test_undefined_values_are_left_out_of_the_mean_and_counted(folders):
    summary = summarise(evaluate_folders(*folders))
    assert summary["protocol"] == "cddfuse"
    assert summary["images"] == 3
    assert [item["undefined"] for item in summary["metrics"].values()] == [0, 0, 0, 1]


def test_intervals_hold_the_mean_and_narrow_with_more_images():
    random = np.random.default_rng(0)
    widths = []
    for count in (20, 500):
        values = random.normal(10, 2, count)
        frame = pd.DataFrame({"name": range(count), "SD": values})
        item = summarise(frame)["metrics"]["SD"]
        assert item["low"] < item["mean"] < item["high"]
        assert item["mean"] == pytest.approx(values.mean())
        widths.append(item["high"] - item["low"])
    # a normal approximation of the 95 % interval of 500 values
    assert widths[1] == pytest.approx(2 * 1.96 * 2 / 500**0.5, rel=0.15)
    assert widths[0] > 3 * widths[1]
