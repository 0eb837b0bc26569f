"""A small made-up data set for the tests of ``tables rml``, and how it is run."""

import numpy as np

from benchmarks.tables.rml.learners import Protocol
from benchmarks.tables.rml.run import KEY, rml

N, N_TRAIN = 60, 40

IDS = [f"{row:03}.jpg" for row in range(N)]

LABELS = ("sky", "sea", "sand", "ship", "sun")

SMALL = {
    "splits": 3,
    "repeats": 2,
    "noise": [0.0, 0.5],
    "labeled": [0.4],
    "learning_rates": [0.1, 1.0],
    "weight_decays": [0.0],
    "C": [1.0, 10.0],
    "epochs": 4,
    "validation": 0.3,
    "jobs": 1,
}

PROTOCOL = Protocol(
    learning_rates=(0.1, 1.0),
    weight_decays=(0.0,),
    C=(1.0, 10.0),
    epochs=4,
    validation=0.3,
)


def problem(seed=0):
    """Every image has 1 to 4 of 5 labels, which depend on the features; the columns differ."""
    rng = np.random.default_rng(seed)
    X = rng.gamma(1.0, 3.0, (N, 12)).astype(np.float32)
    X[:, 8:] *= 50
    Z = X / X.mean(axis=0)
    Y = (Z @ rng.normal(size=(12, 5)) + rng.normal(size=(N, 5)) > 1).astype(np.int8)
    Y[~Y.any(axis=1), 0] = 1
    Y[Y.all(axis=1), 1] = 0
    return X, Y


def run(made, out, **options):
    """Run the table on the small problem."""
    return rml(made[0], [made[1]], out, **{**SMALL, **options})


def files_of(folder):
    """Give the files of a folder by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def line_of(lines, stage, learner, draw, *, noise=0.0, labeled=1.0, **more):
    """Find the one line of a fit."""
    wanted = {"stage": stage, "learner": learner, "seed": draw, "noise": noise}
    wanted |= {"labeled": labeled, **more}
    (line,) = [x for x in lines if all(x[name] == value for name, value in wanted.items())]
    return line


def trial_of(learner, setting, *, stage="test", noise=0.0, labeled=1.0, draw=0):
    values = (stage, learner, setting, noise, labeled, draw)
    return dict(zip(KEY, values, strict=True))


def split_file(path, parts):
    rows = [f"{image},{part}\n" for image, part in zip(IDS, parts, strict=True)]
    path.write_text("image,split\n" + "".join(rows))
    return path
