"""The README's script for SLURM, with an sbatch that runs nothing or runs the job right here."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "extract" / "README.md"
# Several run at once: the number of the process is the number of the job.
SBATCH = """#!{python}
import os, pathlib, sys
job = pathlib.Path(__file__).with_name(f"job-{{os.getpid()}}")
job.write_text(pathlib.Path(sys.argv[-1]).read_text())
print(f"Submitted batch job {{os.getpid()}}")
"""


def write_program(path, text):
    path.write_text(text)
    path.chmod(0o755)


def test_the_script_asks_for_workers_and_gives_their_address(tmp_path):
    if find_spec("dask_jobqueue") is None:  # importing it would take Ctrl-C from this process
        pytest.skip("dask-jobqueue is not installed")
    [script] = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    programs = tmp_path / "bin"
    programs.mkdir()
    write_program(programs / "sbatch", SBATCH.format(python=sys.executable))
    write_program(programs / "scancel", "#!/bin/sh\n")
    write_program(
        programs / "multilabel", '#!/bin/sh\necho "$@" > "$(dirname "$0")/asked"\nexit 7\n'
    )
    (tmp_path / "cluster.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "cluster.py", "--data", "pictures", "--out", "photos.cache"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    words = (programs / "asked").read_text().split()
    assert words[:5] == ["extract", "--data", "pictures", "--out", "photos.cache"]
    assert words[5] == "--dask" and words[6].startswith("tcp://")
    jobs = sorted(programs.glob("job-*"))
    assert len(jobs) == 8
    text = jobs[0].read_text()
    for line in ("#SBATCH -p compute", "#SBATCH --cpus-per-task=4", "#SBATCH -t 04:00:00"):
        assert line in text
    assert "export OMP_NUM_THREADS=4" in text
    assert words[6] in text and "--nthreads 1" in text
