"""Measured processes that take turns: one JSON line in, one out.

Every contender is a process of its own that loads, warms up, and then waits for its turns, so that
a change of the machine's speed meets all alike, and each process's peak memory is its own. Both
ends are here: `started` for whoever measures, `serve` for the process.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Work = Callable[[int, int], float]  # goes through images start to stop, returns bytes an image
LIMIT = "limit"  # its units are floating-point operations, those of the others images


class Contender:
    """A measured process.

    Parameters
    ----------
    process : Popen
        Runs `serve`, or a peer's script of the same form.
    """

    def __init__(self, process: subprocess.Popen):
        self._process = process
        self.ready = self._answer()

    def turn(self, start: int, stop: int) -> float:
        """Let it work through some of the images; return its rate per second."""
        return self._ask({"start": start, "stop": stop})["rate"]

    def end(self) -> dict[str, Any]:
        """End it; return operations and bytes an image and its peak memory."""
        return self._ask({})

    def _ask(self, line: dict[str, int]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        return {"absent": "ended without an answer"}


@contextmanager
def started(
    module: str, given: dict[str, Any], *, python: str = sys.executable
) -> Iterator[Contender]:
    """Start a contender, wait until it is warm, and kill it at the end.

    Parameters
    ----------
    module : str
        What the process runs; its last act is `serve`.
    given : dict
        What the process is told; with `name`, and the `rows` that it warms up on.
    python : str
        Interpreter.

    Yields
    ------
    Contender
        Its `ready` says whether it is ``absent``, and why.
    """
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    command = [python, "-m", module]
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            process.stdin.write(json.dumps(given) + "\n")
            process.stdin.flush()
            yield Contender(process)
        finally:
            process.kill()


def serve(make: Callable[[dict[str, Any]], tuple[Work, int]]) -> None:
    """Warm up, then take turns until told to end.

    The first line on stdin describes the work. Then every ``{"start", "stop"}`` is answered by a
    rate, and ``{}`` by the totals.

    Parameters
    ----------
    make : callable
        From the description to the work and its floating-point operations an image, or in all for
        the limit.
    """
    lines = iter(sys.stdin.readline, "")
    given = json.loads(next(lines))
    try:
        work, flops = make(given)
        stored = work(0, given["rows"])
    except Exception as error:  # whatever keeps a peer from running makes it absent, by name
        print(json.dumps({"absent": f"absent: {type(error).__name__}: {error}"[:200]}), flush=True)
        return
    print(json.dumps({"ready": True}), flush=True)
    for line in lines:
        turn = json.loads(line)
        if not turn:
            break
        begun = time.perf_counter()
        stored = work(turn["start"], turn["stop"])
        seconds = time.perf_counter() - begun
        units = flops if given["name"] == LIMIT else turn["stop"] - turn["start"]
        print(json.dumps({"rate": units / seconds}), flush=True)
    peak = peak_megabytes()
    print(json.dumps({"flops": flops, "bytes": int(stored), "peak_mb": peak}), flush=True)


def peak_megabytes() -> float:
    """Peak of this process's own memory; `ru_maxrss` starts from that of its parent."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def matrix_products(device: str, precision: str) -> tuple[Work, int]:
    """Multiply large square matrices in the same precision: the machine's roof.

    Parameters
    ----------
    device : str
        As for extraction.
    precision : str
        ``float32`` or ``bf16``.
    """
    import torch

    from extract.engines import choose_device

    chosen = choose_device(device)
    gpu = chosen.type == "cuda"
    side = 8192 if gpu else 4096
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    if precision == "float32":
        torch.backends.cuda.matmul.allow_tf32 = False
    a, b = (torch.randn((side, side), device=chosen, dtype=dtype) for _ in range(2))
    repeats = 20 if gpu else 4

    def work(start: int, stop: int) -> float:
        for _ in range(repeats):
            a @ b
        if gpu:
            torch.cuda.synchronize()
        return 0

    return work, repeats * 2 * side**3
