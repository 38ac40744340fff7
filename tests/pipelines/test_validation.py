import pytest
from pydantic import TypeAdapter, ValidationError

from pipelines.datasets.config import DatasetConfig
from pipelines.validation import problems


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layout": "pairs", "seed": 1}, "datasets.mine: seed: not a setting of layout 'pairs'"),
        ({"layout": "pairs", "sead": 1}, "datasets.mine.sead: unknown key"),
        ({"layout": "boxes"}, "datasets.mine.classes: Field required"),
        (
            {"layout": "boxes", "classes": ["a", ""]},
            "datasets.mine.classes: has a blank name; got ['a', '']",
        ),
        (
            {"layout": "folders"},
            "datasets.mine.layout: 'folders' is not one of 'msrs', 'masks', 'm3fd', "
            "'boxes', 'pairs'",
        ),
        (
            {"layout": "msrs", "fuse": ["dev"]},
            "datasets.mine.fuse.0: Input should be 'train', 'val' or 'test' (is 'dev')",
        ),
    ],
)
def test_problems_of_a_data_set_name_the_key_as_it_is_written(settings, message):
    everything = TypeAdapter(dict[str, dict[str, DatasetConfig]])
    with pytest.raises(ValidationError) as refused:
        everything.validate_python({"datasets": {"mine": {"source": "x", **settings}}})
    assert problems(refused.value) == message
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(DatasetConfig).validate_python({"source": "x", **settings})
    alone = message.removeprefix("datasets.mine").lstrip(".: ")
    assert problems(refused.value, kind_at=0) == alone
