"""``multilabel report``: one HTML page about one's own data, from result lines and a cache."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classify.metrics import METRICS
from classify.report.where import require_pictures
from features.command_line import add_options
from features.errors import InputError, check_choice, check_number, needs_extra

if TYPE_CHECKING:
    import numpy as np

    from classify.report.files import Results
    from classify.report.labels import Fitted
    from classify.report.lines import Scored
    from classify.report.page import Section
    from features.cache import FeatureCache

MOST_PICTURES = 40  # per section: three times as many of the worst kind stay below 5 MB


def report(
    results: Sequence[Path],
    *,
    cache: Path,
    out: Path,
    data: Path | None = None,
    model: Path | None = None,
    labels: Path | None = None,
    metric: str | None = None,
    learner: str | None = None,
    pictures: int = 12,
    folds: int = 5,
    seed: int = 0,
    jobs: int = -1,
) -> Path:
    """Write a page about results on one's own data; it needs no other file and no network.

    Parameters
    ----------
    results : sequence of Path
        Files of ``classify sweep``, or of other commands that score learners over splits, made from
        `cache`.
    cache : Path
        A feature cache with labels.
    out : Path
        The page, `.html`. The same inputs give the same bytes.
    data : Path, optional
        The folder of the cache's pictures; without it the page has none.
    model : Path, optional
        Its learners predict the images, out of fold; by default the best learner of the results.
    labels : Path, optional
        A labels.csv instead of the cache's own.
    metric : str, optional
        What is compared and drawn; a name in `classify.metrics.METRICS` that the results hold. By
        default what the first sweep chose C by, or else "example_ap".
    learner : str, optional
        Which learner of the results predicts, by its name in the page's summary.
    pictures : int
        Pictures in each section, 0 to 40.
    folds, seed : int
        Stratified folds for predictions of images that a fit did not see, and of the choice of
        pictures.
    jobs : int
        Processes; -1 for one per core.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    InputError
        jinja2 or matplotlib is missing; `data` is not there; a file is none of results, or of
        another cache or labels; the results lack the metric or the learner; there are no labels;
        `out` exists and is no such page.
    """
    given: dict[str, Any] = {
        "results": results, "cache": cache, "data": data, "model": model, "labels": labels,
        "metric": metric, "learner": learner, "pictures": pictures, "folds": folds, "seed": seed,
        "jobs": jobs, "out": out,
    }  # fmt: skip
    _check(metric, pictures, folds, seed, jobs)
    _check_libraries()
    require_pictures(data)
    from classify.report.files import check_labels, read_files
    from classify.report.lines import scored
    from classify.report.page import REPORT, write_page, written_by
    from features.cache import FeatureCache, labels_of
    from features.files.ownership import claim

    target = claim(out, written_by(REPORT), what="a report")
    features = FeatureCache(cache)
    Y, names = labels_of(features, labels)
    Y = Y[features.valid_rows]
    files = read_files(results, features)
    check_labels(files, names, Y, labels or features.folder)
    lines = scored(files)
    sections, missing = _sections(files, lines, features, (Y, names), given)
    if missing:
        print(missing, file=sys.stderr)
    write_page(
        target,
        title=f"Report on {features.folder.name}",
        lead=f"{len(Y):,} images with {len(names):,} labels, {_counted(lines)} in "
        f"{len(files)} result {'file' if len(files) == 1 else 'files'}.",
        note=missing,
        sections=sections,
    )
    return target


def _sections(
    files: "Sequence[Results]",
    lines: "Sequence[Scored]",
    features: "FeatureCache",
    labels: "tuple[np.ndarray, Sequence[str]]",
    given: dict[str, Any],
) -> "tuple[list[Section], str]":
    """Build the page's sections; and say which pictures are missing, or nothing."""
    from classify.report import images_part, origins_part, pictures_part, results_part
    from classify.report.lines import choose_metric
    from classify.report.origins import origin
    from classify.report.page import Commands
    from classify.report.statistics import usual

    Y, names = labels
    chosen = choose_metric(files, usual(lines), given["metric"])
    own = _own_command(given)
    made = [(f"{one.path} comes from", origin(one, features, given["labels"])) for one in files]
    sections = results_part.sections(files, lines, chosen, Commands(made))
    fitted = _fit(usual(lines), features, Y, {**given, "metric": chosen})
    sections += images_part.sections(names, Y, fitted, Commands([own]))
    index = [features.index[row] for row in features.valid_rows]
    images = pictures_part.Images(index, names, Y, fitted.found, given["data"])
    sections += pictures_part.sections(
        images, Commands([own]), count=given["pictures"], seed=given["seed"]
    )
    sections.append(origins_part.section(features, files, Commands([*made, own], "Commands")))
    return sections, pictures_part.missing_line(images)


