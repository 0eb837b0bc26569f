"""Weights as training programs save them, and files that only look like weights."""

import argparse
import collections
import gzip
import io
import json
import os
import pathlib
import pickle
import re
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from classify.finetune.checkpoint import save_checkpoint
from extract import weights
from extract.__main__ import main
from extract.backbones import find_backbone
from extract.network import FeatureNetwork, select_layers
from extract.weights import load_weights
from features.command_line import run_command
from features.errors import InputError
from tests.tiny_backbone import TINY

FIRST = "conv1.weight"


@pytest.fixture(scope="module")
def good():
    return dict(load_weights(TINY, "random:0"))


@pytest.fixture(scope="module")
def other():
    return dict(load_weights(TINY, "random:1"))


def saved(path, tree):
    torch.save(tree, path)
    return str(path)


def prefixed(tensors, prefix):
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


def assert_same(got, expected):
    assert weights.checksum(got, expected) == weights.checksum(expected, expected)


WRAPPED = {
    "parallel": lambda w: prefixed(w, "module."),
    "state_dict": lambda w: {"epoch": 3, "state_dict": w, "best": 0.5},
    "model": lambda w: {"model": w, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}},
    "model_state_dict": lambda w: {"model_state_dict": w},
    "model_ema": lambda w: {"model_ema": prefixed(w, "module.") | {"n_averaged": torch.tensor(2)}},
    "both": lambda w: {"state_dict": prefixed(w, "module."), "args": argparse.Namespace(lr=1)},
    "lightning": lambda w: {"state_dict": prefixed(w, "model.net."), "hyper_parameters": {"a": 1}},
    "compiled": lambda w: prefixed(w, "_orig_mod."),
    "twice": lambda w: {"state_dict": {"model": w}},
    "numpy values": lambda w: {"model": w, "best": np.float64(0.3), "curve": np.arange(3.0)},
    "flat with numbers": lambda w: {**w, "epoch": 3, "loss": 0.1},
    "a learned parameter": lambda w: {k: nn.Parameter(v) if v.is_floating_point() else v
                                      for k, v in w.items()},
    "not contiguous": lambda w: w | {FIRST: w[FIRST].transpose(2, 3).contiguous().transpose(2, 3)},
    "paths among settings": lambda w: {"state_dict": w, "data": pathlib.PosixPath("/data"),
                                       "counts": collections.Counter("aab")},
    "an average in an item": lambda w: {"model": {}, "ema": {"shadow": w, "decay": 0.9}},
    "an average without names": lambda w: {"ema": {"shadow_params": list(w.values())}, "model": w},
    "an item of any name": lambda w: {"optimizer": {"state": {}}, "student_net": w},
    "modules compiled one by one": lambda w: {k.replace(".", "._orig_mod.", 1): v
                                              for k, v in prefixed(w, "net.").items()},
    "FSDP": lambda w: {k.replace(".", "._checkpoint_wrapped_module.", 1): v
                       for k, v in prefixed(w, "_fsdp_wrapped_module.").items()},
    "arrays of numpy": lambda w: {k: v.numpy().astype(">f4") if v.is_floating_point() else v.numpy()
                                  for k, v in w.items()},
    "more tensors": lambda w: w | {"head.weight": torch.zeros(20, 8)},
}  # fmt: skip


@pytest.mark.parametrize("kind", WRAPPED)
def test_what_training_programs_save_is_unwrapped(tmp_path, good, kind):
    got = load_weights(TINY, saved(tmp_path / "w.pth", WRAPPED[kind](good)))
    assert_same(got, good)
    layers = select_layers(TINY, None, set(got))
    FeatureNetwork(TINY, layers, got)(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))


def test_what_was_taken_is_said(tmp_path, good, other, capsys):
    tree = {"model": other, "model_ema": prefixed(good, "module.")}
    assert_same(load_weights(TINY, saved(tmp_path / "w.pth", tree)), good)
    assert "w.pth: the tensors under 'model_ema' and 'module.' are taken" in capsys.readouterr().err
    load_weights(TINY, saved(tmp_path / "w.pth", good))
    assert capsys.readouterr().err == ""


def test_two_networks_in_one_file_are_named(tmp_path, good, other):
    tree = prefixed(good, "student.") | prefixed(other, "teacher.")
    with pytest.raises(InputError, match=r"2 networks that fit, under 'student.', 'teacher.'"):
        load_weights(TINY, saved(tmp_path / "w.pth", tree))


