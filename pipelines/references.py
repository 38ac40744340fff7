"""Cross-references of params.yaml: what one key names, another has, with all that a task needs."""

from pathlib import Path
from typing import TYPE_CHECKING

from fusion import methods
from fusion.core.errors import InputError, list_names
from fusion.methods import TaughtPhaseConfig
from pipelines.folders import (
    require_distinct_folders,
    require_paths_inside,
    require_sources_apart,
    require_weight_file,
)
from pipelines.paths import MODELS, TEACHERS, WRITTEN
from pipelines.sections import TrainingParams
from pipelines.validation import nested, require, require_distinct

if TYPE_CHECKING:
    from pipelines.params import Params

_TASKS = {
    "detect_on": (("m3fd", "boxes"), ("train", "val", "test")),
    "segment_on": (("msrs", "masks"), ("train", "test")),
}
"""Requirements of a task: the layouts with its labels, and the splits."""


def require_references(params: "Params") -> None:
    """Check all cross-references.

    Raises:
        ValueError: a name is unknown, or what it names lacks something; the message starts with the
            key.
        InputError: a path leads out of the project, or two folders are one.
    """
    _data_sets_are_known(params)
    for name, row in params.methods.items():
        row.checked(params.datasets, params.training)
        _has_what_tasks_need(params, name)
    _training_is_possible(params)
    require_paths_inside(params.given_paths())
    sources = [(f"datasets.{name}.source", data.source) for name, data in params.datasets.items()]
    require_sources_apart(sources, WRITTEN)
    require_distinct_folders(params.methods, params.datasets, params.training, params.fuse_on)
    _weight_files_are_there(params)


def _data_sets_are_known(params: "Params") -> None:
    for key in ("train_on", "fuse_on", "detect_on", "segment_on"):
        allowed = params.datasets if key in ("train_on", "fuse_on") else params.fuse_on
        require_distinct(key, getattr(params, key))
        for name in getattr(params, key):
            require(name in allowed, key, name, allowed)
            _can_be_done(params, key, name)


def _can_be_done(params: "Params", key: str, name: str) -> None:
    """Check a task's labels and splits now, because the task runs after all training."""
    if key not in _TASKS:
        return
    config, (layouts, needed) = params.datasets[name], _TASKS[key]
    if config.layout not in layouts:
        raise ValueError(
            f"{key}: '{name}' has layout '{config.layout}' and needs {' or '.join(layouts)}"
        )
    if shortage := config.shortage(needed):
        wanted = ", ".join(needed) + (": all above 0" if "fractions" in shortage else "")
        raise ValueError(f"datasets.{name}.{shortage}, but {key} needs {wanted}")


def _has_what_tasks_need(params: "Params", method: str) -> None:
    for dataset in [*params.detect_on, *params.segment_on]:
        if not params.methods[method].has(dataset):
            where = f"methods.{method}.config.folders"
            raise ValueError(f"{where}: lacks '{dataset}', which detect_on or segment_on names")


def _training_is_possible(params: "Params") -> None:
    if params.training and not params.train_on:
        raise ValueError("train_on: names no data set, and training needs one")
    require_distinct("teachers", params.teachers)
    for name in params.teachers:
        _can_teach(params, name)
    for key, step in params.training.items():
        _phase_is_possible(params, f"training.{key}", step)


def _can_teach(params: "Params", name: str) -> None:
    """Check that teachers are ready before they are needed, and fuse the training pairs."""
    taught = {step.method for step in params.training.values() if step.taught()}
    able = [method for method in _with_a_method(params) if method not in taught]
    if name not in params.methods:
        learners = list_names(sorted(taught)) or "no method"
        reason = f"'{name}' has no row, and {learners} learns from it"
        raise ValueError(f"teachers: {reason}; add it to method=[…], or name {list_names(able)}")
    require(name in able, "teachers", name, able)


def _with_a_method(params: "Params") -> list[str]:
    return [name for name, row in params.methods.items() if row.code()]


def _phase_is_possible(params: "Params", where: str, step: TrainingParams) -> None:
    trainable = _with_a_method(params)
    require(step.method in trainable, f"{where}.method", step.method, trainable)
    kind = params.methods[step.method].kind
    code = methods.code_of(kind).as_posix()
    require(step.code == code, f"{where}.code", step.code, [code])
    made = [str(MODELS / key) for key in params.training]
    unmade = Path(step.after).parent == MODELS and step.after not in made
    require(not unmade, f"{where}.after", step.after, made)
    _comes_to_an_end(params, f"{where}.after", step)
    try:
        phases = methods.settings_of(kind).phases
    except InputError:
        return  # its own stages say so; other rows are not affected
    require(step.phase in phases, f"{where}: phase", step.phase, phases)
    nested(phases[step.phase], step.settings, f"{where}.settings")
    if issubclass(phases[step.phase], TaughtPhaseConfig):
        for name in step.settings["teachers"]:
            require(name in params.teachers, f"{where}.settings.teachers", name, params.teachers)
        require(step.taught(), f"{where}.after", step.after, [str(TEACHERS)])


def _comes_to_an_end(params: "Params", where: str, step: TrainingParams) -> None:
    """Check that what a phase waits for does not wait for the phase itself."""
    waiting = [step.after]
    while (name := Path(waiting[-1]).name) in params.training:
        waiting.append(params.training[name].after)
        if waiting[-1] in waiting[:-1]:
            chain = " waits for ".join(waiting)
            raise ValueError(f"{where}: {chain}: a phase waits for itself")


def _weight_files_are_there(params: "Params") -> None:
    """Check weight files now, because the last stages read them."""
    if params.detect_on and params.detection.weights:
        require_weight_file("detection.weights", params.detection.weights)
    if params.segment_on and (encoder := params.segmentation.weight_file()):
        require_weight_file("segmentation.encoder_weights", encoder)
