"""What a fusion training phase logs."""

import json

import pandas as pd

from pipelines.curves import training_log


def test_the_first_epoch_is_1(tmp_path):
    with training_log(tmp_path / "log", active=True) as log:
        for loss in (3.0, 2.0):
            log.epoch({"loss": loss})
    table = pd.read_csv(tmp_path / "log/plots/metrics/loss.tsv", sep="\t")
    assert table.to_dict("list") == {"step": [1, 2], "loss": [3.0, 2.0]}


def test_metrics_json_has_the_last_epochs_scalars_alone(tmp_path):
    with training_log(tmp_path / "log", active=True) as log:
        log.epoch({"loss": 3.0, "reconstruction_ssim": 0.5})
        log.epoch({"loss": 2.0, "fusion_intensity": 0.25})
    last = json.loads((tmp_path / "log/metrics.json").read_bytes())
    assert last == {"loss": 2.0, "fusion_intensity": 0.25, "step": 2}
    assert (tmp_path / "log/plots/metrics/reconstruction_ssim.tsv").is_file()
