"""What pydantic found wrong, in one line a problem."""

from typing import Any

from pydantic import ValidationError

_KIND_AT = {"datasets": 2}
"""Where the location of a problem holds a union's tag, by its first key: nobody wrote that key."""


def problems(error: ValidationError, where: str = "", kind_at: int | None = None) -> str:
    """All problems of a validation, each with its key.

    Args:
        error: what was raised.
        where: key of what was validated, if it is a part of something larger.
        kind_at: index of a union's tag in the locations, where a single such object was validated.
    """
    return "; ".join(_problem(item, where, kind_at) for item in error.errors())


def _problem(item: Any, where: str, kind_at: int | None) -> str:
    place = [str(part) for part in item["loc"] if part != "[key]"]
    tag = _KIND_AT.get(place[0], kind_at) if place else None
    if tag is not None:
        del place[tag : tag + 1]
    location = ".".join([*([where] if where else []), *place])
    if item["type"] == "union_tag_invalid":
        union = item["ctx"]
        field = ".".join([location] * bool(location) + [union["discriminator"].strip("'")])
        return f"{field}: '{union['tag']}' is not one of {union['expected_tags']}"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        return f"{location}: unknown key"
    if item["type"] == "value_error":
        return f"{location}: {message}" if location else message
    shown = "" if item["type"] == "missing" else f" (is {item['input']!r})"
    return f"{location}: {message}{shown}"
