"""Folders of Git repositories: shallow, sparse, and at one commit."""

import os
import subprocess
from pathlib import Path

from fusion.core.errors import InputError


def clone(url: str, commit: str | None, paths: list[str], folder: Path) -> str:
    """Check out `paths` of one commit in `folder`, without history; an earlier attempt continues.

    Args:
        url: the repository.
        commit: the commit's full hash; None takes the latest of the default branch.
        paths: folders to check out.
        folder: the working tree, created when needed.

    Returns:
        The commit's hash.

    Raises:
        InputError: Git is not installed, the repository cannot be reached, or it lacks the commit
            or a path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ".git").exists():
        _git(url, folder, "init", "--quiet", "--template=")
        _git(url, folder, "remote", "add", "origin", url)
    _git(url, folder, "sparse-checkout", "set", "--no-cone", *(f"/{path}/" for path in paths))
    fetch = ("fetch", "--quiet", "--depth=1", "--filter=blob:none", "--no-tags")
    _git(url, folder, *fetch, "origin", commit or "HEAD")
    _git(url, folder, "checkout", "--quiet", "--force", "FETCH_HEAD")
    if missing := [path for path in paths if not (folder / path).is_dir()]:
        raise InputError(url, f"has no folder {', '.join(missing)}", "look at the repository")
    return _git(url, folder, "rev-parse", "HEAD").strip()


def _git(url: str, folder: Path, *arguments: str) -> str:
    # Links in a repository could point anywhere: they are written as plain text files.
    settings = ["-c", "core.symlinks=false", "-c", "advice.detachedHead=false"]
    try:
        done = subprocess.run(
            ["git", *settings, *arguments],  # noqa: S607 - Git is where the user has it
            cwd=folder,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError as error:
        raise InputError("git", "is not installed", "install Git (https://git-scm.com)") from error
    except subprocess.CalledProcessError as error:
        raise _worded(url, error.stderr) from error
    return done.stdout


_CAUSES = {
    "No space left": ("the disk is full", "free space, then run the same command again"),
    "Could not resolve": ("cannot be reached", "check the network, then run the command again"),
    "unable to access": ("cannot be reached", "check the network, then run the command again"),
    "unable to connect": ("cannot be reached", "check the network, then run the command again"),
    "not our ref": ("no longer has the commit that was asked for", "--accept the latest one"),
    "could not read Username": ("is gone, or wants a login", "open it in a browser"),
    "does not appear to be a git repository": ("is not a Git repository", "check its address"),
    **dict.fromkeys(
        ("RPC failed", "early EOF", "hung up unexpectedly"),
        ("the connection ended before everything was there", "run the same command again"),
    ),
}


def _worded(url: str, said: str) -> InputError:
    for words, (reason, remedy) in _CAUSES.items():
        if words in said:
            return InputError(url, reason, remedy)
    last = (said.strip().splitlines() or ["no message"])[-1]
    return InputError(url, f"Git failed: {last}", "correct this, then run the same command again")
