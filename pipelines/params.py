"""`params.yaml` as typed, validated objects: the only place where hyperparameters are read."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from detection.config import DetectionConfig
from fusion import methods
from fusion.core.config import Config, RuntimeConfig
from fusion.core.errors import InputError, list_names
from fusion.core.names import Name
from fusion.methods import PhaseConfig
from pipelines.datasets.config import DatasetConfig
from pipelines.datasets.sample_config import SampleConfig
from pipelines.paths import MODELS
from pipelines.references import require_references
from pipelines.rows import EarlyFusion, Exported, Precomputed, Pretrained, Published, Row, completed
from pipelines.scores.base import stage_name
from pipelines.sections import EvaluationParams, FusionParams, ReportParams, TrainingParams
from pipelines.seeds import Seeds
from pipelines.strict_yaml import read_yaml
from pipelines.validation import problems
from segmentation.config import SegmentationConfig

PARAMS = Path("params.yaml")


class Params(Config):
    """All of params.yaml; cross-references are checked as well as values."""

    seed: int = Field(ge=0, lt=2**32)
    runtime: RuntimeConfig
    sample: SampleConfig
    datasets: dict[Name, DatasetConfig]
    train_on: list[str]
    fuse_on: list[str]
    detect_on: list[str]
    segment_on: list[str]
    detect_seeds: Seeds
    segment_seeds: Seeds
    methods: dict[Name, Row]
    training: dict[Name, TrainingParams]
    teachers: list[str]
    fusion: FusionParams
    evaluation: EvaluationParams
    detection: DetectionConfig
    segmentation: SegmentationConfig
    report: ReportParams = ReportParams()

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        rows, training = content.get("methods"), content.get("training")
        if rows == {}:
            raise ValueError("methods: name at least one row")
        if not isinstance(rows, dict) or not isinstance(training, dict):
            return content
        complete, steps = completed(rows, training)
        return {**content, "methods": complete, "training": steps}

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        require_references(self)
        return self

    def dataset(self, name: str) -> DatasetConfig:
        """A data set's settings.

        Raises:
            InputError: params.yaml does not have this name; the message lists the known ones.
        """
        _require_known("data set", name, self.datasets)
        return self.datasets[name]

    def row(self, method: str) -> Row:
        """A row of the leaderboard.

        Raises:
            InputError: as `dataset`.
        """
        _require_known("row of methods", method, self.methods)
        return self.methods[method]

    def step(self, key: str) -> TrainingParams:
        """A training phase.

        Raises:
            InputError: as `dataset`.
        """
        _require_known("training phase", key, self.training)
        return self.training[key]

    def require(
        self,
        method: str | None = None,
        dataset: str | None = None,
        key: str | None = None,
        seed: int | None = None,
    ) -> None:
        """Check what a command line names: a row, a data set, a training phase, a seed.

        Raises:
            InputError: params.yaml does not have a name (the message lists the known ones), or the
                seed is not possible.
        """
        if seed is not None and not 0 <= seed < 2**32:
            raise InputError(f"seed {seed}", "is not possible", "give a number from 0 to 2^32 - 1")
        if method is not None:
            self.row(method)
        if dataset is not None:
            self.dataset(dataset)
        if key is not None:
            self.step(key)

    def given_paths(self) -> Iterator[tuple[str, str]]:
        """Keys and paths of what comes from outside the pipeline: data, fused images, weights."""
        for name, config in self.datasets.items():
            yield f"datasets.{name}.source", config.source
        given = Pretrained | Published | Exported | Precomputed
        for name, row in self.methods.items():
            if isinstance(row, given) and Path(row.source).parent != MODELS:  # not of a phase
                yield f"methods.{name}.source", row.source
        if self.detection.weights:
            yield "detection.weights", self.detection.weights
        if file := self.segmentation.weight_file():
            yield "segmentation.encoder_weights", file

    def measuring_stages(self, method: str) -> list[str]:
        """DVC's names of the stages that measure a row."""
        return [
            *(stage_name("evaluate", method, dataset) for dataset in self.fuse_on),
            *(
                stage_name("detect", method, dataset, seed)
                for dataset in self.detect_on
                for seed in self.detect_seeds
            ),
            *(
                stage_name("segment", method, dataset, seed)
                for dataset in self.segment_on
                for seed in self.segment_seeds
            ),
        ]

    def kind(self, method: str) -> str:
        """The registered name of a row's method."""
        return self.row(method).kind

    def method_config(self, method: str) -> Config:
        """A row's settings as its method's own class."""
        return self.row(method).method_config()

    def has_images(self, method: str, dataset: str) -> bool:
        """Whether a row has fused images of a data set to measure and to show."""
        self.dataset(dataset)
        return self.row(method).fuses(dataset)

    def trivial(self) -> list[str]:
        """The trivial baselines."""
        return [name for name, row in self.methods.items() if row.trivial()]

    def precomputed(self) -> list[str]:
        """The rows whose images other software fused."""
        return [name for name, row in self.methods.items() if isinstance(row, Precomputed)]

    def unfused(self) -> list[str]:
        """The rows whose detectors and segmentation networks see both images."""
        return [name for name, row in self.methods.items() if isinstance(row, EarlyFusion)]

    def phase_settings(self, key: str) -> PhaseConfig:
        """A training phase's settings as the method's own class."""
        step = self.step(key)
        return methods.settings_of(self.kind(step.method)).phases[step.phase](**step.settings)

    def import_methods(self) -> None:
        """Import every row's method.

        Raises:
            InputError: a method cannot be imported, or its settings are of another class.
        """
        for row in self.methods.values():
            if row.code():
                methods.get(row.kind)
                row.method_config()


def load(path: Path = PARAMS) -> Params:
    """Read and validate params.yaml.

    A method that cannot be imported is not an error here; it fails where its rows are used.

    Raises:
        InputError: as `read` and `validate`.
    """
    return validate(read(path), path)


def read(path: Path = PARAMS) -> dict[str, Any]:
    """The content of params.yaml, not yet validated.

    Raises:
        InputError: the file is missing, empty or not YAML, or repeats a key.
    """
    if not path.is_file():
        raise InputError(path, "is missing", "run from the project's root folder")
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise InputError(path, "is not a YAML mapping", "regenerate it with `pomai params`")
    return content


def validate(content: dict[str, Any], path: Path = PARAMS) -> Params:
    """Content of params.yaml as typed objects.

    Raises:
        InputError: a key is unknown or missing; a value has the wrong type or is invalid. The
            message names each key, its value and the allowed values.
    """
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise InputError(path, problems(error), "correct these keys") from error


def is_reproducible(content: dict[str, Any]) -> bool:
    """Whether `runtime.reproducible` is on; false where `validate` will reject the runtime."""
    try:
        return RuntimeConfig.model_validate(content.get("runtime")).reproducible
    except ValidationError:
        return False


def _require_known(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        shown = list_names(known) or "none"
        raise InputError("params.yaml", f"has no {what} '{name}'", f"it has {shown}")
