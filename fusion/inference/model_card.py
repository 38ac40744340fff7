"""Renders a model card as the README.md that model hubs show: YAML front matter and Markdown."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fusion.core.errors import list_names

LICENSE = "agpl-3.0"
TAGS = ["image-fusion", "infrared", "visible", "thermal"]


def render_card(name: str, card: Mapping[str, Any]) -> str:
    """Render a card.

    Args:
        name: the model's name: a released network, or the folder it is published in.
        card: content of `card.json`, as training and `pomai publish` leave it. Its `metrics` are
            either data set → quantity → value, or, for the released networks, `unstretched` and
            `stretched` → data set → method → quantity → value.

    Returns:
        Front matter that huggingface_hub reads (license, library, task, data sets, results) and
        sections on use, training, results and limits. Missing facts are left out.
    """
    sections = [f"# {name}", _summary(card), _use(name), _training(card), _results(card), _limits()]
    return f"---\n{_front_matter(name, card)}---\n\n" + "\n\n".join(filter(None, sections)) + "\n"


def _front_matter(name: str, card: Mapping[str, Any]) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="image-to-image",
            task_name="Infrared-visible image fusion",
            dataset_type=dataset.split(",")[0].lower(),
            dataset_name=dataset,
            metric_type=quantity,
            metric_value=value,
            metric_name=quantity,
        )
        for dataset, quantities in _own_metrics(name, card).items()
        for quantity, value in quantities.items()
    ]
    content = ModelCardData(
        license=LICENSE,
        library_name="pomai",
        pipeline_tag="image-to-image",
        tags=[*TAGS, card["method"]],
        datasets=sorted(card.get("data", {}).get("sets", {})),
        metrics=sorted({result.metric_type for result in results}),
        model_name=name,
        eval_results=results,
    )
    return content.to_yaml() + "\n"


def _own_metrics(name: str, card: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The model's own measurements, data set → quantity → value; unstretched where both exist."""
    metrics = card.get("metrics", {})
    if "unstretched" not in metrics:
        return dict(metrics)
    return {dataset: rows[name] for dataset, rows in metrics["unstretched"].items() if name in rows}


def _summary(card: Mapping[str, Any]) -> str:
    size = f" It has {card['parameters']:,} parameters." if "parameters" in card else ""
    return (
        f"This network (method `{card['method']}`) fuses an aligned infrared and visible image into"
        f" one image in the visible image's color.{size}"
    )


def _use(name: str) -> str:
    return f"""## Use

```python
from fusion import load

fuse = load("{name}")  # a released name, this folder, or owner/name on a model hub
fused = fuse(infrared, visible)  # uint8: H×W and H×W×3
```

```bash
pomai fuse --weights {name} --ir thermal.png --vi photo.jpg --out fused.png
```"""


def _training(card: Mapping[str, Any]) -> str:
    phases = [phase for phase in (*card.get("before", []), card) if "phase" in phase]
    if not phases:
        return ""
    header = ["phase", "epochs", "updates", "batch size", "crop", "learning rate"]
    rows = [
        [
            phase["phase"],
            *(phase["settings"].get("epochs", "–"), phase["updates"]),
            *(phase["settings"].get(key, "–") for key in ("batch_size", "crop", "learning_rate")),
        ]
        for phase in phases
    ]
    return "\n\n".join(["## Training", _table(header, rows), "\n".join(_provenance(card))])


def _provenance(card: Mapping[str, Any]) -> Iterator[str]:
    data, machine = card.get("data"), card.get("trained_on")
    if data:
        sets = ", ".join(f"{name} ({pairs})" for name, pairs in data["sets"].items())
        digest = f"SHA-256 of names, sizes and pixels `{data['sha256']}`"
        yield f"- Data: {data['pairs']} pairs from {sets}; {digest}"
    if card.get("commit"):
        changed = list_names(card.get("uncommitted", []))
        yield f"- Commit: `{card['commit']}`" + (f", with changes in {changed}" if changed else "")
    if "command" in card:
        yield f"- Command: `{card['command']}`"
    if "seed" in card:
        yield f"- Seed: {card['seed']}"
    if machine:
        seconds = ", ".join(f"{phase} {value} s" for phase, value in machine["seconds"].items())
        note = f" ({machine['note']})" if "note" in machine else ""
        yield (
            f"- Machine: {machine['device']}, torch {machine['torch']}, precision "
            f"{machine['precision']}; {seconds}{note}"
        )
    yield f"- Network settings: `{json.dumps(card['config'])}`"


def _results(card: Mapping[str, Any]) -> str:
    metrics = card.get("metrics", {})
    if not metrics:
        return ""
    parts = ["## Results"]
    if "unstretched" in metrics:
        parts.append(f"Fusion metrics by protocol `{metrics['protocol']}`, means over the pairs.")
        for stretching in ("unstretched", "stretched"):
            for dataset, rows in metrics[stretching].items():
                parts.append(f"{dataset}, {stretching}:\n\n{_scores('method', rows)}")
    else:
        parts.append(_scores("data set", metrics))
        parts.append("\n".join(f"- {condition}" for condition in card.get("conditions", [])))
    return "\n\n".join(filter(None, parts))


def _limits() -> str:
    return """## Limits

- The pairs must be aligned pixel by pixel; the network does not register them.
- The network has learned from the data sets named above. Measure it on your own images first.
- Weights are safetensors: loading them runs no code."""


def _scores(first: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    quantities = list(dict.fromkeys(quantity for row in rows.values() for quantity in row))
    cells = [
        [name, *(f"{row[quantity]:#.4g}" if quantity in row else "–" for quantity in quantities)]
        for name, row in rows.items()
    ]
    return _table([first, *quantities], cells)


def _table(header: list[str], rows: list[list[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)
