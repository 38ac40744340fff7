"""`params.yaml` as typed, validated objects: the only place where hyperparameters are read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from detection.config import DetectionConfig
from fusion import methods
from fusion.config import Config
from fusion.images import InputError
from fusion.methods import PhaseConfig
from fusion.metrics import METRICS
from fusion.precomputed import PRECOMPUTED, PrecomputedConfig
from fusion.runtime import RuntimeConfig
from pipelines.datasets.config import DatasetConfig, SampleConfig
from segmentation.config import SegmentationConfig


class MethodParams(Config):
    """One row of the leaderboard.

    kind: the registered method, if the row has another name; `precomputed` for images that are
        already fused.
    source: what its images come from: the folder that its last training phase writes, or one of
        weights trained before (fusion/pretrained_weights), the code of a method that is not
        trained, or the folder of precomputed images.
    config: the method's own settings (its `config_class`; `PrecomputedConfig`); empty for weights
        trained before, which bring theirs.
    """

    kind: str | None = None
    source: str
    config: dict[str, Any] = Field(default_factory=dict)


class TrainingParams(Config):
    """One training phase, a DVC stage of its own.

    code: the method's file; its training runs again when it changes.
    after: the folder that must exist before: an earlier phase's weights, the training pairs, or
        `data/teachers`.
    settings: the phase's own settings (the method's `phases[phase]`).
    """

    method: str
    phase: str
    code: str
    after: str = "data/train"
    settings: dict[str, Any]


class FusionParams(Config):
    """The fuse stage. `stretch` is the same for every method of a leaderboard."""

    stretch: bool = False
    batch_size: int = Field(1, ge=1)


class EvaluationParams(Config):
    """The evaluate stage: which fusion metrics the leaderboard shows."""

    metrics: list[str]

    @field_validator("metrics")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        for name in names:
            _require(name in METRICS, "metric", name, METRICS)
        return names


class Params(Config):
    """All of params.yaml; cross-references are checked as well as values."""

    seed: int = Field(ge=0)
    runtime: RuntimeConfig
    sample: SampleConfig
    datasets: dict[str, DatasetConfig]
    fuse_on: list[str]
    detect_on: list[str]
    segment_on: list[str]
    methods: dict[str, MethodParams]
    training: dict[str, TrainingParams]
    teachers: list[str]
    fusion: FusionParams
    evaluation: EvaluationParams
    detection: DetectionConfig
    segmentation: SegmentationConfig

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        for key in ("fuse_on", "detect_on", "segment_on"):
            allowed = self.datasets if key == "fuse_on" else self.fuse_on
            for name in getattr(self, key):
                _require(name in allowed, key, name, allowed)
        for name, row in self.methods.items():
            kind = row.kind or name
            known = [*methods.names(), PRECOMPUTED]
            _require(kind in known, f"methods.{name}", kind, known)
            _nested(_config_class(kind), row.config, f"methods.{name}.config")
            self._tasks_are_covered(name)
            self._settings_have_effect(name)
        for key, step in self.training.items():
            where = f"training.{key}"
            _require(step.method in self.methods, f"{where}.method", step.method, self.methods)
            phases = methods.get(self.kind(step.method)).phases
            _require(step.phase in phases, f"{where}.phase", step.phase, phases)
            _nested(phases[step.phase], step.settings, f"{where}.settings")
            for name in step.settings.get("teachers", []):
                _require(name in self.teachers, f"{where}.settings.teachers", name, self.teachers)
        for name in self.teachers:
            _require(name in self.methods, "teachers", name, self.methods)
        return self

    def _tasks_are_covered(self, name: str) -> None:
        for dataset in [*self.detect_on, *self.segment_on]:
            if not self.has_images(name, dataset):
                where = f"methods.{name}.config.folders"
                raise ValueError(f"{where}: lacks '{dataset}', which detect_on or segment_on names")

    def _settings_have_effect(self, name: str) -> None:
        kind = self.kind(name)
        trained_here = name in {step.method for step in self.training.values()}
        learned = kind != PRECOMPUTED and bool(methods.get(kind).phases)
        if learned and not trained_here and self.methods[name].config:
            raise ValueError(
                f"methods.{name}.config: nothing trains '{name}', and weights trained before bring "
                "their own settings: leave it out"
            )

    def kind(self, method: str) -> str:
        """The registered name of a leaderboard row."""
        return self.methods[method].kind or method

    def method_config(self, method: str) -> Config:
        """A row's settings as its method's own class."""
        return _config_class(self.kind(method))(**self.methods[method].config)

    def precomputed_folder(self, method: str, dataset: str) -> Path | None:
        """A precomputed row's images of a data set; None if it does not have the data set."""
        row = self.methods[method]
        return PrecomputedConfig(**row.config).folder(Path(row.source), dataset)

    def has_images(self, method: str, dataset: str) -> bool:
        """Whether a row has fused images of a data set: all but some precomputed ones do."""
        precomputed = self.kind(method) == PRECOMPUTED
        return not precomputed or self.precomputed_folder(method, dataset) is not None

    def trivial(self) -> list[str]:
        """The rows that fuse nothing cleverly."""
        kinds = {name: self.kind(name) for name in self.methods}
        return [n for n, kind in kinds.items() if kind != PRECOMPUTED and methods.get(kind).trivial]

    def phase_settings(self, key: str) -> PhaseConfig:
        """A training phase's settings as the method's own class."""
        step = self.training[key]
        return methods.get(self.kind(step.method)).phases[step.phase](**step.settings)


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and validate params.yaml.

    Raises:
        InputError: the file is missing or not YAML, a key is unknown or missing, a value has the
            wrong type or is impossible; the message names each key, its value and what is allowed.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise InputError(path, "is missing", "run from the project's root folder") from error
    except yaml.YAMLError as error:
        raise InputError(path, f"is not valid YAML: {error}", "correct it") from error
    try:
        return Params(**content)
    except ValidationError as error:
        problems = "; ".join(_problem(item) for item in error.errors())
        raise InputError(path, problems, "correct these keys") from error


def _config_class(kind: str) -> type[Config]:
    return PrecomputedConfig if kind == PRECOMPUTED else methods.get(kind).config_class


def _require(
    condition: bool, key: str, value: str, allowed: Sequence[str] | Mapping[str, Any]
) -> None:
    if not condition:
        raise ValueError(f"{key}: '{value}' is not one of {', '.join(allowed) or '(none)'}")


def _nested(model: type[BaseModel], values: dict[str, Any], where: str) -> None:
    """Validate a method's own settings; problems carry the full key."""
    try:
        model(**values)
    except ValidationError as error:
        problems = "; ".join(_problem(item, where) for item in error.errors())
        raise ValueError(problems) from error


def _problem(item: Any, where: str = "") -> str:
    location = ".".join([where] * bool(where) + [str(part) for part in item["loc"]])
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        return f"{location}: unknown key"
    if item["type"] == "value_error":
        return f"{location}: {message}" if location else message
    shown = "" if item["type"] == "missing" else f" (is {item['input']!r})"
    return f"{location}: {message}{shown}"
