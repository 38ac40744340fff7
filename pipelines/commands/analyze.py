"""`pomai analyze`: differences between infrared and visible images of any set of pairs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusion.core.errors import InputError, unwritable
from pipelines.commands.options import Accelerator, InfraredRange

if TYPE_CHECKING:
    from rich.table import Table

    from fusion.analysis.similarity import LayerSimilarity


def analyze(
    ir: Annotated[Path, typer.Option(help="Folder of infrared images.")],
    vi: Annotated[Path, typer.Option(help="Folder of visible images.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for analysis.json and the plots.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Trained method, as for `pomai fuse`: CKA of its encoders."),
    ] = None,
    cka_pairs: Annotated[
        int, typer.Option(min=1, help="Number of pairs for CKA, evenly spread over the set.")
    ] = 32,
    seed: Annotated[int, typer.Option(help="Seed of the positions for CKA.")] = 0,
    ir_range: InfraredRange = None,
    accelerator: Accelerator = "auto",
) -> None:
    """Sparsity, Jensen-Shannon divergence and similarity of encoder layers of a set of pairs."""
    from fusion.analysis.modalities import measure_pairs, summarize
    from fusion.analysis.similarity import layer_similarity
    from fusion.core.config import RuntimeConfig
    from fusion.core.runtime import pick_device
    from fusion.images.pairs import find_pairs
    from fusion.inference.pretrained import load
    from pipelines.commands.notes import Notes
    from pipelines.commands.terminal import console, progress

    if out:
        _require_folder(out)
    method = load(weights).method if weights else None
    pairs = find_pairs(ir, vi)
    chosen = pairs[:: -(-len(pairs) // cka_pairs)]
    similarity, notes = None, Notes()
    with progress("{task.description}") as bars:
        bar = bars.add_task("pairs", total=len(pairs))
        frame = measure_pairs(
            pairs, lambda: bars.advance(bar), infrared_range=ir_range, on_note=notes.add
        )
        summary = summarize(frame)
        if method:
            layers = bars.add_task("encoders", total=len(chosen))
            device = pick_device(RuntimeConfig(accelerator=accelerator))
            similarity = layer_similarity(
                method,
                chosen,
                device=device,
                seed=seed,
                infrared_range=ir_range,
                on_pair=lambda: bars.advance(layers),
            )
    terminal = console()
    terminal.print(_sparsity_table(summary))
    terminal.print(_divergence_table(summary))
    if similarity:
        terminal.print(_similarity_table(similarity))
    notes.print()
    if out:
        _write(out, summary, similarity)


def _require_folder(out: Path) -> None:
    """Make the folder of results now: a mistake in its name must not cost the analysis."""
    from fusion.core.files import require_writable

    if not out.absolute().parent.is_dir():
        raise InputError(out.parent, "is not a folder", "make it first")
    try:
        out.mkdir(exist_ok=True)
    except OSError as error:
        raise unwritable(out, error) from error
    require_writable(out / "analysis.json")


def _write(out: Path, summary: dict[str, Any], similarity: "LayerSimilarity | None") -> None:
    from fusion.analysis.plots import divergence_scatter, similarity_map, sparsity_bars
    from fusion.core.files import write_bytes

    sparsity_bars(summary, out / "sparsity.png")
    divergence_scatter(summary, out / "divergence.png")
    content = dict(summary)
    if similarity:
        similarity_map(similarity, out / "cka.png")
        content["cka"] = {
            "infrared": similarity.infrared,
            "visible": similarity.visible,
            "samples": similarity.samples,
            "values": [[_number(value) for value in row] for row in similarity.values.tolist()],
        }
    write_bytes(out / "analysis.json", (json.dumps(content, indent=2) + "\n").encode())


def _number(value: float) -> float | None:
    return value if value == value else None  # JSON knows no NaN


def _sparsity_table(summary: dict[str, Any]) -> "Table":
    from rich.table import Table

    title = f"sparsity of {summary['pairs']} pairs"
    heads = ("measure", "infrared", "visible", "P infrared < visible")
    table = Table(*heads, title=title, title_justify="left", min_width=60)
    for name, values in summary["sparsity"].items():
        means = (f"{values[kind]:.3f}" for kind in ("infrared", "visible"))
        table.add_row(name, *means, f"{100 * values['below']:.1f} %")
    return table


def _divergence_table(summary: dict[str, Any]) -> "Table":
    from rich.table import Table

    title = f"JS divergence, mean {summary['divergence']['mean']:.3f} bits"
    table = Table("cluster", "center", "pairs", title=title, title_justify="left", min_width=60)
    for label, group in enumerate(summary["divergence"]["clusters"]):
        table.add_row(str(label), f"{group['center']:.3f}", str(group["pairs"]))
    return table


def _similarity_table(similarity: "LayerSimilarity") -> "Table":
    from rich.table import Table

    title = f"linear CKA of infrared (down) and visible layers, {similarity.samples} positions"
    table = Table("", *similarity.visible, title=title, title_justify="left", min_width=60)
    for name, row in zip(similarity.infrared, similarity.values.tolist(), strict=True):
        table.add_row(name, *(f"{value:.3f}" for value in row))
    return table
