"""The shell examples of every README, run one after the other in one folder."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.synthetic.images import render_dataset
from extract.backbones import find_backbone
from extract.weights import WeightsUnavailable, load_weights
from tests import children

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
SIZE = 32  # of the pictures as VGG16 sees them
PROGRAMS = ("extract", "features", "classify", "benchmarks")


def examples(page):
    """Give a page's shell blocks, but for those that install."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [block for block in blocks if "pip install" not in block]


def programs(text):
    """Split a block of plain commands of the project into words; None for other blocks."""
    lines = text.replace("\\\n", " ").splitlines()
    if re.search(r"[|<>$&;]", text) or not all(
        line.startswith(("python -m ", "multilabel ")) for line in lines
    ):
        return None
    return [shlex.split(line) for line in lines]


@pytest.fixture(scope="module")
def weights():
    """The weights of the examples that this machine can get."""
    try:
        load_weights(find_backbone("vgg16"), "vgg16-conv")
    except WeightsUnavailable:
        return "random:0"
    return "vgg16-conv"


def checked(done, text):
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def shell(folder, text):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return checked(done, text)


def test_the_readme_has_its_two_commands_and_is_short():
    assert README.count("<!-- ci: ") == 2
    assert README.count("\n") < 130


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_examples_and_its_links_lead_somewhere(page):
    assert examples(page)
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), f"{page} links to {target}"


def test_every_example_runs(tmp_path, weights):
    """Small images, and processes that are forked instead of started."""
    render_dataset(tmp_path / "quickstart-out" / "pictures", n=24, seed=0)
    printed = []
    for page in PAGES:
        for text in examples(page):
            text = text.replace("--size 64", "")
            text = re.sub("--weights (vgg16-conv|tuned)", rf"--weights \1 --size {SIZE}", text)
            text = text.replace("vgg16-conv", weights)
            for words in programs(text) or ():
                done = children.program(words, cwd=tmp_path, LOKY_MAX_CPU_COUNT="1")
                printed.append(checked(done, words))
            if programs(text) is None:
                printed.append(shell(tmp_path, text))
    assert any("vgg16/pool5" in text for text in printed)


@pytest.mark.slow
def test_the_readmes_examples_run_when_pasted(tmp_path, weights):
    """As they stand and in a shell; `.ci/run` pastes the quickstart."""
    render_dataset(tmp_path / "quickstart-out" / "pictures", n=24, seed=0)
    for text in examples("README.md"):
        shell(tmp_path, text.replace("vgg16-conv", weights))
    assert (tmp_path / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_shows_an_example_to_paste(program):
    done = subprocess.run(
        [sys.executable, "-m", program, "--help"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert re.search(rf"^  python -m {program} .*", done.stdout, flags=re.MULTILINE)
