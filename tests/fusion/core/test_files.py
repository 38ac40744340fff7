import pytest

from fusion.core.files import write_bytes


@pytest.mark.parametrize("name", ["a", "a" * 255, "ä" * 127])
def test_the_longest_names_can_be_written(tmp_path, name):
    write_bytes(tmp_path / name, b"content")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"content"
