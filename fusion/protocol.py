"""What the scores of two rows must share to be comparable: a protocol of readable facts."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fusion.images import InputError

Protocol = Mapping[str, Any]
"""Facts by name, nested, of JSON's types."""


def protocol_digest(protocol: Protocol) -> str:
    """SHA-256 of the facts, whatever their order."""
    return hashlib.sha256(json.dumps(protocol, sort_keys=True).encode()).hexdigest()


def of_repeats(runs: Sequence[Protocol]) -> dict[str, Any]:
    """`protocol` and `protocol_sha256` of runs that differ in their `seed` alone."""
    shared = {name: value for name, value in runs[0].items() if name != "seed"}
    protocol = {**shared, "seeds": [run["seed"] for run in runs]}
    return {"protocol": protocol, "protocol_sha256": protocol_digest(protocol)}


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content.

    Raises:
        InputError: it is missing.
    """
    if not path.is_file():
        raise InputError(path, "is missing", "give the path of the file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_digest(*sources: Path) -> str:
    """SHA-256 of Python files; of folders, all below. What a run computed is no other code's."""
    digest = hashlib.sha256()
    for source in sources:
        for file in sorted(source.rglob("*.py")) if source.is_dir() else [source]:
            digest.update(file_digest(file).encode())
    return digest.hexdigest()


def library_versions(*names: str) -> dict[str, str]:
    """Installed version by distribution name."""
    return {name: version(name) for name in names}


def differences(first: Protocol, second: Protocol) -> dict[str, tuple[Any, Any]]:
    """Facts that two protocols do not share: dotted name -> both values, None where it lacks."""
    values, others = dict(_flat(first)), dict(_flat(second))
    return {
        name: (values.get(name), others.get(name))
        for name in {**values, **others}
        if values.get(name) != others.get(name)
    }


def _flat(facts: Protocol, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