def test_the_content_tells_the_kind_and_not_the_name(tmp_path, good):
    save_file(good, tmp_path / "w.pth")
    assert_same(load_weights(TINY, str(tmp_path / "w.pth")), good)
    for name in ("w.safetensors", "w.bin", "checkpoint.pth.tar"):
        assert_same(load_weights(TINY, saved(tmp_path / name, good)), good)
    torch.save(good, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert_same(load_weights(TINY, str(tmp_path / "old.pth")), good)
    wide = {name: tensor.double() for name, tensor in good.items()}
    assert_same(load_weights(TINY, saved(tmp_path / "wide.pth", wide)), good)


def zipped(**members):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return raw.getvalue()


def pickled(tree):
    raw = io.BytesIO()
    torch.save(tree, raw)
    return raw.getvalue()


def scripted():
    names = ("m/data.pkl", "m/constants.pkl", "m/code/__torch__.py", "m/version")
    return zipped(**dict.fromkeys(names, b"3\n"))


def holed(raw):
    return raw[:9000] + bytes(4096) + raw[9000 + 4096 :]


class Evil:
    def __reduce__(self):
        return os.mkdir, ("ran",)


OTHER_FILES = {
    "a whole model": (lambda: pickled(nn.Linear(2, 2)), r"pickled object \(torch.nn.*Linear\)"),
    "a model inside": (lambda: pickled({"model": nn.Linear(2, 2)}), "pickled object"),
    "a program": (lambda: pickled(Evil()), r"pickled object \(posix.mkdir\)"),
    "a plain pickle": (lambda: pickle.dumps({"a": 1}), "can't be read"),
    "a Git LFS pointer": (
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        "is a Git LFS pointer; run `git lfs pull`",
    ),
    "a page": (lambda: b"<!DOCTYPE html><html><head><title>Sign in</title>", "is an HTML page"),
    "a page, late": (lambda: b"\n\n  <HTML>", "is an HTML page"),
    "another archive": (lambda: zipped(**{"a.txt": b"text"}), "ZIP archive that torch.save did"),
    "an empty archive": (lambda: zipped(), "ZIP archive that torch.save did"),
    "half an archive": (lambda: pickled({"a": torch.zeros(9999)})[:20000], "ZIP archive that ends"),
    "a hole": (lambda: holed(pickled({"a": torch.ones(9999)})), "as its checksums show; copy it"),
    "two networks by name": (lambda: pickled({"a": {FIRST: torch.zeros(1)},
                                              "b": {FIRST: torch.zeros(1)}}),
                             "holds 2 networks that fit, under 'a', 'b'"),
    "gzip": (lambda: gzip.compress(b"data"), "is a gzip archive"),
    "TorchScript": (scripted, "is a TorchScript archive"),
    "JSON": (lambda: json.dumps({"weight_map": {}}).encode(), "can't be read"),
    "HDF5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(600), "is an HDF5 file"),
    "zeros": (lambda: bytes(4096), "can't be read"),
    "noise": (lambda: np.random.default_rng(0).bytes(4096), "can't be read"),
    "a safetensors header cut": (lambda: (500).to_bytes(8, "little") + b'{"a":', "can't be read"),
    "a huge header": (lambda: (1 << 60).to_bytes(8, "little") + b'{"a":1}', "safetensors data"),
    "nothing": (lambda: b"", "is empty"),
    "a tensor": (lambda: pickled(torch.zeros(3)), "holds a Tensor and no state dict"),
    "a list": (lambda: pickled([torch.zeros(3)]), "holds a list and no state dict"),
    "an empty state dict": (lambda: pickled({}), "holds no tensors"),
    "numbers": (lambda: pickled({"state_dict": {"a": 1}}), "holds no tensors"),
    "another network": (lambda: pickled({"a.weight": torch.zeros(3)}), "lack conv1.weight"),
}  # fmt: skip


def message(source):
    with pytest.raises(InputError) as caught:
        load_weights(TINY, str(source))
    assert "\n" not in str(caught.value) and "0x" not in str(caught.value)
    return str(caught.value)


def test_an_archive_without_checksums_is_no_damaged_one(tmp_path, good):
    with_checksums = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        path = saved(tmp_path / "w.pth", good)
    finally:
        torch.serialization.set_crc32_options(with_checksums)
    assert_same(load_weights(TINY, path), good)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kind", OTHER_FILES)
def test_files_that_are_no_weights_are_named(tmp_path, monkeypatch, kind, suffix):
    monkeypatch.chdir(tmp_path)
    make, text = OTHER_FILES[kind]
    path = tmp_path / f"w{suffix}"
    path.write_bytes(make())
    said = message(path)
    assert re.search(text, said), said
    assert "Give a" in said
    assert not (tmp_path / "ran").exists()


def test_what_is_no_file_is_named(tmp_path):
    assert "are a folder, and not that of a fine-tuning" in message(tmp_path)
    os.mkfifo(tmp_path / "w.pth")
    assert "is not a regular file" in message(tmp_path / "w.pth")
    assert "is not a regular file" in message("/dev/zero")
    assert "No such file" in message(tmp_path / "absent.pth")
    (tmp_path / "folder.pth").mkdir()
    assert "not that of a fine-tuning" in message(tmp_path / "folder.pth")
    assert "must be pretrained" in message("a\0b")
    assert "must be pretrained" in message("x" * 5000)
    assert "must be pretrained" in message("")


@pytest.mark.parametrize("name", ["w.pth", "w", "run/checkpoint/model.safetensors"])
@pytest.mark.parametrize(("target", "reason"), [("", "Too many levels"), ("gone", "No such file")])
def test_links_that_lead_to_no_weights_are_told(tmp_path, name, target, reason):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target or path.name)
    assert f"can't be read ({reason}" in message(tmp_path / name.partition("/")[0])


