"""``tables imcl-synthetic``: whether IMCL learns the label graph that made the labels.

Two synthetic sets have a known label graph: one with as many labels as there are bird attributes
in CUB, of which each image keeps a tenth, and one with the 5,000 labels of Open Images, of which an
image has only a few annotated. The data are synthetic: they say whether a true graph is found, not
how well images are tagged.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.report.claims import Claim, show_differences, verdict
from benchmarks.report.markdown import mean_and_std, table
from benchmarks.synthetic.labels import RECIPES, Recipe, annotate, make_dataset
from benchmarks.tables.experiment import open_folder, run_trials, write_page
from benchmarks.tables.options import check_jobs
from classify.imcl.label_graph import LabelGraph, cooccurrence_graph
from classify.imcl.tagger import InteractiveTagger
from classify.logistic import LogisticTagger
from classify.metrics.label_based import mean_average_precision
from classify.results import Line
from features.command_line import add_options
from features.errors import check_number

KEY = ("set", "seed", "graph")
GRAPHS = ("all labels known", "co-occurrence", "learned")


def recovery(graph: LabelGraph, truth: np.ndarray) -> dict[str, float]:
    """Compare a graph with the true one, the diagonal apart.

    Parameters
    ----------
    graph : LabelGraph
    truth : array of shape (L, L)
        Weights; 0 where no edge is.

    Returns
    -------
    dict
        ``support_recall``: share of the true edges that the graph has; ``support_precision``: share
        of its edges that are true; ``edge_auc`` and ``edge_ap``: how well its weights rank the true
        edges before the other pairs, 0 for a pair without an edge; ``weight_correlation``: Pearson,
        of its weights and the true ones over the true edges. NaN where undefined.

    Examples
    --------
    >>> truth = np.array([[0, 0.5, 0], [0, 0, 0.9], [0, 0, 0]])
    >>> recovery(LabelGraph.from_matrix(np.eye(3) + truth), truth)["support_recall"]
    1.0
    """
    matrix = graph.matrix()
    learned = np.asarray(matrix.todense() if hasattr(matrix, "todense") else matrix, dtype=float)
    apart = ~np.eye(len(truth), dtype=bool)
    weights, true = learned[apart], truth[apart]
    edges, is_true = weights > 0, true > 0
    on_true = np.corrcoef(weights[is_true], true[is_true]) if weights[is_true].std() else [[np.nan]]
    return {
        "support_recall": float(edges[is_true].mean()),
        "support_precision": float(is_true[edges].mean()) if edges.any() else np.nan,
        "edge_auc": float(roc_auc_score(is_true, weights)),
        "edge_ap": float(average_precision_score(is_true, weights)),
        "weight_correlation": float(on_true[0][-1]),
    }


def learn_and_compare(
    cell: Mapping[str, Any], recipes: Mapping[str, Recipe], neighbors: int
) -> list[Line]:
    """Fit IMCL to a synthetic set; compare its label graph at the start and the end with truth.

    Parameters
    ----------
    cell : mapping
        ``set`` and ``seed``.
    recipes : mapping of str to Recipe
    neighbors : int
        Labels that support a label, in the graph to start from.

    Returns
    -------
    list of dict
        A line for each of `GRAPHS`: `recovery`, and the test mAP, of logistic regression for the
        graph of co-occurrences to start from and NaN for that of labels all known.
    """
    recipe = recipes[cell["set"]]
    drawn = make_dataset(recipe, cell["seed"])
    train, test = np.split(np.arange(len(drawn.X)), [recipe.n_train])
    Y = annotate(drawn.Y[train], recipe, cell["seed"])
    X, judged = drawn.X[train], drawn.X[test]
    init = LogisticTagger("l2", C=10.0).fit(X, Y)
    model = InteractiveTagger(C=10.0, label_neighbors=neighbors, early_stopping="never")
    model.fit(X, Y, coef_init=init.coef_, intercept_init=init.intercept_)
    graphs = (
        cooccurrence_graph(drawn.Y[train], n_neighbors=neighbors),
        cooccurrence_graph(Y, n_neighbors=neighbors),
        model.graph_,
    )
    maps = [np.nan]
    maps += [
        mean_average_precision(drawn.Y[test], one.decision_function(judged))
        for one in (init, model)
    ]
    return [
        {**cell, "graph": name, **recovery(graph, drawn.support), "map": value}
        for name, graph, value in zip(GRAPHS, graphs, maps, strict=True)
    ]


def imcl_synthetic(
    *,
    out: Path = Path("imcl-synthetic-out"),
    seeds: int = 3,
    neighbors: int = 50,
    sets: Mapping[str, Recipe] | None = None,
    jobs: int = 1,
) -> Path:
    """Make both sets, fit IMCL, and report how much of the true label graph its own recovers.

    Writes ``synthetic.jsonl``, of which finished lines aren't made again, and ``synthetic.md``.

    Parameters
    ----------
    out : Path
        Made where missing.
    seeds : int
        Of each set.
    neighbors : int
        Labels that support a label, in the graph to start from.
    sets : mapping of str to Recipe, optional
        Default `RECIPES`.
    jobs : int
        Processes; each holds a set and its graph, some 2 GB for 5,000 labels.

    Returns
    -------
    Path
        Of the Markdown file.

    Raises
    ------
    InputError
        For a number out of range, or an `out` with results of others.
    """
    check_number("seeds", seeds, whole=True, low=1)
    check_number("neighbors", neighbors, whole=True, low=1)
    check_jobs(jobs)
    recipes = {one.name: one for one in RECIPES} if sets is None else dict(sets)
    out = open_folder(out, "synthetic.jsonl", "synthetic.md")
    header = header_of(recipes, neighbors)
    lines = run_trials(
        learn_and_compare,
        [{"set": name, "seed": seed} for name in recipes for seed in range(seeds)],
        out / "synthetic.jsonl",
        key=KEY,
        header=header,
        shared=(recipes, neighbors),
        jobs=jobs,
        description="draws",
        expected=lambda trial: [{**trial, "graph": graph} for graph in GRAPHS],
    )
    return write_page(out / "synthetic.md", page(header, lines))


def header_of(recipes: Mapping[str, Recipe], neighbors: int) -> dict[str, Any]:
    """State what all lines have in common."""
    described = [f"{name}: {asdict(one)}" for name, one in recipes.items()]
    return {"table": "imcl-synthetic", "sets": described, "neighbors": neighbors}


def add_synthetic_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `imcl_synthetic`."""
    texts = {
        "out": "folder to write to",
        "seeds": "seeds per set",
        "neighbors": "labels that support a label at the start",
        "jobs": "processes; -1 for one per core",
    }
    add_options(parser, imcl_synthetic, texts)


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `tables imcl-synthetic` out: Markdown."""
    fields = ("support_recall", "support_precision", "edge_auc", "edge_ap", "weight_correlation")
    rows = []
    for name in dict.fromkeys(line["set"] for line in lines):
        for graph in GRAPHS:
            mine = [one for one in lines if (one["set"], one["graph"]) == (name, graph)]
            cells = [_over_seeds([one[field] for one in mine]) for field in (*fields, "map")]
            rows.append([f"{name}, {graph}", *cells])
    columns = ["set, graph", *(field.replace("_", " ") for field in fields), "test mAP"]
    return (
        "# IMCL's label graph against the one that made the labels\n\n"
        "Synthetic sets, mean ± standard deviation (ddof 1) over the seeds. The start takes the "
        f"{header['neighbors']} labels that most often\ncome with a label; its test mAP is that of "
        "logistic regression on the known labels. Above it stands\nwhat could be had with all "
        "labels known.\n\n" + table(columns, rows)
    )


def claims(header: Mapping[str, Any], lines: Sequence[Line]) -> list[Claim]:
    """Evaluate whether learning brings the label graph nearer to the true one.

    Parameters
    ----------
    header, lines
        As for `page`.

    Returns
    -------
    list of Claim
        Per set, by how well weights rank true edges (AUC), and the test mAP.
    """
    found = []
    for name in dict.fromkeys(line["set"] for line in lines):
        for field, text in (
            ("edge_auc", "learning brings the label graph nearer to the true one"),
            ("map", "IMCL above logistic regression"),
        ):
            learned, start = (
                np.array([x[field] for x in lines if (x["set"], x["graph"]) == (name, graph)])
                for graph in ("learned", "co-occurrence")
            )
            means = f"{field.replace('_', ' ')} {learned.mean():.4f} and {start.mean():.4f}"
            gains = (learned - start).tolist()
            numbers = f"{means}: {show_differences(gains)}"
            found.append(Claim("IMCL", f"{text} ({name})", verdict(gains), numbers))
    return found


def _over_seeds(values: list) -> str:
    numbers = np.array([np.nan if value is None else value for value in values], dtype=float)
    std = float(numbers.std(ddof=1)) if len(numbers) > 1 else float("nan")
    return mean_and_std(float(numbers.mean()), std, digits=3)
