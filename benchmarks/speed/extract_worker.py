"""The implementations of ``speed extract``: this project's engines, and its peers."""

import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.speed.extract_peers import PEERS
from benchmarks.speed.extract_report import ARCHIVES
from benchmarks.speed.workers import (
    LIMIT,
    Prepare,
    Work,
    image_jobs,
    matrix_products,
    serve,
)

if TYPE_CHECKING:
    from features.sources.base import Source


def _batch(given: dict[str, Any]) -> int:
    from extract.engines import choose_device
    from extract.extractor import CPU_BATCH, GPU_BATCH

    default = CPU_BATCH if choose_device(given["device"]).type == "cpu" else GPU_BATCH
    return given["batch_size"] or default


def _plan(given: dict[str, Any], engine: str = "eager"):
    from extract.backbones import find_backbone
    from extract.config import ExtractConfig
    from extract.plan import make_plan

    layers = find_backbone(given["backbone"]).layers
    names = tuple(x.name for x in layers if not x.optional and x.name != "fc7")
    return make_plan(
        ExtractConfig(
            backbone=given["backbone"],
            weights="random:0",
            layers=names,
            engine=engine,
            precision=given["precision"],
            device=given["device"],
            batch_size=_batch(given),
            shard_rows=given["rows"],
            size=given.get("size"),
        )
    )


def flops_per_image(plan) -> int:
    """Floating-point operations of one image, two per multiply-add; 0 where torch counts none."""
    import torch

    try:
        from torch.utils.flop_counter import FlopCounterMode
    except ModuleNotFoundError:  # before torch 2.1, as a peer may pin it
        return 0

    network = plan.network()
    side = plan.transform.size
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros((1, 3, side, side), dtype=torch.uint8))
    return counter.get_total_flops()


def _engine(given: dict[str, Any]) -> Work:
    """Take one of this project's engines, from JPEG to a shard on disk."""
    import numpy as np

    from extract.extractor import Extractor
    from features.datasets import Dataset

    plan = _plan(given, "eager" if given["name"] in ARCHIVES else given["name"])
    folder = tempfile.TemporaryDirectory()
    root = Path(given["paths"][0]).parent
    names = tuple(Path(path).name for path in given["paths"][: given["rows"]])
    manifest = plan.manifest(Dataset(root, names, names), np.zeros(len(names), dtype=np.int64))
    extractor = Extractor(plan, manifest, _source(given, root, Path(folder.name)))

    def work(start: int, stop: int) -> float:
        photos = [Path(path).name for path in given["paths"][start:stop]]
        extractor.write_shard(Path(folder.name), 0, photos)
        return sum(4 * record["shape"][0] for record in manifest["layers"].values())

    return work


def _source(given: dict[str, Any], root: Path, folder: Path) -> "Source":
    """Give the photos as files or, for the names of `ARCHIVES`, in an archive of them."""
    from features.sources.archive import Archive, ArchiveFile
    from features.sources.folder import Folder
    from features.sources.tar_files import TarArchive
    from features.sources.zip_files import ZipArchive

    kinds: dict[str, type[ArchiveFile]] = {"zip": ZipArchive, "tar": TarArchive}
    if given["name"] not in kinds:
        return Folder(root)
    path = folder / f"photos.{given['name']}"
    photos = [Path(photo) for photo in dict.fromkeys(given["paths"])]
    if given["name"] == "zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for photo in photos:
                zipped.write(photo, photo.name)
    else:
        with tarfile.open(path, "w") as tar:
            for photo in photos:
                tar.add(photo, photo.name)
    return Archive([kinds[given["name"]](path)])


def _made(given: dict[str, Any]) -> tuple[Prepare, dict[str, Any]]:
    if given["name"] == LIMIT:
        work, flops = matrix_products(given["device"], given["precision"], given["side"])
    else:
        plan = _plan(given)
        make = PEERS.get(given["name"])
        work = make(given, plan, _batch(given)) if make else _engine(given)
        flops = flops_per_image(plan)
    return image_jobs(work, flops, given["rows"])


if __name__ == "__main__":
    serve(_made)
