"""Questions to Git."""

import subprocess


def git(*arguments: str) -> str | None:
    """What a Git command prints in this folder; None if it fails or Git is not installed."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)  # noqa: S607
    except FileNotFoundError:
        return None
    return done.stdout.strip() if not done.returncode else None
