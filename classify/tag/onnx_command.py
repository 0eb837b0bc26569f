"""``multilabel export-onnx``: a model with its backbone as one ONNX file."""

import argparse
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from features.command_line import add_options
from features.errors import InputError, needs_extra

if TYPE_CHECKING:  # help texts import this module, and are not to wait for torch
    from torch import Tensor

    from classify.models import TaggerModel
    from classify.tag.onnx_graph import TaggerGraph
    from extract.plan import Plan

PRODUCER = "multilabel-from-cache"
TOLERANCE = 1e-4  # of scores relative to the largest, and of probabilities
CHECKED = 3  # random images that the file is checked on


def export_onnx(*, model: Path, out: Path, weights: str | None = None) -> Path:
    """Write backbone, scaling, heads, probabilities and decisions as one graph.

    Its input ``pixels`` is uint8 (n, 3, size, size), RGB, decoded and resized as `multilabel
    extract` does, which the graph can't do; mean and standard deviation are applied inside. Its
    outputs are ``scores``, ``probabilities`` if the model is calibrated, and ``decisions`` if it
    decides, each (n, L). It computes in float32, whatever engine made the model's features.
    Metadata hold the names of the labels, the size, the color order, mean, std, transform,
    thresholds and checksums, as JSON.

    Parameters
    ----------
    model : Path
        A file that ``classify fit`` wrote, of linear learners.
    out : Path
        The `.onnx` file.
    weights : str, optional
        As for ``extract``; by default the source with the recorded checksum.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        The model can't be read, takes instances or has no linear head; the weights aren't found;
        the packages of the extra `onnx` are missing; or the file does not give what torch gives.
    """
    if out.suffix != ".onnx":
        raise InputError(f"The graph goes to an .onnx file, not to {out}.")
    _require_packages()
    from classify.model_files import load_model
    from classify.tag.onnx_graph import TaggerGraph, check_exportable
    from classify.tag.settings import extraction_of
    from extract.plan import make_plan
    from features.files.ownership import claim
    from features.files.unchanged import rewrite_bytes

    out = claim(out, _is_ours, what="an ONNX file")
    trained = load_model(model)
    check_exportable(trained)
    plan = make_plan(extraction_of(trained.manifest, weights))
    graph = TaggerGraph(trained, plan)
    data = _exported(graph, plan.transform.size, describe(trained, plan))
    _check(data, graph, plan.transform.size)
    rewrite_bytes(out, data)
    return out


def _require_packages() -> None:
    with needs_extra("onnx", "export-onnx"):
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401


def _is_ours(file: BinaryIO) -> bool:
    return PRODUCER.encode() in file.read(64)


def describe(model: "TaggerModel", plan: "Plan") -> dict[str, Any]:
    """Give the metadata of the file, JSON values by name."""
    decisions = model.decisions
    calibrator = None if decisions is None else decisions.calibrator
    return {
        "label_names": list(model.label_names),
        "input_size": plan.transform.size,
        "input_layout": "NCHW",
        "input_dtype": "uint8",
        "color_order": "RGB",
        "mean": list(plan.backbone.mean),
        "std": list(plan.backbone.std),
        "normalization": "inside the graph: (pixels / 255 - mean) / std",
        "transform": model.manifest["transform"],
        "backbone": plan.backbone.name,
        "layers": list(model.layers),
        "weights_sha256": model.manifest["weights_sha256"],
        "manifest_sha256": model.manifest_hash,
        "learners": [member.learner for member in model.members],
        "calibration": None if calibrator is None else calibrator.method,
        "decision_rule": str(decisions.rule) if decisions else "zero" if model.decides else None,
        "thresholds": decisions.thresholds.tolist() if decisions else None,
        "version": version(PRODUCER),
    }


def _exported(graph: "TaggerGraph", size: int, about: Mapping[str, Any]) -> bytes:
    import onnx
    import torch

    batch = torch.export.Dim("n", min=1)
    with _quiet(), tempfile.TemporaryDirectory(prefix="onnx-") as folder, torch.no_grad():
        path = Path(folder) / "tagger.onnx"
        torch.onnx.export(
            graph,
            (_noise(2, size),),
            path,
            input_names=["pixels"],
            output_names=graph.output_names,
            dynamic_shapes={"pixels": {0: batch}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        made = onnx.load(path)
    made.producer_name, made.producer_version = PRODUCER, version(PRODUCER)
    # The exporter's notes name places of this machine.
    for node in made.graph.node:
        del node.metadata_props[:]
    for value in (*made.graph.value_info, *made.graph.input, *made.graph.output):
        del value.metadata_props[:]
    del made.graph.metadata_props[:]
    del made.metadata_props[:]
    onnx.helper.set_model_props(
        made, {name: json.dumps(value, ensure_ascii=False) for name, value in about.items()}
    )
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString(deterministic=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter, which warns and logs about its own insides."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _noise(count: int, size: int) -> "Tensor":
    import torch

    generator = torch.Generator().manual_seed(0)
    shape = (count, 3, size, size)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def _check(data: bytes, graph: "TaggerGraph", size: int) -> None:
    """Compare the file with torch on random images."""
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    pixels = _noise(CHECKED, size)
    found = session.run(graph.output_names, {"pixels": pixels.numpy()})
    with torch.no_grad():
        expected = [output.numpy() for output in graph(pixels)]
    for name, ours, theirs in zip(graph.output_names[:2], expected, found, strict=False):
        if name == "decisions":
            continue
        largest = max(1.0, float(np.abs(ours).max()))
        apart = float(np.abs(ours - theirs).max()) / largest
        if not apart <= TOLERANCE:
            raise InputError(
                f"the exported graph's {name} differ from torch's by {apart:.1e}, and {TOLERANCE:g}"
                " is allowed, so nothing is written: use other versions of torch and onnxruntime"
            )


def add_export_onnx_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``export-onnx``."""
    texts = {
        "model": "a file that fit wrote, of linear learners",
        "out": "the .onnx file",
        "weights": "as for extract (the source whose checksum the model records)",
    }
    add_options(parser, export_onnx, texts)


def run_export_onnx(**options: Any) -> None:
    """Export a model and print where the file is."""
    print(export_onnx(**options))
