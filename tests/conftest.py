"""Where the real images and filters lie, when this machine has them; no test has a time limit."""

import gc
import itertools
import logging
import math
import os
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

# One thread per worker: workers take the cores, and numpy and torch read this when they load.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

gc.disable()  # until all tests are collected: imports make objects that stay
ROOT = Path(__file__).parents[1]
_numbers = itertools.count()

#: Files that take longest. They start first: the last one would leave the other cores without work.
LONGEST = (
    "test_readme.py", "test_browser.py", "test_quickstart.py", "test_libraries.py", "test_run.py",
    "test_onnx.py", "test_library_runs.py",
)  # fmt: skip
SHARED = Path(os.environ.get("TAGGING_SHARED", ROOT.parent / "shared"))


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest-xdist keep the order: it would begin with the files of the most tests."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_collection_finish() -> None:
    """Spare the garbage collector the 700,000 objects of thousands of tests and their modules."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Of ``-k hostile``, don't import files without that word: it takes half of the imports.

    A folder without such a file is left out with its ``conftest.py``.
    """
    if config.getoption("keyword") != "hostile":
        return None
    folder = collection_path.is_dir()
    if not folder and collection_path.suffix != ".py":
        return None
    files = collection_path.rglob("*.py") if folder else [collection_path]
    found = any(
        "hostile" in f"{path} {path.read_text('utf-8')}"
        for path in files
        if not folder or path.name.startswith("test_")
    )
    return None if found else True


@pytest.fixture(scope="session", autouse=True)
def unsynced() -> Iterator[None]:
    """No file of a test must outlast a loss of power: waiting for the disk would take minutes.

    Tests of a stop at each write count and stop these calls as they do those that wait.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def drawn_once() -> Iterator[None]:
    """Draw random filters once: extraction asks for them twice, and most tests for the same ones.

    Everyone gets a copy.
    """
    weights = sys.modules.get("extract.weights")  # of which some folders' tests need none
    if weights is None:
        yield
        return
    draw = weights._draw
    kept = lru_cache(maxsize=64)(draw)

    def drawing(key: str, shape: tuple[int, ...]):
        few = len(shape) > 1 and math.prod(shape) <= 3_000_000
        return kept(key, shape).clone() if few else draw(key, shape)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "_draw", drawing)
        yield


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new folder: pytest's own fixture looks through thousands of them for the next number."""
    name = re.sub(r"\W", "_", request.node.name)[:30]
    path = tmp_path_factory.getbasetemp() / f"{name}-{next(_numbers)}"
    path.mkdir(mode=0o700)
    return path


def _shared(part: str) -> Path:
    path = SHARED / part
    if not path.exists():
        pytest.skip(f"no {part} under {SHARED}: set TAGGING_SHARED to the folder that holds it")
    return path


@pytest.fixture(scope="session")
def dask_cluster() -> Iterator:
    """Two worker processes of Dask that know the tests' backbones; lost ones come back."""
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    import dask

    from tests import children

    children.start(os.getpid).join()  # the server that the workers are forked from
    # Idle, a cluster that watches itself takes a tenth of a core up to the end of the session.
    settings = {
        "distributed.worker.multiprocessing-method": "forkserver",
        "distributed.worker.profile.enabled": False,
        "distributed.admin.tick.interval": "1s",
        "distributed.admin.system-monitor.interval": "10s",
    }
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0",
            silence_logs=logging.ERROR, preload=[children.__name__],
        ) as cluster,
    ):  # fmt: skip
        yield cluster


@pytest.fixture(scope="module")
def tiny_backbone() -> Iterator[str]:
    """The name of a backbone of three small convolutions, which is known while a module runs.

    So is `tests.tiny_backbone.WIDE`.
    """
    from extract.backbones import BACKBONES
    from tests.tiny_backbone import TINY, WIDE

    with pytest.MonkeyPatch.context() as patch:
        for backbone in (TINY, WIDE):
            patch.setitem(BACKBONES, backbone.name, backbone)
        yield TINY.name


@pytest.fixture(scope="session")
def msrc() -> Path:
    """The folder of MSRC v2: 591 images, 23 labels."""
    return _shared("data/msrc_v2")


@pytest.fixture(scope="session")
def corel() -> Path:
    """The folder of Corel5k: 4,999 images, 374 words, `split.csv`."""
    return _shared("data/corel5k")


@pytest.fixture(scope="session")
def msrc_bags() -> Path:
    """The file of MSRC v2's regions as bags, with the reference's labels and splits."""
    return _shared("data/miml/MSRC_MIML.mat")


@pytest.fixture(scope="session")
def vgg16_weights() -> Path:
    """The 13 convolutions of VGG16 in float16, without a classifier."""
    return _shared("weights/vgg16_conv_fp16.safetensors")


@pytest.fixture(scope="session")
def resnet18_weights() -> Path:
    """ResNet-18 with batch norm folded into its convolutions, in float16, without `fc`."""
    return _shared("weights/resnet18_bnfolded_fp16.safetensors")
