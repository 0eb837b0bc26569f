"""How many cores a process takes, and how its threads wait: settled before torch and numpy load.

torch's OpenMP threads spin at barriers. Alone that costs nothing; beside other processes on the
same cores the threads that spin hold up those that compute, and a network runs at a tenth of its
speed. Without a limit, libraries start a thread per core of the machine, also where a container may
use two of them.
"""

import math
import os
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path

from features.command_line.environment import whole_number

#: Any of these is the user's own choice of how threads wait: OpenMP's, GNU's, Intel's and LLVM's.
_WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
_COUNTS = ("NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
_GROUPS = Path("/sys/fs/cgroup")


def prepare_threads(environment: MutableMapping[str, str], groups: Path = _GROUPS) -> None:
    """Let threads sleep while they wait, and keep to the cores that the process was given.

    Libraries read these variables while they load, so this comes before them. What the user set
    stays.

    Parameters
    ----------
    environment : mutable mapping of str to str
        The process's environment; child processes inherit it.
    groups : Path
        Where control groups are mounted.

    Raises
    ------
    InputError
        ``SLURM_CPUS_PER_TASK``, or what numba and joblib read, is no whole number of 1 or more.

    Examples
    --------
    >>> environment = {"SLURM_CPUS_PER_TASK": "4", "OMP_NUM_THREADS": "2"}
    >>> prepare_threads(environment)
    >>> environment["OMP_WAIT_POLICY"], environment["OMP_NUM_THREADS"]
    ('PASSIVE', '2')
    """
    for name in ("OMP_NUM_THREADS", *_COUNTS):
        if not environment.get(name, "0").strip():  # as an empty line of a job script leaves it
            del environment[name]
    for name in _COUNTS:  # else the library's own error comes after hours, without the name
        whole_number(environment, name, remedy="Give a number, or unset it.")
    if not any(name in environment for name in _WAITING):
        environment["OMP_WAIT_POLICY"] = "PASSIVE"
    cores = given_cores(environment, groups)
    if cores < len(os.sched_getaffinity(0)):  # which the libraries see themselves
        environment.setdefault("OMP_NUM_THREADS", str(cores))
    if "SLURM_CPUS_PER_TASK" in environment:
        environment.setdefault("OMP_NUM_THREADS", str(cores))
        environment.setdefault("LOKY_MAX_CPU_COUNT", str(cores))  # read by joblib


def usable_cores(environment: Mapping[str, str], groups: Path = _GROUPS) -> int:
    """Count the cores that this process may keep busy.

    Parameters
    ----------
    environment, groups
        As for `prepare_threads`.

    Returns
    -------
    int
        ``OMP_NUM_THREADS`` where it is set; otherwise `given_cores`, divided among the processes
        that torchrun started on this machine (``LOCAL_WORLD_SIZE``). At least 1.

    Raises
    ------
    InputError
        A variable is no whole number of 1 or more.

    Examples
    --------
    >>> usable_cores({"OMP_NUM_THREADS": "3"})
    3
    """
    if environment.get("OMP_NUM_THREADS"):
        # OpenMP takes a list, one number per level of nesting.
        first = {"OMP_NUM_THREADS": environment["OMP_NUM_THREADS"].partition(",")[0]}
        return whole_number(first, "OMP_NUM_THREADS", remedy="Give a number, or unset it.")
    processes = whole_number(environment, "LOCAL_WORLD_SIZE")
    return max(1, given_cores(environment, groups) // processes)


def given_cores(environment: Mapping[str, str], groups: Path = _GROUPS) -> int:
    """Count the cores that affinity, the control group's quota and SLURM leave; at least 1.

    Parameters and errors are those of `prepare_threads`.
    """
    cores = len(os.sched_getaffinity(0))
    if "SLURM_CPUS_PER_TASK" in environment:
        remedy = "SLURM sets it; unset it outside of a job."
        cores = min(cores, whole_number(environment, "SLURM_CPUS_PER_TASK", remedy=remedy))
    quota = _quota(groups)
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def _quota(groups: Path) -> float | None:
    """Read how many cores' time the process's control group may use; None without a limit.

    Source: the kernel's cgroup-v2.rst (cpu.max) and sched-bwc.rst (cpu.cfs_quota_us).
    """
    with suppress(OSError, ValueError):
        quota, period = (groups / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with suppress(OSError, ValueError, ZeroDivisionError):
        time = int((groups / "cpu" / "cpu.cfs_quota_us").read_text())
        return time / int((groups / "cpu" / "cpu.cfs_period_us").read_text()) if time > 0 else None
    return None
