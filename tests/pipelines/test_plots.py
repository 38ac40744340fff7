"""Tables as DVC draws them."""

import subprocess
from math import nan

import numpy as np
import pandas as pd
import pytest

from fusion.core.errors import InputError
from pipelines.curves import training_log
from pipelines.plots import class_table, confusion_table, live_curves, open_live, write_curves


def test_a_curve_a_file_its_values_last_and_defined(tmp_path):
    table = pd.DataFrame(
        {"loss": [3.0, 2.0], "epoch": [1, 2], "miou": [None, 0.5], "disc/cd": [1.0, nan], "x": nan}
    )
    folder = tmp_path / "training"
    folder.mkdir()
    (folder / "earlier.csv").write_text("epoch,earlier\n1,1\n")
    write_curves(folder, table, "epoch")
    written = {path.stem: pd.read_csv(path) for path in folder.iterdir()}
    assert written.keys() == {"loss", "miou", "disc-cd"}
    assert written["loss"].columns.tolist() == ["epoch", "loss"]
    assert written["miou"].to_numpy().tolist() == [[2, 0.5]]


def test_absent_classes_are_no_bars():
    table = class_table({"car": 0.5, "bike": None, "bump": 0.0}, "iou")
    assert table.to_dict("list") == {"class": ["car", "bump"], "iou": [0.5, 0.0]}


def test_a_confusion_matrix_is_counted_back_from_its_rows():
    counts = np.array([[3, 1], [0, 2]])
    table = confusion_table(counts, ["a", "b"])
    counted = table.value_counts(["actual", "predicted"]).to_dict()
    assert counted == {("a", "a"): 3, ("b", "b"): 2, ("a", "b"): 1}


def test_a_git_repository_without_a_commit_is_a_clear_word(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="has no commit yet; make one: git add"):
        open_live(tmp_path / "log")


def test_epochs_are_logged_at_their_number_while_training_runs(tmp_path):
    with live_curves(tmp_path / "log") as log:
        for epoch in (1, 2, 3):
            log({"epoch": epoch, "loss": 1 / epoch, "val_miou": 0.5 if epoch == 2 else None})
            loss = pd.read_csv(tmp_path / "log/plots/metrics/loss.tsv", sep="\t")
            assert loss["step"].tolist() == list(range(1, epoch + 1))
    miou = pd.read_csv(tmp_path / "log/plots/metrics/val_miou.tsv", sep="\t")
    assert miou[["step", "val_miou"]].to_numpy().tolist() == [[2, 0.5]]
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) == ["metrics.json", "plots"]


def test_a_log_replaces_one_that_was_cut_off(tmp_path):
    folder = tmp_path / "log"
    for losses in ((3.0, 2.0), (1.0,)):
        with training_log(folder, active=True) as log:
            for epoch, loss in enumerate(losses):
                log.live.step = epoch
                log.live.log_metric("loss", loss)
    table = pd.read_csv(folder / "plots/metrics/loss.tsv", sep="\t")
    assert table["loss"].tolist() == [1.0]
