"""The README's shell examples, pasted one after the other into an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from extract.backbones import find_backbone
from extract.weights import WeightsUnavailable, load_weights

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
EXAMPLES = [block for block in BLOCKS if "pip install" not in block]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """An empty folder after a small quickstart, and the weights that this machine can get."""
    folder = tmp_path_factory.mktemp("readme")
    try:
        load_weights(find_backbone("vgg16"), "vgg16-conv")
        weights = "vgg16-conv"
    except WeightsUnavailable:
        weights = "random:0"
    shell(folder, f"python -m benchmarks quickstart --n 40 --splits 2 --weights {weights}")
    return folder, weights


def shell(folder, text):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_readme_has_its_two_commands_and_examples():
    assert README.count("<!-- ci: ") == 2
    assert len(EXAMPLES) >= 4


def test_every_example_runs_when_pasted(place):
    folder, weights = place
    said = [shell(folder, text.replace("vgg16-conv", weights)) for text in EXAMPLES]
    assert "vgg16/pool5" in said[0]
    assert (folder / "quickstart-out" / "index.html").stat().st_size > 10_000


@pytest.mark.parametrize("room", ["extract", "features", "classify", "benchmarks"])
def test_every_command_shows_an_example_to_paste(room):
    done = subprocess.run(
        [sys.executable, "-m", room, "--help"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert re.search(rf"^  python -m {room} .*", done.stdout, flags=re.MULTILINE)
