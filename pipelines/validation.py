"""Pydantic's validation errors, one line per problem."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from fusion.core.errors import own_words

_KIND_AT = {"datasets": 2, "methods": 2}
"""Index of a union's tag in the location of a problem, by its first key; users do not write it."""


def problems(error: ValidationError, where: str = "", kind_at: int | None = None) -> str:
    """All problems of a validation, each with its key.

    Args:
        error: the validation error.
        where: key of the validated part, if it is a part of a larger object.
        kind_at: index of a union's tag in the locations, where a single such object was validated.
    """
    return "; ".join(_problem(item, where, kind_at) for item in error.errors())


def require(
    condition: bool, key: str, value: str, allowed: Sequence[str] | Mapping[str, Any]
) -> None:
    """Raise ValueError unless `condition`: the value of `key` is not among `allowed`."""
    if not condition:
        raise ValueError(f"{key}: '{value}' is not one of {', '.join(allowed) or '(none)'}")


def require_distinct(key: str, names: Sequence[str]) -> None:
    """Raise ValueError if a name is there twice: its stages would have one name."""
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{key}: '{name}' is there twice")


def nested(model: type[BaseModel], values: dict[str, Any], where: str) -> None:
    """Validate a method's own settings.

    Raises:
        ValueError: they are not valid; the message has the full keys, which begin with `where`.
    """
    try:
        model(**values)
    except ValidationError as error:
        raise ValueError(problems(error, where)) from error


def _problem(item: Any, where: str, kind_at: int | None) -> str:
    place = [str(part) for part in item["loc"]]
    if place[-1:] == ["[key]"]:
        place = place[:-2]  # the message names the key
    tag = _KIND_AT.get(place[0], kind_at) if place else None
    if tag is not None:
        del place[tag : tag + 1]
    location = ".".join([*([where] if where else []), *place])
    if item["type"] == "union_tag_invalid":
        union = item["ctx"]
        field = ".".join([location] * bool(location) + [union["discriminator"].strip("'")])
        return f"{field}: '{union['tag']}' is not one of {union['expected_tags']}"
    message = own_words(item["msg"])
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
