"""Stage: weights or code of a method -> a folder that the fuse stage can load."""

from pathlib import Path
from typing import Any

from fusion import methods
from fusion.core.code import code_digest
from fusion.core.errors import InputError
from fusion.core.files import file_digest
from fusion.inference.cost import count_flops
from fusion.inference.precomputed import checksum_of_images
from fusion.methods.files import copy_model, load_model, read_card, save_card, save_model
from fusion.methods.onnx.config import OnnxConfig
from fusion.methods.onnx.method import Onnx
from pipelines import params
from pipelines.costs import ModelCost, model_cost_file
from pipelines.paths import MODELS
from pipelines.rows import EarlyFusion, Exported, Precomputed, Row, Untrained


def main(method: str) -> None:
    """Put METHOD's trained weights, or its card alone if nothing is trained, into models/METHOD."""
    row, folder = params.load().row(method), MODELS / method
    source = Path(row.source)
    if isinstance(row, Precomputed | EarlyFusion):
        save_card(folder, row.kind, _facts(row, source))
        ModelCost(parameters=None, gflop=None).save(model_cost_file(method))
        return
    if isinstance(row, Untrained):
        save_model(folder, row.kind, methods.get(row.kind)(row.method_config()), {})
    elif isinstance(row, Exported):
        read, facts = Onnx.read(source, OnnxConfig(**row.config)), {"sha256": file_digest(source)}
        save_model(folder, row.kind, read, facts)
    else:
        _check_weights(row, source)
        copy_model(source, folder)
    card = read_card(folder)
    # the fuse stage reads the card: so it runs again when this method's code changes, and only then
    card["network_code"] = code_digest(methods.code_of(row.kind))
    save_card(folder, card.pop("method"), card)
    _size(row, folder).save(model_cost_file(method))


def _facts(row: Precomputed | EarlyFusion, source: Path) -> dict[str, Any]:
    """What the images of a row without a method depend on."""
    if isinstance(row, EarlyFusion):
        return {"code": code_digest(source)}
    return {"images": checksum_of_images(source), "config": row.config.model_dump()}


def _size(row: Row, folder: Path) -> ModelCost:
    if isinstance(row, Exported):  # ONNX Runtime computes: its operations are out of sight
        return ModelCost(parameters=None, gflop=None)
    network = load_model(folder)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return ModelCost(parameters=parameters, gflop=count_flops(network) / 1e9)


def _check_weights(row: Row, source: Path) -> None:
    """Check that the weights exist, are of the row's method, and that its code can be imported."""
    methods.get(row.kind)
    if not source.exists():
        raise InputError(source, "does not exist", f"train {row.name} first")
    if (found := read_card(source).get("method")) != row.kind:
        reason = f"has weights of {found}, not of {row.kind}"
        raise InputError(source, reason, f"correct `kind` or `source` of methods.{row.name}")
