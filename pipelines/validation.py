"""What pydantic finds wrong, in the words of params.yaml: key, reason, value."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError


def require(
    condition: bool, key: str, value: str, allowed: Sequence[str] | Mapping[str, Any]
) -> None:
    """Raise ValueError unless `condition`: the value of `key` is not among `allowed`."""
    if not condition:
        raise ValueError(f"{key}: '{value}' is not one of {', '.join(allowed) or '(none)'}")


def nested(model: type[BaseModel], values: dict[str, Any], where: str) -> None:
    """Validate a method's own settings.

    Raises:
        ValueError: they are not; the message has the full keys, which begin with `where`.
    """
    try:
        model(**values)
    except ValidationError as error:
        raise ValueError(problems(error, where)) from error


def problems(error: ValidationError, where: str = "", hidden: Sequence[str] = ()) -> str:
    """All problems in one line; parts of keys that are `hidden` are left out."""
    return "; ".join(_problem(item, where, hidden) for item in error.errors())


def _problem(item: Any, where: str, hidden: Sequence[str]) -> str:
    parts = [str(part) for part in item["loc"]]
    if parts[-1:] == ["[key]"]:
        parts = parts[:-2]  # the message names the key
    if parts[:1] == ["methods"] and parts[2:3] and parts[2] in hidden:
        del parts[2]
    location = ".".join([where] * bool(where) + parts)
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        return f"{location}: unknown key"
    if item["type"] == "value_error":
        return f"{location}: {message}" if location else message
    shown = "" if item["type"] == "missing" else f" (is {item['input']!r}{_hint(item['input'])})"
    return f"{location}: {message}{shown}"


def _hint(value: Any) -> str:
    """YAML 1.1 takes 1e-3 for text."""
    found = re.fullmatch(r"([+-]?\d+)(\.\d*)?e([+-]?)(\d+)", str(value), re.IGNORECASE)
    if not isinstance(value, str) or not found:
        return ""
    whole, fraction, sign, exponent = found.groups()
    return f": text to YAML 1.1, write {whole}{fraction or '.0'}e{sign or '+'}{exponent}"
