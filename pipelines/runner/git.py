"""Questions to Git."""

import subprocess


def git(*arguments: str) -> str | None:
    """What a Git command prints in this folder; None if it fails."""
    command = ["git", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if not done.returncode else None
