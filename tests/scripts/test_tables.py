import json
from pathlib import Path

import pandas as pd
import pytest

from pipelines.report.day_night import ALL, COLUMNS
from pipelines.report.gains import COLUMNS as GAINS
from scripts.agreement import main as draw_agreement
from scripts.tables import Section, main


@pytest.fixture
def results(tmp_path):
    """Two methods; the class car has no object at night."""
    pd.DataFrame(
        {"method": ["visible", "average"], "set EN": [6, 5], "set mAP@0.5": [0.25, 0.5]}
    ).to_csv(tmp_path / "leaderboard.csv", index=False)
    parts = [
        ("set", "AP@0.5", name, subset, method, 1, 3, amount, value)
        for name, subset, amount, values in (
            (ALL, "day", 9, (0.2, 0.3)),
            ("People", "day", 4, (0.75, 0.125)),
            ("People", "night", 5, (0.5, 0.625)),
            ("car", "day", 5, (0.2, 0.3)),
            ("car", "night", 0, (None, None)),
        )
        for method, value in zip(("visible", "average"), values, strict=True)
    ]
    parts += [
        ("other", "IoU", "color cone", subset, method, 1, 3, 99, 0.5)
        for subset in ("day", "night")
        for method in ("visible", "average")
    ]
    pd.DataFrame(parts, columns=COLUMNS).to_csv(tmp_path / "day_night.csv", index=False)
    gains = [("set", "mAP@0.5", "average", 2, 0.25, -0.1, 0.3, 0.1)]
    pd.DataFrame(gains, columns=GAINS).to_csv(tmp_path / "task_differences.csv", index=False)
    return tmp_path


@pytest.fixture
def page(tmp_path):
    file = tmp_path / "page.md"
    file.write_text("a\n<!-- detection:begin -->\nold\n<!-- detection:end -->\nb\n")
    return file


def test_detection_is_written_between_the_markers_again_and_again(results, page):
    interval = "+0.250 [-0.100, +0.300]"
    expected = (
        "a\n<!-- detection:begin -->\n"
        "| method | mAP@0.5 | gain over visible | People, day (4) | People, night (5) "
        "| car, day (5) | car, night (0) |\n"
        "|---|---|---|---|---|---|---|\n"
        "| visible | 0.250 | – | **0.750** | 0.500 | 0.200 | – |\n"
        f"| average | **0.500** | {interval} | 0.125 | **0.625** | **0.300** | – |\n"
        "<!-- detection:end -->\nb\n"
    )
    for _ in range(2):
        main(Section.detection, results, page)
        assert page.read_text() == expected


def test_pages_are_utf_8_on_every_machine(results, page, monkeypatch):
    plain = {name: getattr(Path, name) for name in ("read_text", "write_text")}
    monkeypatch.setattr(
        Path, "read_text", lambda path, encoding="cp1252": plain["read_text"](path, encoding)
    )
    monkeypatch.setattr(
        Path,
        "write_text",
        lambda path, text, encoding="cp1252": plain["write_text"](path, text, encoding),
    )
    page.write_bytes("↓ à <!-- detection:begin --><!-- detection:end -->".encode())
    main(Section.detection, results, page)
    assert page.read_bytes().decode().startswith("↓ à <!-- detection:begin -->\n| method")


def test_people_and_cones_by_day_and_at_night(results, page):
    page.write_text("<!-- night:begin --><!-- night:end -->")
    main(Section.night, results, page)
    header, _, visible, _ = page.read_text().splitlines()[1:-1]
    assert header == (
        "| method | People, day (4), AP@0.5 | People, night (5), AP@0.5 "
        "| color cone, day, IoU | color cone, night, IoU |"
    )
    assert visible == "| visible | **0.750** | 0.500 | **0.500** | **0.500** |"


def test_released_networks_come_before_the_methods_they_are_compared_with(results, page):
    def card(name, sd):
        score = {name: dict.fromkeys(("SD", "SF", "AG", "VIF"), sd)}
        others = {"average": dict.fromkeys(("SD", "SF", "AG", "VIF"), 1.0)}
        metrics = {"unstretched": {"set, 3 pairs": score | others}, "stretched": {}}
        (results / f"{name}.json").write_text(json.dumps({"metrics": metrics}))

    card("one", 2.0)
    card("another", 30.0)
    page.write_text("<!-- weights:begin --><!-- weights:end -->")
    main(Section.weights, results, page)
    assert page.read_text().splitlines()[1:-1] == [
        "| method | set SD | set SF | set AG | set VIF |",
        "|---|---|---|---|---|",
        "| another, unstretched | 30.00 | 30.00 | 30.00 | 30.00 |",
        "| one, unstretched | 2.000 | 2.000 | 2.000 | 2.000 |",
        "| average, unstretched | 1.000 | 1.000 | 1.000 | 1.000 |",
    ]


def test_a_page_without_the_markers_is_refused(results, page):
    before = page.read_text()
    with pytest.raises(ValueError, match="no <!-- night:begin -->"):
        main(Section.night, results, page)
    assert page.read_text() == before


def test_metrics_are_listed_by_their_agreement_with_detection_over_the_rows_of_all_runs(tmp_path):
    rows = pd.DataFrame(
        {
            "method": list("abcde"),
            "set SD": [5, 4, 3, 2, 1],
            "set VIF": [1, 2, 3, 5, 4],
            "set MSE": [9, 8, 7, 6, 5],
            "set SCD": [None, None, None, 1, 2],
            "set mAP@0.5": [0.1, 0.2, 0.3, 0.4, 0.5],
        }
    )
    for name, part in (("1", rows[:3]), ("2", rows[2:])):
        (tmp_path / name).mkdir()
        part.to_csv(tmp_path / name / "leaderboard.csv", index=False)
    page = tmp_path / "page.md"
    page.write_text("<!-- agreement:begin --><!-- agreement:end -->")
    main(Section.agreement, tmp_path, page)
    header, _, mse, vif, sd = page.read_text().splitlines()[1:-1]
    assert header == "| metric | τ with mAP@0.5 | interval | p | rows |"
    assert mse == "| MSE | +1.00 | [+1.00, +1.00] | 0.017 | 5 |"
    assert vif.startswith("| VIF | +0.80 | [")
    assert sd == "| SD | -1.00 | [-1.00, -1.00] | 0.017 | 5 |"
    draw_agreement(tmp_path, tmp_path / "agreement.svg")
    assert "Kendall" in (tmp_path / "agreement.svg").read_text()


def test_of_a_row_that_two_runs_have_the_last_counts_at_its_first_place(results, page):
    for name, score in (("1", 0.25), ("2", 0.75)):
        (results / name).mkdir()
        for file in ("leaderboard", "day_night", "task_differences"):
            text = (results / f"{file}.csv").read_text()
            (results / name / f"{file}.csv").write_text(text.replace("0.25\n", f"{score}\n"))
    main(Section.detection, results, page)
    visible, average = page.read_text().splitlines()[4:6]
    assert visible.startswith("| visible | **0.750** |")
    assert average.startswith("| average | 0.500 | +0.250 [-0.100, +0.300] |")
