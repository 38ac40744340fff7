"""Runs a command and ends it, with all that it started, when the parent process dies.

    python child.py COMMAND…

The parent holds the other end of standard input and leads nobody else's process group. The kernel
closes that end even after `kill -9`, and this process then kills its own group. An interrupt is
left to the command. Standard library only: one starts for every stage.
"""

import os
import signal
import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    """Run the command; returns its exit status, 128 + n after signal n."""
    signal.signal(signal.SIGINT, lambda *_: None)  # ignoring it would make the command ignore it
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    status = process.wait()
    return status if status >= 0 else 128 - status


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
