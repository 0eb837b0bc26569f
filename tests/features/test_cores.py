"""Cores and threads of a process: quotas of control groups, SLURM, torchrun, and the user's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from features.command_line.cores import given_cores, prepare_threads, usable_cores
from features.errors import InputError

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))


def groups(folder, **files):
    """Write what the kernel shows of a control group."""
    for name, text in files.items():
        path = folder / name.replace("__", "/cpu.").replace("cpu_max", "cpu.max")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"cpu_max": "max 100000\n"}, 8),
        ({"cpu_max": "200000 100000\n"}, 2),
        ({"cpu_max": "150000 100000\n"}, 2),
        ({"cpu_max": "10000 100000\n"}, 1),
        ({"cpu_max": "6400000 100000\n"}, 8),
        ({"cpu_max": "garbage"}, 8),
        ({"cpu__cfs_quota_us": "-1\n", "cpu__cfs_period_us": "100000\n"}, 8),
        ({"cpu__cfs_quota_us": "300000\n", "cpu__cfs_period_us": "100000\n"}, 3),
        ({"cpu__cfs_quota_us": "300000\n", "cpu__cfs_period_us": "0\n"}, 8),
    ],
)
def test_a_quota_bounds_the_cores(tmp_path, files, cores):
    assert given_cores({}, groups(tmp_path, **files)) == cores


def test_a_quota_and_slurm_become_the_libraries_own_variables(tmp_path):
    environment: dict[str, str] = {}
    prepare_threads(environment, groups(tmp_path / "quota", cpu_max="200000 100000"))
    assert environment == {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "2"}
    environment = {"SLURM_CPUS_PER_TASK": "3"}
    prepare_threads(environment, tmp_path)
    assert environment["OMP_NUM_THREADS"] == environment["LOKY_MAX_CPU_COUNT"] == "3"


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"])
def test_what_the_user_set_stays(tmp_path, name):
    mine = {name: "1", "OMP_NUM_THREADS": "5", "SLURM_CPUS_PER_TASK": "2"}
    environment = dict(mine)
    prepare_threads(environment, tmp_path)
    assert environment == {**mine, "LOKY_MAX_CPU_COUNT": "2"}


@pytest.mark.parametrize(
    ("environment", "cores"),
    [
        ({}, 8),
        ({"OMP_NUM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "3,2"}, 3),
        ({"OMP_NUM_THREADS": ""}, 8),
        ({"LOCAL_WORLD_SIZE": "3"}, 2),
        ({"LOCAL_WORLD_SIZE": "16"}, 1),
        ({"SLURM_CPUS_PER_TASK": "4"}, 4),
        ({"SLURM_CPUS_PER_TASK": "64"}, 8),
    ],
)
def test_processes_of_one_machine_share_its_cores(tmp_path, environment, cores):
    assert usable_cores(environment, tmp_path) == cores


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "LOCAL_WORLD_SIZE", "SLURM_CPUS_PER_TASK"])
@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "nan", "²"])
def test_a_variable_that_is_no_number_is_named(tmp_path, name, value):
    with pytest.raises(InputError, match=f"'{name}' environment variable must be an int"):
        usable_cores({name: value}, tmp_path)


def test_a_command_sets_the_policy_before_libraries_load():
    code = (
        "import os, sys\n"
        "from features.command_line import run_command\n"
        "def main():\n"
        "    assert not {'torch', 'numpy'} & set(sys.modules)\n"
        "    print(os.environ['OMP_WAIT_POLICY'])\n"
        "run_command(main)\n"
    )
    kept = {name: text for name, text in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=kept, capture_output=True, text=True, check=True
    )
    assert done.stdout == "PASSIVE\n"
