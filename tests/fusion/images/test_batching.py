import pytest
from PIL import Image

from fusion.core.errors import InputError
from fusion.images.batching import batches_of_one_size
from fusion.images.pairs import Pair, natural_key


def test_batches_have_one_size_and_every_header_is_read_once(tmp_path, monkeypatch):
    sizes = {"d": (30, 20), "a": (40, 20), "c": (30, 20), "b": (30, 20)}
    pairs = []
    for name, size in sizes.items():
        Image.new("RGB", size).save(tmp_path / f"{name}.png")
        pairs.append(Pair(name, tmp_path / "unread.png", tmp_path / f"{name}.png"))
    opened, original = [], Image.open

    def noted(path, **options):
        opened.append(path)
        return original(path, **options)

    monkeypatch.setattr(Image, "open", noted)
    batches = batches_of_one_size(pairs, lambda pixels: 1200 // pixels)
    assert [[pair.name for pair in batch] for batch in batches] == [["b", "c"], ["d"], ["a"]]
    assert len(opened) == 4


@pytest.mark.slow
def test_the_limit_of_megapixels_is_the_callers(tmp_path):
    path = tmp_path / "huge.png"
    Image.new("1", (30000, 10000)).save(path)
    pair = Pair("huge", path, path)
    with pytest.raises(InputError, match="has 300 megapixels and the limit is 179"):
        batches_of_one_size([pair], lambda _: 1)
    assert batches_of_one_size([pair], lambda _: 1, largest=300_000_000) == [[pair]]


def test_numbers_in_names_count_by_value():
    names = ["b1", "a10", "a9", "010", "9"]
    assert sorted(names, key=natural_key) == ["9", "010", "a9", "a10", "b1"]
