"""`params.yaml` as typed, validated objects: the only place where hyperparameters are read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from detection.config import DetectionConfig
from fusion import methods
from fusion.core.config import Config, RuntimeConfig
from fusion.core.errors import InputError
from fusion.inference.precomputed import PRECOMPUTED, PrecomputedConfig
from fusion.methods import PhaseConfig, TaughtPhaseConfig
from fusion.metrics import METRICS
from pipelines.datasets.config import DatasetConfig, SampleConfig
from pipelines.paths import MODELS, TEACHERS
from pipelines.validation import problems
from segmentation.config import SegmentationConfig


class MethodParams(Config):
    """One row of the leaderboard.

    kind: the registered method, if the row has another name; `precomputed` for images that are
        already fused.
    source: what its images come from: the folder that its last training phase writes, weights
        trained before (fusion/weights), the code of a method that is not trained, or the folder of
        precomputed images.
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
        `data/teachers` for a phase that learns from other methods.
    settings: the phase's own settings (the method's `phases[phase]`).
    """

    method: str
    phase: str
    code: str
    after: str
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
    train_on: list[str]
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
        for key in ("train_on", "fuse_on", "detect_on", "segment_on"):
            allowed = self.datasets if key in ("train_on", "fuse_on") else self.fuse_on
            for name in getattr(self, key):
                _require(name in allowed, key, name, allowed)
                self._can_be_done(key, name)
        for name, row in self.methods.items():
            kind = row.kind or name
            known = [*methods.names(), PRECOMPUTED]
            _require(kind in known, f"methods.{name}", kind, known)
            _nested(_config_class(kind), row.config, f"methods.{name}.config")
            self._will_be_there(f"methods.{name}.source", row.source)
            if kind == PRECOMPUTED:
                self._precomputed_sets(name)
            self._settings_have_effect(name)
        if self.training and not self.train_on:
            raise ValueError("train_on: names no data set, and training needs one")
        for name in self.teachers:
            self._can_teach(name)
        for key, step in self.training.items():
            self._phase_is_possible(f"training.{key}", step)
        self._weight_files_are_there()
        return self

    def _can_be_done(self, key: str, name: str) -> None:
        """A task's labels and splits are there; else it would fail after all training."""
        if key not in _TASKS:
            return
        config, (layouts, needed) = self.datasets[name], _TASKS[key]
        if config.layout not in layouts:
            raise ValueError(
                f"{key}: '{name}' has layout '{config.layout}' and needs {' or '.join(layouts)}"
            )
        if shortage := config.shortage(needed):
            wanted = ", ".join(needed) + (": all above 0" if "fractions" in shortage else "")
            raise ValueError(f"datasets.{name}.{shortage}, but {key} needs {wanted}")

    def _weight_files_are_there(self) -> None:
        """They are read hours later: by the last stages."""
        detector, encoder = self.detection.weights, self.segmentation.weight_file()
        for key, datasets, file in (
            ("detection.weights", self.detect_on, detector),
            ("segmentation.encoder_weights", self.segment_on, encoder),
        ):
            if datasets and file and not Path(file).is_file():
                raise ValueError(f"{key}: there is no file '{file}' (null starts from random ones)")

    def _precomputed_sets(self, name: str) -> None:
        where = f"methods.{name}.config.folders"
        for dataset in PrecomputedConfig(**self.methods[name].config).folders or {}:
            _require(dataset in self.datasets, where, dataset, self.datasets)
        for dataset in [*self.detect_on, *self.segment_on]:
            if not self.has_images(name, dataset):
                raise ValueError(f"{where}: lacks '{dataset}', which detect_on or segment_on names")

    def _phase_is_possible(self, where: str, step: TrainingParams) -> None:
        trainable = [name for name in self.methods if self.kind(name) != PRECOMPUTED]
        _require(step.method in trainable, f"{where}.method", step.method, trainable)
        kind = methods.get(self.kind(step.method))
        _require(step.phase in kind.phases, f"{where}.phase", step.phase, kind.phases)
        code = methods.code_of(self.kind(step.method)).as_posix()
        _require(step.code == code, f"{where}.code", step.code, [code])
        _nested(kind.phases[step.phase], step.settings, f"{where}.settings")
        self._will_be_there(f"{where}.after", step.after)
        if not issubclass(kind.phases[step.phase], TaughtPhaseConfig):
            return
        for name in step.settings["teachers"]:
            _require(name in self.teachers, f"{where}.settings.teachers", name, self.teachers)
        _require(_taught(step), f"{where}.after", step.after, [str(TEACHERS)])

    def _can_teach(self, name: str) -> None:
        """Teachers are ready before any phase that is taught, and fuse the training pairs."""
        taught = {step.method for step in self.training.values() if _taught(step)}
        able = [n for n in self.methods if n not in taught and self.kind(n) != PRECOMPUTED]
        _require(name in able, "teachers", name, able)

    def _will_be_there(self, where: str, folder: str) -> None:
        """Weights that the pipeline makes itself are a training phase's."""
        made = [str(MODELS / key) for key in self.training]
        _require(Path(folder).parent != MODELS or folder in made, where, folder, made)

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
        InputError: the file is missing, empty or not YAML, a key is unknown or missing, a value has
            the wrong type or is impossible; the message names each key, its value and what is
            allowed.
    """
    try:
        content = yaml.safe_load(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(path, "is missing", "run from the project's root folder") from error
    except yaml.YAMLError as error:
        raise InputError(path, f"is not valid YAML: {error}", "correct it") from error
    if not isinstance(content, dict):
        raise InputError(path, "holds no parameters by name", "write it with `pomai params`")
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise InputError(path, problems(error), "correct these keys") from error


_TASKS = {
    "detect_on": (("m3fd", "boxes"), ("train", "val", "test")),
    "segment_on": (("msrs",), ("train", "test")),
}
"""What a task needs of a data set: one of the layouts with its labels, and the splits."""


def _taught(step: TrainingParams) -> bool:
    return Path(step.after) == TEACHERS


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
        raise ValueError(problems(error, where)) from error
