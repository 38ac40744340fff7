"""Any value in place of one in a valid file: it is taken, or the error names the file."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fusion.core.errors import InputError
from fusion.inference.pretrained import released_networks
from fusion.methods.files import CARD, WEIGHTS, load_model
from pipelines import params
from tests.pipelines.clones import ROOT

RELEASED = ROOT / "fusion/weights"

numbers = st.one_of(
    st.integers(), st.floats(), st.sampled_from([0, -1, 10**9, 10**30, 2**63, 1e-300, True])
)
texts = st.one_of(st.text(max_size=20), st.sampled_from(["", "..", "/", "a/../b", "$(x)", "\0"]))
values = st.recursive(
    st.one_of(st.none(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)


def places(content, way=()):
    """The ways to every value inside, containers included."""
    inside = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in inside:
        yield (*way, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*way, key))


def replaced(content, way, value):
    """A copy of the content with one value replaced."""
    copy = json.loads(json.dumps(content))
    inner = copy
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = value
    return copy


PARAMS = params.read(ROOT / "params.yaml")


def outcome(call, *arguments):
    """What a function returned, or its error's message."""
    try:
        return call(*arguments)
    except InputError as error:
        return str(error)


@pytest.mark.slow
@settings(max_examples=120, deadline=2000)
@given(way=st.sampled_from(list(places(PARAMS))), value=values)
@example(way=("runtime",), value={"\n": None})
def test_parameters_are_valid_or_the_error_names_the_file(way, value):
    found = outcome(params.validate, replaced(PARAMS, way, value), Path("params.yaml"))
    if isinstance(found, str):
        assert found.startswith("params.yaml: ")
        assert "\n" not in found
    else:
        assert found.methods


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a released network."""
    folder, name = tmp_path_factory.mktemp("model"), released_networks()[-1]
    shutil.copy(RELEASED / f"{name}.safetensors", folder / WEIGHTS)
    return folder


RELEASED_CARD = json.loads((RELEASED / f"{released_networks()[-1]}.json").read_text())


@pytest.mark.slow
@settings(max_examples=60, deadline=5000)
@given(way=st.sampled_from(list(places(RELEASED_CARD))), value=values)
def test_a_card_is_followed_or_the_error_names_a_file(model, way, value):
    card = replaced(RELEASED_CARD, way, value)
    (model / CARD).write_text(json.dumps(card))
    found = outcome(load_model, model)
    if isinstance(found, str):
        assert found.startswith(str(model))
        assert "\n" not in found
    else:
        expected = type(found.config).model_validate_json(json.dumps(card["config"]))
        assert found.config == expected
