import json

import pytest

from scripts.comparison import (
    cost_table,
    medical_table,
    metric_tables,
    paper_table,
    stretching_table,
)


@pytest.fixture
def folder(tmp_path):
    """Two rows on two sets; one row lacks the second set and is in the paper."""
    (tmp_path / "leaderboard.csv").write_text(
        "method,one SD,one MSE,two SD\nours,20,300,1.5\ntheirs,10,200,\n"
    )
    (tmp_path / "leaderboard.md").write_text(
        "**What stretching every fused image to 0..255 would alone add**\n\n"
        "| method | one SD | two SD |\n|---|---|---|\n"
        "| ours | +0% | +3% |\n| theirs | +50% | – |\n\n- notes\n"
    )
    (tmp_path / "paper.csv").write_text(
        "method,row,one SD,two SD\nTheirs,theirs,9.80,1.10\nOthers,,7.00,0.90\n"
    )
    networks = {
        "tiny": {"parameters": 21614, "gflop": 21.4, "cpu_ms": 1000.4, "ratio": 1},
        "large": {"parameters": 1188272, "gflop": 1234.5, "cpu_ms": 2500, "ratio": 2.5},
    }
    (tmp_path / "networks.json").write_text(json.dumps({"networks": networks}))
    return tmp_path


def test_every_set_has_a_table_of_its_rows_and_the_best_is_bold(folder):
    assert metric_tables(folder) == (
        "**one**\n\n| method | SD | MSE ↓ |\n|---|---|---|\n"
        "| ours | **20.00** | 300.00 |\n| theirs | 10.00 | **200.00** |\n\n"
        "**two**\n\n| method | SD |\n|---|---|\n| ours | **1.500** |"
    )


def test_medical_rows_come_before_the_papers_which_stay_as_printed(tmp_path):
    (tmp_path / "leaderboard.csv").write_text(
        "method,ct EN,ct SD,ct SF,ct AG,ct VIF,GFLOP\n"
        "ours,1,80,30,5.25,0.5,7\nmean,1,60,10,2,0.75,0\n"
    )
    (tmp_path / "paper.csv").write_text("method,SD,SF,AG,VIF\nOurs,74.90,30.59,7.55,0.60\n")
    assert medical_table(tmp_path).splitlines() == [
        "| method | SD | SF | AG | VIF |",
        "|---|---|---|---|---|",
        "| ours | **80.00** | **30.00** | **5.250** | 0.500 |",
        "| mean | 60.00 | 10.00 | 2.000 | **0.750** |",
        "| Ours, paper | 74.90 | 30.59 | 7.55 | 0.60 |",
    ]


def test_costs_are_shown_beside_the_first_network(folder):
    assert cost_table(folder).splitlines()[0].endswith("| times tiny |")
    assert cost_table(folder).splitlines()[3] == "| large | 1,188,272 | 1,234 | 2,500 | 2.50 |"


def test_printed_numbers_stay_as_printed_and_stretching_multiplies(folder):
    assert paper_table(folder).splitlines()[2:] == [
        "| Theirs, paper | 9.80 | 1.10 |",
        "| Theirs, here | 10.00 | – |",
        "| Theirs, here, stretched | 15.00 | – |",
        "| Others, paper | 7.00 | 0.90 |",
    ]


def test_the_report_may_lack_what_stretching_adds(folder):
    assert stretching_table(folder).endswith("| theirs | +50% | – |")
    (folder / "leaderboard.md").write_text("nothing\n")
    with pytest.raises(ValueError, match=r"leaderboard\.md has no table of stretching"):
        stretching_table(folder)


def test_of_a_row_that_several_runs_have_the_last_run_counts(folder):
    for name, sd in (("1", 20), ("2", 25)):
        (folder / name).mkdir()
        (folder / name / "leaderboard.csv").write_text(
            f"method,one SD\nx_published,{sd}\nours,{sd}\nonly_{name},{sd}\n"
        )
        (folder / name / "leaderboard.md").write_text(
            "**What stretching every fused image to 0..255 would alone add**\n\n"
            f"| method | one SD |\n|---|---|\n| ours | +{sd}% |\n| only_{name} | +{sd}% |\n\n"
        )
    assert metric_tables(folder).splitlines()[4:] == [
        "| ours | **25.00** |",
        "| only_1 | 20.00 |",
        "| only_2 | **25.00** |",
        "| x_published | **25.00** |",
    ]
    assert stretching_table(folder).splitlines()[2:] == [
        "| ours | +25% |",
        "| only_1 | +20% |",
        "| only_2 | +25% |",
    ]
