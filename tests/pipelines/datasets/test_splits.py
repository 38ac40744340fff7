import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.core.errors import InputError
from fusion.core.protocol import protocol_digest
from fusion.images.pairs import natural_key
from pipelines.datasets.splits import SPLITS, make_split

NAMES = [f"{number:05d}" for number in range(100)]
fractions = st.sampled_from(
    [(0.98, 0.01, 0.01), (0.8, 0.1, 0.1), (0.7, 0.0, 0.3), (0.34, 0.33, 0.33)]
)


@given(
    st.integers(3, 300),
    st.sampled_from(["random", "blocks", "grouped"]),
    fractions,
    st.integers(0, 99),
)
def test_every_name_is_in_exactly_one_part_and_no_wanted_part_is_empty(
    count, protocol, shares, seed
):
    names = [f"{number:05d}" for number in range(count)]
    groups = {name: index // 2 for index, name in enumerate(names)}
    block = max(1, count // 4)
    if protocol == "grouped" and len(set(groups.values())) < 3:
        return
    split = make_split(names, protocol, shares, seed, block, groups)
    assert list(split) == list(SPLITS)
    assert sorted(name for part in split.values() for name in part) == names
    assert all(bool(split[part]) == (share > 0) for part, share in zip(SPLITS, shares, strict=True))


def test_shares_are_met():
    split = make_split(NAMES, "random")
    assert [len(part) for part in split.values()] == [80, 10, 10]


@pytest.mark.parametrize("protocol", ["random", "blocks"])
def test_order_does_not_matter_and_the_seed_does(protocol):
    split = make_split(NAMES, protocol, block=5)
    assert make_split(NAMES[::-1], protocol, block=5) == split
    assert make_split(NAMES, protocol, seed=1, block=5) != split


def test_the_same_split_on_every_machine():
    split = make_split(NAMES, "random", (0.9, 0.05, 0.05))
    assert split["val"] == ["00029", "00054", "00059", "00069", "00078"]
    assert protocol_digest({"train": ["a"], "val": [], "test": ["b"]}) == (
        "cd0459c8766533b7353ae3a5fdd4ae3dc9b3b298d8f017af49d05e7b0c794b25"
    )


def test_blocks_are_contiguous_and_groups_stay_together():
    split = make_split(NAMES, "blocks", block=10)
    for part in split.values():
        assert all(
            {f"{number:05d}" for number in range(int(name) // 10 * 10, int(name) // 10 * 10 + 10)}
            <= set(part)
            for name in part
        )
    groups = {name: int(name) % 7 for name in NAMES}
    parts = make_split(NAMES, "grouped", groups=groups)
    owners = {}
    for part, names in parts.items():
        for name in names:
            assert owners.setdefault(groups[name], part) == part


def test_blocks_run_natural_key_where_names_are_not_padded():
    split = make_split([f"frame{number}" for number in range(100)], "blocks", block=10)
    for part in split.values():
        numbers = {int(name.removeprefix("frame")) for name in part}
        assert all(set(range(n // 10 * 10, n // 10 * 10 + 10)) <= numbers for n in numbers)


def test_padded_names_keep_the_order_of_text():
    names = ["00009D", "00010D", "00010N", "a-00001", "a00001", "a00002-b", "b"]
    assert sorted(names, key=natural_key) == sorted(names)


@pytest.mark.parametrize("seed", range(5))
def test_one_large_group_leaves_something_for_every_part(seed):
    groups = {name: max(0, int(name) - 90) for name in NAMES}
    split = make_split(NAMES, "grouped", seed=seed, groups=groups)
    assert all(split.values())


def test_too_few_units_are_refused():
    with pytest.raises(InputError, match="'blocks' finds only 2 separate units in 100 images"):
        make_split(NAMES, "blocks", block=50)
    with pytest.raises(InputError, match="'grouped' finds only 1"):
        make_split(NAMES, "grouped", groups=dict.fromkeys(NAMES, 0))
