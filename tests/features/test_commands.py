"""The commands of `python -m features`: every kind of fault, kills, refusals and round trips."""

import inspect
import json
import shlex
import subprocess
import sys

import numpy as np
import pytest

from features.__main__ import COMMANDS, main
from features.command_line import load, parse
from features.commands.verify import summary
from tests.features.annotations.annotation_folders import coco_content, make_images
from tests.features.labeled import (
    ROOT,
    cache,  # noqa: F401
)
from tests.features.test_verify import FAULTS

# The command line


def run(*arguments):
    command = [sys.executable, "-m", "features", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_verify_lists_all_faults_and_exits_with_1(cache):
    FAULTS["three at once"][0](cache)
    done = run("verify", cache)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 4
    assert "Traceback" not in done.stderr


def test_a_refusal_is_one_line_and_exits_with_1(cache, tmp_path):
    done = run("export", cache, "--out", tmp_path / "out.csv")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1


def test_verify_merge_export_and_info_from_the_command_line(cache, tmp_path, capsys):
    out = tmp_path / "out"
    assert not main(["merge", str(out), str(cache)])
    assert capsys.readouterr().out == f"{out}: 23 rows, 23 with features\n"
    assert main(["verify", str(out)]) == 0
    assert capsys.readouterr().out == f"{summary(out)}\n"
    target = tmp_path / "out.npz"
    assert not main(["export", str(out), "--out", str(target), "--layers", "net/fc", "net/pool"])
    assert capsys.readouterr().out == f"{target}\n"
    with np.load(target) as got:
        assert list(got)[-2:] == ["net/fc", "net/pool"]
    assert not main(["info", str(out)])
    text = capsys.readouterr().out
    assert "net/map              2 x 3 x 3 map" in text
    assert "2 labels, 19 positives (0.826 per image), 9 cells unknown: cat, sea, sky" in text


def test_index_counts_rows_labels_and_images_left_out(tmp_path, capsys):
    names = [f"{number:012d}.jpg" for number in (7, 8, 139, 5, 6)]
    images = make_images(tmp_path / "val2017", *names)
    source, out = tmp_path / "instances.json", tmp_path / "coco"
    source.write_text(json.dumps(coco_content()))
    paths = ["--source", str(source), "--images", str(images), "--out", str(out)]
    assert not main(["index", "--format", "coco", *paths])
    assert capsys.readouterr().out == (
        f"{out}: 3 rows, 3 labels, 3 positives (1.000 per image), 0 cells unknown\n"
        f"  2 more images in {images} have no annotation and are left out\n"
    )


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.path[0])
def test_every_help_shows_an_example_that_can_be_pasted(command, capsys):
    (word,) = command.path
    for arguments in (["--help"], [word, "--help"]):
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 0
        assert f"\n  {command.example}\n" in capsys.readouterr().out
    program, pasted = command.example.split(" -m features ")
    assert program == "python"
    run, options = parse(COMMANDS, "python -m features", "", shlex.split(pasted))
    assert run == command.run
    assert set(options) == set(inspect.signature(load(run)).parameters)
