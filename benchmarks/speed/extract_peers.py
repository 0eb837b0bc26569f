"""What ``speed extract`` compares with: a hand loop of each library, a peer's reader, a peer."""

import importlib.util
import tempfile
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.speed.workers import Work

#: thingsvision stores whole activations of one module: what is nearest to the stored layers.
MODULES = {
    "vgg16": "features.30",
    "resnet18": "avgpool",
    "resnet50": "avgpool",
    "resnet101": "avgpool",
    "timm/resnet50": "global_pool",
    "timm/vit_small_patch16_224": "norm",
    "timm/convnext_tiny": "head.global_pool",
}


def _by_hand(given: dict[str, Any], plan: Any) -> tuple[Callable, Callable]:
    """Give what a user of the library would write: pictures to tensors, and a batch to columns."""
    if given["backbone"].startswith("timm/"):
        return _of_timm(given["backbone"].removeprefix("timm/"), plan)
    import torch
    from torchvision import models, transforms
    from torchvision.models.feature_extraction import create_feature_extractor

    model = models.get_model(given["backbone"], weights=None)
    model.load_state_dict(dict(plan.tensors))
    nodes = sorted({layer.node for layer in plan.layers})
    network = create_feature_extractor(model.eval(), nodes).to(_device(given))
    prepare = transforms.Compose(
        [
            transforms.Resize((224, 224)),
            transforms.ToTensor(),
            transforms.Normalize(plan.backbone.mean, plan.backbone.std),
        ]
    )

    def pooled(x: torch.Tensor) -> torch.Tensor:
        if given["backbone"] == "vgg16":
            return torch.nn.functional.adaptive_max_pool2d(x, 2).flatten(1)
        return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)

    def columns(batch: torch.Tensor) -> torch.Tensor:
        return torch.cat([pooled(x) for x in network(batch.to(_device(given))).values()], dim=1)

    return prepare, columns


def _of_timm(name: str, plan: Any) -> tuple[Callable, Callable]:
    import timm
    import torch

    model: Any = timm.create_model(name).eval()
    model.load_state_dict(dict(plan.tensors))
    prepare = timm.data.create_transform(**timm.data.resolve_model_data_config(model))

    def columns(batch: torch.Tensor) -> torch.Tensor:
        x = model.forward_features(batch)
        if x.ndim == 3:
            return torch.cat([x[:, 0], x[:, model.num_prefix_tokens :].mean(dim=1)], dim=1)
        return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)

    return prepare, columns


def _device(given: dict[str, Any]) -> Any:
    from extract.engines import choose_device

    return choose_device(given["device"])


def _all_rows(batches: Iterable[Any], columns: Callable) -> float:
    import torch

    with torch.inference_mode():
        rows = [columns(batch).cpu().numpy() for batch in batches]
    return rows[0].shape[1] * rows[0].itemsize


def loop(given: dict[str, Any], plan: Any, batch_size: int) -> Work:
    """Write what a user of the network's library would write by hand."""
    import torch
    from PIL import Image

    prepare, columns = _by_hand(given, plan)

    class Photos(torch.utils.data.Dataset):
        def __init__(self, paths):
            self.paths = paths

        def __len__(self):
            return len(self.paths)

        def __getitem__(self, i):
            return prepare(Image.open(self.paths[i]).convert("RGB"))

    def work(start: int, stop: int) -> float:
        photos = Photos(given["paths"][start:stop])
        return _all_rows(torch.utils.data.DataLoader(photos, batch_size, num_workers=2), columns)

    return work


def clip_retrieval(given: dict[str, Any], plan: Any, batch_size: int) -> Work:
    """Read with clip-retrieval's reader of files, and go on as the loop does."""
    found = importlib.util.find_spec("clip_retrieval")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("No module named 'clip_retrieval'")
    # The package loads servers and indices; its reader needs none of them.
    path = Path(found.origin).parent / "clip_inference" / "reader.py"
    spec = importlib.util.spec_from_file_location("clip_retrieval_reader", path)
    assert spec is not None and spec.loader is not None
    reader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reader)
    prepare, columns = _by_hand(given, plan)

    def work(start: int, stop: int) -> float:
        with _folder(given["paths"][start:stop]) as folder:
            batches = reader.FilesReader(
                lambda keys: keys, lambda image: prepare(image.convert("RGB")), None, folder,
                batch_size, 2, enable_text=False,
            )  # fmt: skip
            return _all_rows((batch["image_tensor"] for batch in batches), columns)

    return work


def thingsvision(given: dict[str, Any], plan: Any, batch_size: int) -> Work:
    """Take the peer's documented calls; it stores whole activations, one layer at a time."""
    from thingsvision import get_extractor
    from thingsvision.utils.data import DataLoader, ImageDataset

    library, _, name = given["backbone"].rpartition("/")
    extractor = get_extractor(name, source=library or "torchvision", device="cpu", pretrained=False)
    module = MODULES[given["backbone"]]

    def work(start: int, stop: int) -> float:
        with _folder(given["paths"][start:stop]) as folder:
            dataset = ImageDataset(
                root=folder,
                out_path=folder,
                backend="pt",
                transforms=extractor.get_transformations(),
            )
            loader = DataLoader(dataset=dataset, batch_size=batch_size, backend="pt")
            features = extractor.extract_features(
                batches=loader, module_name=module, flatten_acts=True, output_type="ndarray"
            )
        return features[0].nbytes

    return work


@contextmanager
def _folder(paths: Iterable[str]):
    """Make a folder of some photos."""
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            (Path(folder) / Path(path).name).symlink_to(path)
        yield folder


PEERS = {"loop": loop, "clip-retrieval": clip_retrieval, "thingsvision": thingsvision}
