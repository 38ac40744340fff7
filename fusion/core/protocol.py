"""What the scores of two rows must share to be comparable: a protocol of readable facts."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

Protocol = Mapping[str, Any]
"""Facts by name, nested, of JSON's types."""


def protocol_digest(protocol: Protocol) -> str:
    """SHA-256 of the facts; their order does not matter."""
    return hashlib.sha256(json.dumps(protocol, sort_keys=True).encode()).hexdigest()


def library_versions(*names: str) -> dict[str, str]:
    """Installed version by distribution name."""
    return {name: version(name) for name in names}


def differences(first: Protocol, second: Protocol) -> dict[str, tuple[Any, Any]]:
    """Facts that two protocols do not share: dotted name -> both values (None: missing)."""
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
