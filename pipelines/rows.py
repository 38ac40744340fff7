"""The rows of the leaderboard: seven kinds, by the origin of the fused images.

DVC watches `source`. Source and training phases determine the kind of a row, so params.yaml does
not state it:

| row | `source` | `config` |
|---|---|---|
| Trained | the folder that one of its training phases writes | the network's settings |
| Pretrained | a `.safetensors` file with its card beside it | none: the card has it |
| Published | a model folder that was made elsewhere or for another row | none: the card has it |
| Exported | an `.onnx` file | what the file does not tell of itself |
| Untrained | the file or folder of the method's code | the method's settings |
| Precomputed | a folder of images that are already fused | which folder holds which data set |
| EarlyFusion | the file of the code that stacks both images | none |
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from fusion import methods
from fusion.core.config import Config
from fusion.core.errors import InputError
from pipelines.paths import MODELS
from pipelines.validation import nested, require

PRECOMPUTED = "precomputed"
"""The kind of rows without a method."""


ONNX = "onnx"
"""The kind of rows of ONNX files."""

EARLY_FUSION = "early_fusion"
"""The kind of rows whose images are not fused."""

STACKING = "fusion/images/stacked.py"
"""The code that stacks both images."""


class _Row(Config):
    """The fields of all rows.

    name: name of the row.
    kind: the method's registered name; the row's name if params.yaml states none.
    source: file or folder that the row is made from.
    phases: keys of the training phases of this row.
    """

    name: str
    kind: str
    source: str
    phases: list[str] = Field(default_factory=list)

    def has(self, dataset: str) -> bool:
        """Whether the row has fused images of a data set."""
        return True

    def fuses(self, dataset: str) -> bool:
        """Whether the row has images of a data set that can be measured and shown as fused."""
        return self.has(dataset)

    def method_config(self) -> Config:
        """The settings that the row's method is built with."""
        return Config()

    def code(self) -> Path | None:
        """The method's own code, on which the row's images depend."""
        return methods.code_of(self.kind)

    def trivial(self) -> bool:
        """Whether the row is a trivial baseline."""
        return False

    def require_source(self) -> None:
        """Check that what the row is made from is there; nothing to check by default.

        Raises:
            InputError: it is not.
        """

    def checked(self, datasets: Mapping[str, Any], trained: Mapping[str, Any]) -> None:
        """Check the row against the rest of params.yaml.

        Args:
            datasets: by name.
            trained: the training phases by key.

        Raises:
            ValueError: a field is invalid; the message has the full key.
        """
        known = [*methods.names(), PRECOMPUTED, EARLY_FUSION]
        require(self.kind in known, f"methods.{self.name}", self.kind, known)


class _Configured(_Row):
    """A row whose settings params.yaml states."""

    config: dict[str, Any] = Field(default_factory=dict)

    def method_config(self) -> Config:
        return methods.settings_of(self.kind).config(**self.config)

    def checked(self, datasets: Mapping[str, Any], trained: Mapping[str, Any]) -> None:
        super().checked(datasets, trained)
        if not (self.config or self.phases or methods.has_light_settings(self.kind)):
            return  # nothing to check that would be worth importing the method
        try:
            settings = methods.settings_of(self.kind)
        except InputError:
            return  # its own stages say so; other rows are not affected
        nested(settings.config, self.config, f"methods.{self.name}.config")


