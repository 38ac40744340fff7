"""Where DVC's lock lies: some network file systems need `core.hardlink_lock`."""

import subprocess
import sys
from pathlib import Path

NETWORK = {
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "fuse.glusterfs",
    "fuse.juicefs",
    "fuse.sshfs",
    "gpfs",
    "lustre",
    "nfs",
    "nfs4",
    "orangefs",
    "panfs",
    "smb3",
    "wekafs",
}
"""Types of file systems, as Linux names them, that several machines can write to."""


def file_system(path: Path, mounts: Path = Path("/proc/self/mounts")) -> tuple[Path, str]:
    """Mount point and type of the file system that holds a path; type "" if it is not known.

    Args:
        mounts: Linux's table of mounts.
    """
    path, found = path.resolve(), (Path("/"), "")
    if not mounts.is_file():
        return found
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, place, kind, *_ = line.split()
        point = Path(place.replace("\\040", " "))
        if path.is_relative_to(point) and len(point.parts) >= len(found[0].parts):
            found = (point, kind)
    return found


def lock_advice(folder: Path, several_machines: bool, mounts: Path | None = None) -> str | None:
    """What to set before several processes share a project; None if nothing.

    Args:
        folder: DVC's `.dvc`.
        several_machines: whether the processes run on more than this machine.
    """
    point, kind = file_system(folder, mounts) if mounts else file_system(folder)
    if kind in NETWORK:
        if _has_hardlink_lock():
            return None
        return (
            f"{folder} is on a network file system ({kind} at {point}), where DVC's lock may not "
            "hold: run `dvc config --local core.hardlink_lock true`"
        )
    if several_machines and kind:
        return (
            f"{folder} is on {kind} at {point}, which other machines may not see: put the project "
            "on the cluster's shared file system"
        )
    return None


def _has_hardlink_lock() -> bool:
    command = [sys.executable, "-m", "dvc", "config", "core.hardlink_lock"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip().lower() == "true"