def test_a_folder_of_a_hub_is_told_its_file(tmp_path):
    (tmp_path / "config.json").symlink_to("config.json")
    (tmp_path / "model.safetensors").touch()
    assert f"Give {tmp_path / 'model.safetensors'}, a .pth or" in message(tmp_path)


def quantized(tensor):
    return torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)


ODD_TENSORS = {
    "sparse": (lambda t: t.to_sparse(), "is sparse"),
    "sparse rows": (lambda t: t.to_sparse(1), "is sparse"),
    "complex": (lambda t: t.to(torch.complex64), "holds complex64 values"),
    "quantized": (quantized, "is quantized"),
    "meta": (lambda t: t.to("meta"), "meta device"),
    "whole": (lambda t: t.to(torch.int8), "holds int8 values"),
    "bool": (lambda t: t > 0, "holds bool values"),
    "nan": (lambda t: torch.where(t > 0, torch.nan, t), "not finite"),
    "one inf": (lambda t: t.index_fill(0, torch.tensor([3]), torch.inf), "not finite"),
    "too large for float32": (lambda t: t.double() * 1e300, "not finite"),
    "short": (lambda t: t[:2], r"has shape \(2, 3, 3, 3\) instead of \(4, 3, 3, 3\)"),
    "flat": (lambda t: t.reshape(-1), "has shape"),
    "scalar": (lambda t: t.sum(), r"has shape \(\)"),
    "nothing": (lambda t: t[:0], r"has shape \(0, 3, 3, 3\)"),
}


@pytest.mark.filterwarnings("ignore")  # torch's own about sparse and quantized tensors
@pytest.mark.parametrize("kind", ODD_TENSORS)
def test_tensors_that_no_layer_computes_with_are_named(tmp_path, good, kind):
    change, text = ODD_TENSORS[kind]
    path = saved(tmp_path / "w.pth", good | {FIRST: change(good[FIRST])})
    said = message(path)
    assert "conv1.weight" in said
    with pytest.raises(InputError, match=text):
        load_weights(TINY, path)


def test_a_network_with_batch_norms_and_another_head(tmp_path):
    resnet, name = find_backbone("resnet18"), "layer4.1.bn2.running_var"
    good = dict(load_weights(resnet, "random:0"))
    given = {k: v for k, v in good.items() if not k.endswith("num_batches_tracked")}
    given |= {"fc.weight": torch.zeros(20, 512), "fc.bias": torch.zeros(20)}
    got = load_weights(resnet, saved(tmp_path / "w.pth", prefixed(given, "module.")))
    assert_same(got, {name: good[name] for name in given if not name.startswith("fc.")})
    path = saved(tmp_path / "w.pth", given | {name: given[name] - 2})
    with pytest.raises(InputError, match=f"{name} has negative values, and is a variance"):
        load_weights(resnet, path)
    with pytest.raises(InputError, match="lack features.0.weight. Give a state dict of vgg16"):
        load_weights(find_backbone("vgg16"), path)


def test_the_command_ends_with_one_line(tmp_path, capsys):
    (tmp_path / "w.pth").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.png").write_bytes(b"")
    words = ["--data", tmp_path / "p", "--out", tmp_path / "c", "--weights", tmp_path / "w.pth"]
    with pytest.raises(SystemExit) as caught:
        run_command(lambda: main([*map(str, words), "--backbone", "resnet18"]))
    assert caught.value.code == 1 and not (tmp_path / "c").exists()
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "git lfs pull" in said


@pytest.mark.parametrize("place", ["run", "run/checkpoint/model.safetensors", "copy.safetensors"])
def test_the_network_of_a_fine_tuning_is_read_as_it_was_written(good, tmp_path, place):
    path = tmp_path / (f"run/{weights.RUN_MODEL}" if place == "run" else place)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(path, good, {"step": 1})
    assert_same(load_weights(TINY, str(tmp_path / place)), good)
    raw = bytearray(path.read_bytes())
    raw[-6] ^= 1  # still a finite number
    path.write_bytes(raw)
    with pytest.raises(InputError, match="safetensors are damaged: their checksum differs. Rest"):
        load_weights(TINY, str(tmp_path / place))


@pytest.mark.parametrize("content", [b"", b"garbage\n", bytes(20), b"PK\x03\x04", b"<html>"])
def test_a_damaged_download_of_torchvision_is_one_line(tmp_path, monkeypatch, content):
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth").write_bytes(content)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(
        InputError, match="file for ResNet18.* is damaged .* Delete it from"
    ) as told:
        load_weights(find_backbone("resnet18"), "torchvision")
    assert "\n" not in str(told.value)
