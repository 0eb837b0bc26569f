"""Processes of tests, forked from a server that has loaded torch: a start takes milliseconds.

The server has started none of torch's threads. It stands in for `python -m`, whose imports are
tested by `tests/test_cold_start.py` and, in a shell, by the slow test of the README files.
"""

import contextlib
import gc
import io
import itertools
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from numba.core.registry import cpu_target

import classify.finetune.run
import extract.run
from extract.backbones import BACKBONES
from tests.tiny_backbone import TINY, WIDE

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload([__name__])
LOADED = (classify.finetune.run, extract.run)
cpu_target.target_context.refresh()  # what numba reads before it compiles or loads a first function
gc.freeze()  # a forked process neither looks through nor copies what was loaded


def start(
    function: Callable,
    *arguments: Any,
    environment: Mapping[str, str] | None = None,
    kill_at: int | None = None,
):
    """Start a process that knows the tests' backbones and computes in one thread.

    Parameters
    ----------
    function : callable
        Of a module's top level.
    *arguments
    environment : mapping, optional
        Variables to add.
    kill_at : int, optional
        Before the rename of a file with that number the process gets SIGKILL.

    Returns
    -------
    multiprocessing.Process
    """
    child = SERVER.Process(target=_call, args=(environment or {}, kill_at, function, arguments))
    child.start()
    return child


def command(*words: Any, cwd: Path, **environment: str) -> CompletedProcess[str]:
    """Run ``python -m WORDS`` to its end in a folder, with variables added to the environment."""
    return run(_module, [str(word) for word in words], cwd=cwd, **environment)


def program(line: Sequence[str], *, cwd: Path, **environment: str) -> CompletedProcess[str]:
    """Run ``python -m WORDS`` or ``multilabel WORDS`` as `command` does."""
    if line[0] == "multilabel":
        return run(_multilabel, list(line), cwd=cwd, **environment)
    assert tuple(line[:2]) == ("python", "-m")
    return command(*line[2:], cwd=cwd, **environment)


def run(function: Callable, *arguments: Any, cwd: Path, **environment: str):
    """Call a function in a process of its own to its end.

    Returns
    -------
    subprocess.CompletedProcess
        With the texts of stdout and stderr.
    """
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, name) for name in ("stdout", "stderr")]
        child = start(_redirected, streams, cwd, function, arguments, environment=environment)
        child.join()
        printed = [stream.read_text(encoding="utf-8") for stream in streams]
    return CompletedProcess(arguments, child.exitcode, *printed)


class Program:
    """What `subprocess.Popen([python, "-m", module], ...)` is, with texts in its pipes, but forked.

    Its stderr is dropped.
    """

    def __init__(self, words: Sequence[str], *, env: Mapping[str, str], **_: Any):
        python, option, module = words
        assert (python, option) == (sys.executable, "-m")
        added = {name: value for name, value in env.items() if os.environ.get(name) != value}
        given, stdin = SERVER.Pipe(duplex=False)
        stdout, told = SERVER.Pipe(duplex=False)
        self._process = start(_piped, given, told, module, environment=added)
        self.stdin = os.fdopen(os.dup(stdin.fileno()), "w", encoding="utf-8")
        self.stdout = os.fdopen(os.dup(stdout.fileno()), encoding="utf-8")
        for end in (given, stdin, stdout, told):
            end.close()
        self.kill = self._process.kill

    def communicate(self) -> None:
        """Close the pipes and wait for the end."""
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()
        self.stdout.close()
        self._process.join()


def run_program(
    words: Sequence[str], *, input: str = "", cwd: Path | None = None, **_: Any
) -> CompletedProcess[str]:
    """Be `subprocess.run([python, "-m", ...], input=text, capture_output=True)`, but forked."""
    python, option, *told = words
    assert (python, option) == (sys.executable, "-m")
    return run(_told, input, told, cwd=cwd or Path.cwd())


@contextlib.contextmanager
def stand_in_for_subprocess(*modules: ModuleType) -> Iterator[None]:
    """Let modules that start a ``python -m MODULE`` fork it, by `Program` or `run_program`."""
    with pytest.MonkeyPatch.context() as patch:
        forking = SimpleNamespace(**vars(subprocess) | {"Popen": Program, "run": run_program})
        for module in modules:
            patch.setattr(module, "subprocess", forking)
        yield


def dask_setup(worker: object) -> None:
    """Let a Dask worker that has loaded this module know the tests' backbones, and not sync files.

    See `tests.conftest.unsynced`.
    """
    os.fsync = lambda descriptor: None
    BACKBONES.update({TINY.name: TINY, WIDE.name: WIDE})


def _call(
    environment: Mapping[str, str], kill_at: int | None, function: Callable, arguments: tuple
) -> None:
    torch.set_num_threads(1)
    os.environ.update(environment)
    dask_setup(None)
    if kill_at is not None:
        die_before_rename(kill_at)
    function(*arguments)


def die_before_rename(number: int) -> None:
    """Kill this process before its rename of a file with that number, counted from now."""
    rename, renames = os.replace, itertools.count()

    def replacing(*paths: Any) -> None:
        if next(renames) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(*paths)

    os.replace = replacing


def _redirected(streams: list[Path], cwd: Path, function: Callable, arguments: tuple) -> None:
    for descriptor, stream in enumerate(streams, start=1):
        with open(stream, "wb") as file:
            os.dup2(file.fileno(), descriptor)
    os.chdir(cwd)
    function(*arguments)


def _piped(given: Any, told: Any, module: str) -> None:
    os.dup2(given.fileno(), 0)
    os.dup2(told.fileno(), 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    given.close()
    told.close()
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    multiprocessing.set_start_method(None, force=True)  # the platform's, as in a new program
    _module([module])


def _told(text: str, words: list[str]) -> None:
    sys.stdin = io.StringIO(text)
    _module(words)


def _module(words: list[str]) -> None:
    sys.argv = words
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


def _multilabel(words: list[str]) -> None:
    from features.multilabel import run

    sys.argv = words
    run()
