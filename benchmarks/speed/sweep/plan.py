"""How much `speed sweep` measures."""

from dataclasses import dataclass, field

PENALTIES = ("l1", "l2")
TOL = 1e-3  # relative gap asked of this project's paths and sweeps: no objective is further off
EXCESSES = {"l1": (1e-3,), "l2": (1e-3, 1e-4)}  # of the optimum, at which times are compared
NEAREST = {"l1": 1e-6, "l2": 1e-5}  # where the curves end
BRIEF, LONGEST = 0.5, 10.0  # times the limit: turns that are always, and never, timed again
LONG = 5.0  # seconds from which a size is timed once
#: 10 values of C from 0.01 to 100, evenly spaced in their logarithms.
PATH = tuple(float(f"{10 ** (-2 + 4 * step / 9):.6g}") for step in range(10))


@dataclass(frozen=True)
class Sizes:
    """Which sizes to time.

    Attributes
    ----------
    labels, columns, rows : tuple of int
        Each varies while the other two stay at `base` (rows, columns, labels); but the rows vary at
        `tall` (columns, labels).
    rows_C : float
        C times the number of rows, where the rows vary.
    limit_mb : int
        Memory that the process which fits the rows may allocate.
    """

    labels: tuple[int, ...] = (10, 32, 100, 316, 1000)
    columns: tuple[int, ...] = (1024, 4096, 16384)
    rows: tuple[int, ...] = (1000, 3162, 10_000, 31_623, 100_000)
    base: tuple[int, int, int] = (400, 4096, 20)
    tall: tuple[int, int] = (2560, 10)
    rows_C: float = 100.0
    limit_mb: int = 900


@dataclass(frozen=True)
class Plan:
    """How much to measure."""

    rounds: int = 3
    limit: float = 2.0  # seconds of a setting of a peer: decides on how many labels it is timed
    splits: int = 30
    path: tuple[float, ...] = PATH
    subset: int = 3  # labels that LIBLINEAR's sweep is scaled from
    sizes: Sizes = field(default_factory=Sizes)


QUICK = Plan(
    rounds=1,
    limit=0.5,
    splits=2,
    path=(0.1, 1.0, 10.0),
    subset=1,
    sizes=Sizes(
        labels=(5, 20), columns=(64, 256), rows=(200, 800), base=(100, 128, 4), tall=(64, 4)
    ),
)
