import re

import pytest

from fusion.core.errors import InputError
from fusion.core.files import require_writable, write_bytes


@pytest.mark.parametrize("name", ["a", "a" * 255, "ä" * 127])
def test_the_longest_names_can_be_written(tmp_path, name):
    write_bytes(tmp_path / name, b"content")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"content"


@pytest.mark.parametrize("place", ["file/x", "nowhere/x", "folder", "n" * 300])
def test_what_cannot_be_written_is_named_as_it_was_given(tmp_path, place):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    path = tmp_path / place
    with pytest.raises(OSError, match=re.escape(str(path))):
        write_bytes(path, b"content")
    with pytest.raises(InputError):
        require_writable(path)
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["file", "folder"]


def test_looking_whether_a_file_can_be_written_leaves_nothing_and_changes_nothing(tmp_path):
    require_writable(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "there").write_text("content")
    require_writable(tmp_path / "there")
    assert (tmp_path / "there").read_text() == "content"
