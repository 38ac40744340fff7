"""Methods by name: listed without imports, imported on demand, broken ones alone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fusion import methods
from fusion.methods import registry
from fusion.methods.base import FusionMethod, register

ROOT = Path(__file__).parents[3]

MINE = '''
"""A user's method."""

from pydantic import Field

from fusion.core.config import Config
from fusion.methods.base import FusionMethod, register


class MineConfig(Config):
    """How much of the infrared image."""

    share: float = Field(0.5, ge=0, le=1)


@register("mine")
class Mine(FusionMethod[MineConfig]):
    """A weighted mean."""

    config_class = MineConfig

    def forward(self, infrared, visible):
        return infrared.lerp(visible.mean(1, keepdim=True), 1 - self.config.share)
'''

BROKEN = {
    "syntax": ("def forward(:\n", "SyntaxError"),
    "missing": ("import nowhere_to_be_found\n", "No module named 'nowhere_to_be_found'"),
    "raising": ("x = 1\nraise RuntimeError('no luck')\n", "RuntimeError: no luck at raising.py:2"),
    "leaving": ("import sys\nsys.exit(3)\n", "SystemExit"),
    "unregistered": ("x = 1\n", "registers no fusion method"),
    "renamed": (MINE.replace("mine", "visible"), "registers 'visible', but its name is 'renamed'"),
}


def run(project, code, *arguments):
    """What a fresh process prints as JSON in a copy of the project."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the code and parameters, with a user's methods, most of them broken."""
    folder = tmp_path_factory.mktemp("project")
    for package in ("fusion", "detection", "segmentation", "pipelines"):
        ignored = shutil.ignore_patterns("__pycache__", "weights")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    (folder / "fusion/methods/mine.py").write_text(MINE)
    for name, (code, _) in BROKEN.items():
        (folder / f"fusion/methods/{name}.py").write_text(code)
    return folder


def test_every_module_is_a_method_of_its_name_or_known_to_support_them():
    folder = registry.FOLDER
    modules = {path.stem for path in folder.glob("[!_]*") if path.name != "__pycache__"}
    assert set(methods.names()) == modules - registry.SUPPORT
    for kind in methods.names():
        method = methods.get(kind)
        assert method.kind == kind
        assert (ROOT / methods.code_of(kind)).exists()


@pytest.mark.parametrize("kind", methods.names())
def test_settings_are_those_of_the_class(kind):
    method, settings = methods.get(kind), methods.settings_of(kind)
    assert settings == (method.config_class, method.phases)


@pytest.mark.parametrize("name", ["base", "pomai/network", "../core/files", "__init__", "no", ""])
def test_what_is_no_method_is_refused(name):
    with pytest.raises(ValueError, match=f"no fusion method is called '{name}'; there are average"):
        methods.code_of(name)


@pytest.mark.parametrize("kind", [k for k in methods.names() if methods.has_light_settings(k)])
def test_settings_classes_are_named_by_one_convention(kind):
    method = methods.get(kind)
    assert methods.settings_of(kind).config.__name__ == f"{method.__name__}Config"
    for phase in methods.settings_of(kind).phases.values():
        assert phase.__name__.startswith(method.__name__)
        assert phase.__name__.endswith("PhaseConfig")


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'averag'; there are average, .*cddfuse"):
        methods.get("averag")


def test_a_class_is_registered_once_and_from_anywhere():
    class Elsewhere(FusionMethod):
        """Outside fusion/methods."""

    try:
        register("elsewhere")(Elsewhere)
        assert methods.get("elsewhere") is Elsewhere
        assert "elsewhere" in methods.names()
        with pytest.raises(ValueError, match="two fusion methods are called 'elsewhere'"):
            register("elsewhere")(type("Other", (FusionMethod,), {}))
    finally:
        registry._registry.pop("elsewhere")


def test_default_parameters_and_generate_need_no_torch(project):
    code = """
import json, sys
import fusion.methods
from pipelines import params
import pipelines.stages.generate
names = fusion.methods.names()
before = params.load()
print(json.dumps([name for name in ("torch", "ultralytics", "lightning") if name in sys.modules]))
"""
    assert run(project, code) == []


@pytest.mark.slow
def test_a_users_file_is_found_and_broken_ones_stop_their_own_rows_only(project):
    code = """
import json, sys
from pathlib import Path
import yaml
from fusion import methods
from fusion.core.errors import InputError
from pipelines import params
from pipelines.stages import model

rows = ["mine", *sys.argv[1:]]
content = yaml.safe_load(Path("params.yaml").read_text())
for name in rows:
    content["methods"][name] = {"source": f"fusion/methods/{name}.py", "config": {"share": 0.25}}
Path("params.yaml").write_text(yaml.safe_dump(content))
settings = params.load()
result = {}
for name in ["visible", *rows]:
    try:
        model.main(name)
        result[name] = Path("models", name, "card.json").is_file()
    except InputError as error:
        result[name] = str(error)
try:
    settings.import_methods()
except InputError as error:
    result["check"] = str(error)
del content["methods"]["mine"]["config"]
content["methods"]["mine"]["config"] = {"share": 2.0}
Path("params.yaml").write_text(yaml.safe_dump(content))
try:
    params.load()
except InputError as error:
    result["settings"] = str(error)
print(json.dumps(result))
"""
    result = run(project, code, *BROKEN)
    assert result["visible"] is True
    assert result["mine"] is True
    for name, (_, message) in BROKEN.items():
        assert result[name].startswith(f"fusion/methods/{name}.py: ")
        assert message in result[name]
        assert "out of params.yaml" in result[name] or "@register" in result[name]
    assert result["check"].startswith("fusion/methods/")
    assert "methods.mine.config.share" in result["settings"]
