"""A SLURM cluster of one node, from Debian's packages slurm-wlm and munge."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("munged", "mungekey", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "squeue")
SBIN = f"/usr/sbin{os.pathsep}/sbin"

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={controller}
SlurmdPort={daemon}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SwitchType=switch/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SchedulerParameters=batch_sched_delay=0,sched_interval=1
KillWait=5
ReturnToService=2
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 Gres=gpu:2 State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=60 State=UP
"""


def lacks():
    """Why there can be no cluster here; empty if there can."""
    path = f"{os.environ.get('PATH', '')}{os.pathsep}{SBIN}"
    missing = [name for name in PROGRAMS if not shutil.which(name, path=path)]
    if missing:
        return f"needs {', '.join(missing)}: apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "slurmd runs as root only"


class Cluster:
    """A running cluster; `environment` lets SLURM's commands find it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{os.environ['PATH']}{os.pathsep}{SBIN}",
        }
        self._processes = []

    def start(self):
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        host = socket.gethostname().partition(".")[0]
        controller, daemon = free_ports(2)
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                folder=self.folder, host=host, user="root", controller=controller, daemon=daemon
            )
        )
        # no GPUs are here, and SLURM only counts their device files
        files = "".join(f"NodeName={host} Name=gpu File={f}\n" for f in ("/dev/null", "/dev/zero"))
        (self.folder / "gres.conf").write_text(files)
        key, socket_file = self.folder / "munge.key", self.folder / "munge.socket"
        self._run("mungekey", "--create", f"--keyfile={key}")
        self._start(
            *("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={socket_file}"),
            f"--pid-file={self.folder / 'munged.pid'}",
            f"--seed-file={self.folder / 'munged.seed'}",
            f"--log-file={self.folder / 'munged.log'}",
        )
        wait_until(socket_file.exists)
        self._start("slurmctld", "-D", "-f", self.environment["SLURM_CONF"])
        self._start("slurmd", "-D", "-f", self.environment["SLURM_CONF"])
        wait_until(lambda: "idle" in self._run("sinfo", "-h", "-o", "%T", check=False))

    def stop(self):
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, *command):
        with (self.folder / f"{command[0]}.out").open("wb") as output:
            self._processes.append(
                subprocess.Popen(
                    command,
                    env=os.environ | self.environment,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            )

    def _run(self, *command, check=True):
        return subprocess.run(
            command,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=check,
        ).stdout


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def wait_until(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "the cluster did not start"
        time.sleep(0.2)