class _Weights(_Row):
    """A row of trained weights whose card has the settings."""

    config: dict[str, Any] = Field(default_factory=dict)

    @field_validator("config")
    @classmethod
    def _brings_settings(cls, config: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if config:
            raise ValueError(
                f"nothing trains '{info.data.get('name')}', and weights trained before bring "
                "their own settings: leave it out"
            )
        return config


class Trained(_Configured):
    """A learned method that this pipeline trains."""

    def checked(self, datasets: Mapping[str, Any], trained: Mapping[str, Any]) -> None:
        super().checked(datasets, trained)
        made = [str(MODELS / key) for key in self.phases]
        require(self.source in made, f"methods.{self.name}.source", self.source, made)


class Pretrained(_Weights):
    """Trained weights: `<name>.safetensors` and `<name>.json`."""

    def require_source(self) -> None:
        for file in (Path(self.source), Path(self.source).with_suffix(".json")):
            if not file.is_file():
                where = f"is missing, and methods.{self.name} needs it"
                raise InputError(file, where, "put the weights and their card there")


class Published(_Weights):
    """A model folder: weights and a card, made elsewhere or by another row's training."""

    def checked(self, datasets: Mapping[str, Any], trained: Mapping[str, Any]) -> None:
        super().checked(datasets, trained)
        made = [str(MODELS / key) for key in trained]
        if self.source not in made and not Path(self.source).is_dir():
            raise ValueError(
                f"methods.{self.name}.source: '{self.source}' is not a folder, and no training "
                f"phase writes it; they write {', '.join(made) or '(none)'}"
            )


class Exported(_Configured):
    """A network as an ONNX file; `kind` is onnx."""

    def checked(self, datasets: Mapping[str, Any], trained: Mapping[str, Any]) -> None:
        super().checked(datasets, trained)
        where = f"methods.{self.name}"
        require(self.kind == ONNX, f"{where}.kind", self.kind, [ONNX])
        if not Path(self.source).is_file():
            raise ValueError(f"{where}.source: '{self.source}' is not a file")


class Untrained(_Configured):
    """A method without weights."""

    def checked(self, datasets: Mapping[str, Any], trained: Mapping[str, Any]) -> None:
        super().checked(datasets, trained)
        where, code = f"methods.{self.name}.source", methods.code_of(self.kind).as_posix()
        require(self.source == code, where, self.source, [code])
        learned = methods.has_light_settings(self.kind) and methods.settings_of(self.kind).phases
        if learned:
            raise ValueError(
                f"{where}: '{self.kind}' is learned, and nothing trains '{self.name}': add its "
                "training phases, or name weights"
            )

    def trivial(self) -> bool:
        return methods.get(self.kind).trivial


class PrecomputedConfig(Config):
    """Where the images lie.

    folders: data set -> its folder below the row's `source`; unnamed data sets have no
        value in this row. By default every data set has a folder of its name.
    """

    folders: dict[str, str] | None = None


class Precomputed(_Row):
    """Images that other software has fused."""

    kind: Literal["precomputed"] = "precomputed"
    config: PrecomputedConfig = PrecomputedConfig()

    def folder(self, dataset: str) -> Path | None:
        """A data set's images; None if the row does not have the data set."""
        folders, source = self.config.folders, Path(self.source)
        if folders is None:
            return source / dataset
        return source / folders[dataset] if dataset in folders else None

    def has(self, dataset: str) -> bool:
        return self.folder(dataset) is not None

    def method_config(self) -> Config:
        return self.config

    def code(self) -> Path | None:
        return None

    def checked(self, datasets: Mapping[str, Any], trained: Mapping[str, Any]) -> None:
        for dataset in self.config.folders or {}:
            where = f"methods.{self.name}.config.folders"
            require(dataset in datasets, where, dataset, datasets)

    def require_source(self) -> None:
        for folder in [Path(self.source), *map(self.folder, self.config.folders or {})]:
            if folder is not None and not folder.is_dir():
                where = f"is not a folder, and methods.{self.name} takes its images from it"
                raise InputError(folder, where, "correct `source` and `folders`")


class EarlyFusion(_Row):
    """Both images without fusing: four channels that a detector or a segmentation network reads."""

    kind: Literal["early_fusion"] = "early_fusion"

    def fuses(self, dataset: str) -> bool:
        return False

    def code(self) -> Path | None:
        return None

    def checked(self, datasets: Mapping[str, Any], trained: Mapping[str, Any]) -> None:
        require(self.source == STACKING, f"methods.{self.name}.source", self.source, [STACKING])


def _tag(row: Any) -> str:
    """The kind of a row, from the result of `completed`."""
    if not isinstance(row, dict):
        return "untrained"
    kind, source = str(row.get("kind")), str(row.get("source"))
    if kind in (PRECOMPUTED, EARLY_FUSION):
        return kind
    if row.get("phases"):
        return "trained"
    if source.endswith(".safetensors"):
        return "pretrained"
    if source.endswith(".onnx"):
        return "exported"
    code = kind in methods.names() and source == methods.code_of(kind).as_posix()
    return "untrained" if code or source.endswith(".py") or "source" not in row else "published"


Row = Annotated[
    Annotated[Trained, Tag("trained")]
    | Annotated[Pretrained, Tag("pretrained")]
    | Annotated[Published, Tag("published")]
    | Annotated[Exported, Tag("exported")]
    | Annotated[Untrained, Tag("untrained")]
    | Annotated[Precomputed, Tag(PRECOMPUTED)]
    | Annotated[EarlyFusion, Tag(EARLY_FUSION)],
    Discriminator(_tag),
]
"""A row of the leaderboard."""


def completed(
    rows: Mapping[str, Any], training: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Rows and training phases of params.yaml, completed by derived fields.

    A row gets its name, its kind if it states none, and the phases that train it. A phase called
    `<method>-<phase>` gets the name of the method's phase.

    Raises:
        ValueError: params.yaml states a derived field, or the name of a phase has another form.
    """
    phases: dict[str, list[str]] = {}
    steps, complete = dict(training), dict(rows)
    for key, step in training.items():
        if isinstance(step, dict) and isinstance(method := step.get("method"), str):
            _refuse(f"training.{key}", step, ("phase",))
            if not str(key).startswith(f"{method}-"):
                raise ValueError(f"training.{key}: is called <method>-<phase>, so {method}-...")
            phases.setdefault(method, []).append(key)
            steps[key] = {**step, "phase": key.removeprefix(f"{method}-")}
    for name, row in rows.items():
        if isinstance(row, dict):
            _refuse(f"methods.{name}", row, ("name", "phases"))
            kind = row.get("kind") or name
            complete[name] = {**row, "name": name, "kind": kind, "phases": phases.get(name, [])}
    return complete, steps


def _refuse(where: str, stated: Mapping[str, Any], derived: tuple[str, ...]) -> None:
    for key in derived:
        if key in stated:
            raise ValueError(f"{where}.{key}: unknown key")
