"""Stage: what a method's images come from -> a folder that the fuse stage can load."""

from pathlib import Path

from fusion import methods
from fusion.core.code import code_digest
from fusion.core.errors import InputError
from fusion.inference.precomputed import PRECOMPUTED, checksum_of_images
from fusion.methods.files import copy_model, read_card, save_card, save_model
from pipelines import params
from pipelines.entry import run
from pipelines.paths import MODELS


def main(method: str) -> None:
    """Put METHOD's trained weights, or its card alone if nothing is trained, into models/METHOD."""
    settings = params.load()
    if settings.kind(method) == PRECOMPUTED:
        row = settings.methods[method]
        facts = {"images": checksum_of_images(Path(row.source)), "config": row.config}
        save_card(MODELS / method, PRECOMPUTED, facts)
        return
    kind = methods.get(settings.kind(method))
    source = Path(settings.methods[method].source)
    if kind.phases:
        if not source.exists():
            raise InputError(source, "does not exist", f"train {method} first")
        if (found := read_card(source)["method"]) != settings.kind(method):
            reason = f"has weights of {found}, not of {settings.kind(method)}"
            raise InputError(source, reason, f"correct `kind` or `source` of methods.{method}")
        copy_model(source, MODELS / method)
    else:
        save_model(MODELS / method, settings.kind(method), kind(settings.method_config(method)), {})
    card = read_card(MODELS / method)
    # the fuse stage reads the card: so it runs again when this method's code changes, and only then
    card["network_code"] = code_digest(methods.code_of(settings.kind(method)))
    save_card(MODELS / method, card.pop("method"), card)


if __name__ == "__main__":
    run(main)
