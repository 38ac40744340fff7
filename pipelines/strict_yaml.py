"""Strict YAML: wrong encodings, syntax errors and duplicate keys are reported with the line."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from fusion.core.errors import InputError
from fusion.core.files import read_bytes

LIMIT = 2**22
"""Bytes of a file of parameters."""


_OTHER_NUMBER = re.compile(r"[-+]?0[0-9_]+|.*:.*")
"""Numbers of other bases to YAML 1.1: 010 is 8, 1:30 is 90. DVC reads YAML 1.2: 10 and text."""


class _Strict(yaml.SafeLoader):
    """PyYAML's safe loader, but equal keys and numbers with two meanings are refused."""

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """A number that YAML 1.1 and 1.2 read alike."""
        text = str(self.construct_scalar(node))
        if _OTHER_NUMBER.fullmatch(text):
            problem = f"the number {text} has another value in YAML 1.1 than in YAML 1.2"
            raise ConstructorError(None, None, problem, node.start_mark)
        whole = node.tag == "tag:yaml.org,2002:int"
        return self.construct_yaml_int(node) if whole else self.construct_yaml_float(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise ConstructorError(
                    None, None, f"the key '{key}' is there twice", key_node.start_mark
                )
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep)


for _tag in ("int", "float"):
    _Strict.add_constructor(f"tag:yaml.org,2002:{_tag}", _Strict.construct_number)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file, by PyYAML's safe loader.

    Raises:
        InputError: the file cannot be read, is not UTF-8, begins with a byte order mark, is not
            valid YAML, or has a key twice; the message names the line.
    """
    try:
        text = read_bytes(path, LIMIT).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(path, "is not UTF-8", "save it as UTF-8 without a byte order mark") from (
            error
        )
    if text.startswith("\N{BYTE ORDER MARK}"):
        reason = "begins with a byte order mark, which hides its first line"
        raise InputError(path, reason, "save it as UTF-8 without a byte order mark")
    try:
        return yaml.load(text, _Strict)  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise InputError(path, f"{line}{_words(error)}", "correct it") from error
    except RecursionError as error:
        raise InputError(path, "is nested too deeply", "correct it") from error
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:
        # PyYAML's own constructors fail of a number, a date or a tagged value that is none
        raise InputError(path, f"is not valid YAML: {error}", "correct it") from error


def _words(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "?"
    if "'\\t'" in problem:
        return "a tab indents or separates here; YAML wants spaces"
    own = problem.endswith("twice") or problem.startswith("the number")
    return problem if own else f"is not valid YAML: {problem}"
