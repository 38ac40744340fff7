"""Model cards as model hubs show them."""

import json

import pytest
from huggingface_hub import ModelCard

from fusion.inference.model_card import render_card
from fusion.inference.pretrained import RELEASED, released_networks

PUBLISHED = {
    "method": "emma",
    "config": {"channels": 4},
    "parameters": 1234,
    "phase": "fusion",
    "updates": 12,
    "settings": {"epochs": 3, "batch_size": 4, "crop": 32, "learning_rate": 0.001},
    "commit": "abc",
    "uncommitted": ["params.yaml"],
    "metrics": {"msrs": {"SD": 1.23456, "mIoU": 0.5}, "m3fd": {"SD": 20.0}},
    "conditions": ["msrs: 24 images"],
}


@pytest.mark.parametrize("name", released_networks())
def test_the_page_beside_released_weights_shows_their_card(name):
    card = json.loads((RELEASED / f"{name}.json").read_bytes())
    page = (RELEASED / f"{name}.md").read_text(encoding="utf-8")
    assert page == render_card(name, card), "run `python -m scripts.measure_weights`"


@pytest.mark.parametrize("name", released_networks())
def test_a_hub_reads_the_results_of_released_weights(name):
    card = json.loads((RELEASED / f"{name}.json").read_bytes())
    found = ModelCard(render_card(name, card)).data
    assert (found.license, found.pipeline_tag) == ("agpl-3.0", "image-to-image")
    values = {(r.dataset_name, r.metric_type): r.metric_value for r in found.eval_results}
    expected = {
        (dataset, quantity): value
        for dataset, rows in card["metrics"]["unstretched"].items()
        for quantity, value in rows[name].items()
    }
    assert values == expected


def test_a_published_card_shows_training_scores_and_uncommitted_files():
    page = render_card("mine", PUBLISHED)
    assert "| data set | SD | mIoU |" in page
    assert "| msrs | 1.235 | 0.5000 |" in page
    assert "| m3fd | 20.00 | – |" in page
    assert "- msrs: 24 images" in page
    assert "| fusion | 3 | 12 | 4 | 32 | 0.001 |" in page
    assert "- Commit: `abc`, with changes in params.yaml" in page
    assert len(ModelCard(page).data.eval_results) == 3


def test_a_card_without_training_and_scores_is_still_a_page():
    page = render_card("mine", {"method": "average", "config": {}})
    assert "## Training" not in page
    assert "## Results" not in page
    assert ModelCard(page).data.library_name == "pomai"
