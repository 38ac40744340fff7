import pytest

from fusion.core.names import LONGEST, checked_name

BAD = [
    "my set",
    "v1.0",
    "x@y",
    "-x",
    "_x",
    "q'uote",
    "a(b)",
    "..",
    "$HOME",
    "a;echo hi",
    "a/b",
    "",
    "a\n",
    "con",
    "Nul",
    "LPT1",
]


@pytest.mark.parametrize("name", [*BAD, "a" * (LONGEST + 1)])
def test_names_that_a_path_or_a_shell_would_change_are_refused(name):
    with pytest.raises(ValueError, match="name"):
        checked_name(name)


def test_the_length_of_a_name_counts_its_bytes():
    assert checked_name("é" * (LONGEST // 2)) == "é" * (LONGEST // 2)
    with pytest.raises(ValueError, match=f"at most {LONGEST} bytes"):
        checked_name("é" * LONGEST)
