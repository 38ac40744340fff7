"""What torchrun sets up for a process of a group."""

import os


def become_rank(devices, rank, port):
    """Make this process one of `devices` on this machine; nothing to do for a single one."""
    if devices == 1:
        return
    os.environ |= {
        "TORCHELASTIC_RUN_ID": "test",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(devices),
        "LOCAL_WORLD_SIZE": str(devices),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
    }