def _check(metric: str | None, pictures: int, folds: int, seed: int, jobs: int) -> None:
    if metric is not None:
        check_choice("metric", metric, METRICS)
    check_number("pictures", pictures, whole=True, low=0, high=MOST_PICTURES)
    check_number("folds", folds, whole=True, low=2)
    check_number("seed", seed, whole=True, low=0)
    if jobs != -1:
        check_number("jobs", jobs, whole=True, low=1)


def _check_libraries() -> None:
    """Refuse at the start what would otherwise fail after the fits."""
    with needs_extra("plots", "The report"):
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401


def _own_command(given: dict[str, Any]) -> tuple[str, str]:
    from classify.report.origins import command_of

    words = f"multilabel report {shlex.join(map(str, given['results']))}"
    options = {name: value for name, value in given.items() if name != "results"}
    return "The page, and all that is said image by image, comes from", command_of(
        words, report, options
    )


def _counted(lines: "Sequence[Scored]") -> str:
    number = len({one.name for one in lines})
    return f"{number} {'way' if number == 1 else 'ways'} to train"


def _fit(
    lines: "Sequence[Scored]", features: "FeatureCache", Y: "np.ndarray", given: dict[str, Any]
) -> "Fitted":
    """Predict every image out of fold, and see what an L1 model uses."""
    from classify.model_files import load_model
    from classify.models import require_same_features
    from classify.report.labels import Fitted, sparse_layers
    from classify.report.predictions import choose_way, predict_model, predict_way, ways

    folds, seed, model = given["folds"], given["seed"], given["model"]
    found = ways(lines, given["metric"], features)
    if model is None:
        way = choose_way(found, given["learner"])
        predictions = predict_way(way, features, Y, folds, seed, given["jobs"])
        return Fitted(str(way.candidate), predictions, *sparse_layers(None, found, features, Y))
    if given["learner"] is not None:
        raise InputError("--learner names what predicts, and so does --model: give one of them.")
    trained = load_model(model)
    require_same_features(trained, features)
    predictions = predict_model(trained, features, Y, folds, seed)
    name = f"the learners of {model}"
    return Fitted(name, predictions, *sparse_layers(trained, found, features, Y))


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``report``."""
    texts = {
        "results": "files of result lines that `sweep` wrote, from the cache",
        "cache": "features with labels",
        "out": "the page, .html",
        "data": "the folder or archive of the cache's pictures (the page shows none)",
        "model": "whose learners predict the images, out of fold (the best learner of the results)",
        "labels": "a labels.csv instead of the cache's own",
        "metric": "what is compared and drawn, of the results' (what the sweep chose C by)",
        "learner": "which learner of the results predicts, as the summary names it (the best)",
        "pictures": f"pictures in each section, at most {MOST_PICTURES}",
        "folds": "of the rows, for predictions of rows that a fit did not see",
        "seed": "of the folds and of the choice of pictures",
        "jobs": "processes, -1 for one per core",
    }
    add_options(parser, report, texts, results={"positional": True})


def run_report(**options: Any) -> None:
    """Write the page and print where it is."""
    print(report(**options))
