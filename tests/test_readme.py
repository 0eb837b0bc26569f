"""The shell examples of every README, pasted one after the other into one empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from extract.backbones import find_backbone
from extract.weights import WeightsUnavailable, load_weights

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "extract/README.md",
    "features/README.md",
    "classify/README.md",
    "classify/finetune/README.md",
    "benchmarks/README.md",
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS = ("extract", "features", "classify", "benchmarks")


def examples(page):
    """Give a page's shell blocks, but for those that install."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [block for block in blocks if "pip install" not in block]


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


def test_the_readme_has_its_two_commands_and_is_short():
    assert README.count("<!-- ci: ") == 2
    assert README.count("\n") < 130


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_examples_and_its_links_lead_somewhere(page):
    assert examples(page)
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), f"{page} links to {target}"


def test_every_example_runs_when_pasted(place):
    folder, weights = place
    printed = {}
    for page in PAGES:
        for text in examples(page):
            printed[text] = shell(folder, text.replace("vgg16-conv", weights))
    assert any("vgg16/pool5" in text for text in printed.values())
    assert (folder / "quickstart-out" / "index.html").stat().st_size > 10_000


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_shows_an_example_to_paste(program):
    done = subprocess.run(
        [sys.executable, "-m", program, "--help"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert re.search(rf"^  python -m {program} .*", done.stdout, flags=re.MULTILINE)
