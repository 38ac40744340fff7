from pathlib import Path

import pytest

from fusion.core import code
from fusion.core.code import NO_RESULT, ROOT, code_digest, importers, imports_of
from fusion.core.errors import InputError


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Writes a project of the named files; returns nothing, `code` then looks there."""

    def write(**files):
        for name, content in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    monkeypatch.setattr(code, "ROOT", tmp_path)
    return write


def names(files):
    return sorted(path.as_posix() for path in files)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("import fusion.b", ["fusion/b.py"]),
        ("import os, fusion.b as other", ["fusion/b.py"]),
        ("from fusion import b", ["fusion/b.py"]),
        ("from fusion.b import anything", ["fusion/b.py"]),
        ("from fusion import part", ["fusion/part/init.py"]),
        ("from fusion.part import c, name", ["fusion/part/init.py", "fusion/part/c.py"]),
        ("from . import b", ["fusion/b.py"]),
        ("from .part.c import x", ["fusion/part/c.py"]),
        ("def f():\n    if 1:\n        from fusion import b", ["fusion/b.py"]),
        ("class A:\n    async def f(self):\n        import fusion.b", ["fusion/b.py"]),
        ("try:\n    import x\nexcept ImportError:\n    import fusion.b", ["fusion/b.py"]),
        ("with x:\n    import fusion.b", ["fusion/b.py"]),
        ("match x:\n    case 1:\n        import fusion.b", ["fusion/b.py"]),
        ("if TYPE_CHECKING:\n    import fusion.b", []),
        ("if typing.TYPE_CHECKING:\n    x\nelse:\n    import fusion.b", ["fusion/b.py"]),
        ("import torch, os.path\nfrom numpy import fusion", []),
        ("from tests import b", []),
        ("import fusion.a", []),
    ],
)
def test_imports_are_read_wherever_python_would_run_them(project, statement, expected):
    project(fusion__a=statement, fusion__b="", fusion__part__c="", tests__b="")
    (code.ROOT / "fusion/part/__init__.py").write_text("name = 1")
    found = [name.replace("__init__", "init") for name in names(imports_of(Path("fusion/a.py")))]
    assert sorted(found) == sorted(expected)


def test_a_lazy_face_counts_for_those_who_ask_for_what_it_offers(project):
    project(
        fusion__core="",
        fusion__load="def load(): ...",
        fusion__asks="from fusion import offered",
        fusion__passes_by="from fusion import core",
    )
    face = "def __getattr__(name):\n    from fusion.load import load\n    return load"
    (code.ROOT / "fusion/__init__.py").write_text(face)
    assert "fusion/load.py" in names(imports_of(Path("fusion/asks.py")))
    assert names(imports_of(Path("fusion/passes_by.py"))) == ["fusion/core.py"]


def test_all_that_is_imported_on_the_way_belongs_to_the_code(project):
    project(
        fusion__a="import detection.b",
        detection__b="from fusion.part.c import x",
        fusion__part__c="",
        fusion__aside="",
    )
    (code.ROOT / "fusion/part/__init__.py").write_text("run = 1")
    (code.ROOT / "detection/__init__.py").write_text('"""Words only."""')
    found = importers(Path("fusion/a.py"))
    assert names(found) == [
        "detection/b.py",
        "fusion/a.py",
        "fusion/part/__init__.py",
        "fusion/part/c.py",
    ]
    assert found[Path("fusion/part/c.py")] == Path("detection/b.py")


def test_what_changes_no_number_is_left_out_with_its_own_imports(project):
    project(
        detection__drawing="import fusion.font",
        fusion__font="",
        detection__a="import detection.drawing",
    )
    assert names(importers(Path("detection/a.py"))) == ["detection/a.py"]


def test_each_exception_names_a_file_and_a_reason():
    assert [name for name in NO_RESULT if not (ROOT / name).is_file()] == []
    assert all(NO_RESULT.values())


def test_the_digest_changes_with_every_file_that_is_imported_and_no_other(project):
    sources = {
        "fusion__a": "import fusion.b",
        "fusion__b": "",
        "fusion__c": "",
        "fusion__core__errors": "",
    }
    project(**sources)
    (code.ROOT / "fusion/notes.txt").write_text("no code")
    before = code_digest(Path("fusion/a.py"))
    for name, content in sources.items():
        project(**{name: f"{content}\n# edited"})
        changed = code_digest(Path("fusion/a.py")) != before
        assert changed == (name in ("fusion__a", "fusion__b")), name
        project(**{name: content})
    assert code_digest(Path("fusion/a.py")) == before


def test_the_digest_is_the_same_in_every_place(project, tmp_path, monkeypatch):
    project(fusion__a="import fusion.b", fusion__b="")
    here = code_digest(Path("fusion/a.py"))
    assert code_digest(tmp_path / "fusion/a.py") == here
    monkeypatch.setattr(code, "ROOT", tmp_path / "copy")
    project(copy__fusion__a="import fusion.b", copy__fusion__b="")
    assert code_digest(Path("fusion/a.py")) == here


def test_code_outside_the_project_counts_too(tmp_path):
    (tmp_path / "mine.py").write_text("import fusion.core.runtime")
    found = importers(tmp_path / "mine.py")
    assert {tmp_path / "mine.py", Path("fusion/core/runtime.py")} <= found.keys()


def test_code_counts_by_the_content_of_every_python_file(tmp_path):
    (tmp_path / "part/deep").mkdir(parents=True)
    for name in ("alone.py", "part/one.py", "part/deep/two.py"):
        (tmp_path / name).write_text(f"# {name}")
    sources = tmp_path / "alone.py", tmp_path / "part"
    seen = [code_digest(*sources)]
    (tmp_path / "part/notes.txt").write_text("no code")
    assert code_digest(*sources) == seen[0]
    for name in ("alone.py", "part/one.py", "part/deep/two.py"):
        (tmp_path / name).write_text("# edited")
        seen.append(code_digest(*sources))
    assert len(set(seen)) == 4


def test_missing_code_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.py: is missing"):
        code_digest(tmp_path / "nowhere.py")
