"""DVC experiments of the workspace."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from fusion.core.errors import InputError
from pipelines.git import git


def require_free(name: str | None) -> None:
    """Check, before hours of work, that an experiment can be saved.

    Raises:
        InputError: the project has no commit, the name is not a valid one, or it is taken.
    """
    if git("rev-parse", "--verify", "HEAD") is None:
        remedy = "commit the project: git add -A && git commit -m start"
        raise InputError("dvc exp save", "needs a commit", remedy)
    if name is None:
        return
    if "/" in name or git("check-ref-format", f"refs/exps/{name}") is None:
        raise InputError("--name", f"'{name}' is not a name", "take letters, digits and -")
    if is_saved(name):
        remedy = f"take another name, or remove it: dvc exp remove {name}"
        raise InputError("--name", f"an experiment '{name}' of this commit exists", remedy)


def is_saved(name: str) -> bool:
    """Whether the checked out commit has an experiment of this name."""
    head = git("rev-parse", "--verify", "HEAD") or ""
    reference = f"refs/exps/{head[:2]}/{head[2:]}/{name}"
    return git("rev-parse", "--verify", "--quiet", reference) is not None


def save(name: str | None, stages: Sequence[str] = ()) -> str:
    """Save the workspace as an experiment; returns its name.

    Args:
        name: DVC invents one if it is None.
        stages: those whose outputs are recorded; all by default.

    Raises:
        InputError: DVC cannot save it.
    """
    named = ["--name", name] if name else []
    printed = _dvc("--wait-for-lock", "exp", "save", *named, *stages)
    found = re.search(r"saved as: (\S+)", printed)
    return name or (found.group(1) if found else "see `dvc exp show`")


def of_commit() -> list[dict[str, Any]]:
    """The experiments of the checked out commit, as `dvc exp show --json` prints them.

    Raises:
        InputError: DVC cannot read them.
    """
    shown: list[dict[str, Any]] = json.loads(_dvc("exp", "show", "--rev", "HEAD", "--json"))
    return shown


def _dvc(*arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = " ".join(done.stderr.split())
        raise InputError("dvc " + " ".join(arguments), reason, "correct this first")
    return done.stdout
