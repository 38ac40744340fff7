import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.core.errors import InputError
from fusion.core.files import file_digest
from fusion.core.protocol import differences, protocol_digest

NAMES = st.text("abc", min_size=1, max_size=2)
VALUES = st.none() | st.booleans() | st.integers(2, 9) | NAMES | st.lists(NAMES, max_size=2)
PROTOCOLS = st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, min_size=1), max_size=4)


def same(first, second):
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


@given(PROTOCOLS, PROTOCOLS)
def test_digests_differ_exactly_where_protocols_do(first, second):
    assert (protocol_digest(first) == protocol_digest(second)) == same(first, second)
    assert protocol_digest(first) == protocol_digest(dict(reversed(first.items())))


@given(PROTOCOLS, NAMES, VALUES)
def test_a_changed_fact_is_named_with_both_values(protocol, name, value):
    before = {**protocol, "nested": {"kept": 1, name: "before"}}
    after = {**protocol, "nested": {"kept": 1, name: value}}
    assert differences(before, before) == {}
    expected = {} if value == "before" else {f"nested.{name}": ("before", value)}
    assert differences(before, after) == expected


def test_a_fact_that_one_lacks_is_a_difference():
    assert differences({"a": 1}, {"b": {"c": 2}}) == {"a": (1, None), "b.c": (None, 2)}


def test_a_file_counts_by_its_content_and_must_be_there(tmp_path):
    for name, content in (("a", b"x"), ("b", b"x"), ("c", b"y")):
        (tmp_path / name).write_bytes(content)
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b")
    assert file_digest(tmp_path / "a") != file_digest(tmp_path / "c")
    with pytest.raises(InputError, match="nowhere: is missing"):
        file_digest(tmp_path / "nowhere")
