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
