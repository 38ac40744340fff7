"""What a fusion training phase logs."""

import pandas as pd

from pipelines.curves import training_log


def test_the_first_epoch_is_1(tmp_path):
    with training_log(tmp_path / "log", active=True) as log:
        for loss in (3.0, 2.0):
            log.epoch({"loss": loss})
    table = pd.read_csv(tmp_path / "log/plots/metrics/loss.tsv", sep="\t")
    assert table.to_dict("list") == {"step": [1, 2], "loss": [3.0, 2.0]}
