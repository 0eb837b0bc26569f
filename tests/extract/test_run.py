"""The whole first stage, with ResNet-18 on tiny pictures: same bits however the work is cut."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from extract.__main__ import main, part
from extract.backbones import find_backbone
from extract.config import ExtractConfig
from extract.run import run
from extract.weights import load_weights
from features import schema
from features.cache import FeatureCache
from features.commands.verify import verify_shard
from features.datasets import load_dataset
from features.errors import InputError
from tests import children

ROOT = Path(__file__).parents[2]
N = 21
CONFIG = ExtractConfig(
    backbone="resnet18", weights="random:0", size=32, batch_size=4, shard_rows=8, workers=2
)


def make_images(folder, n=N, broken=()):
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    lines = ["image,cat,dog"]
    for i in range(n):
        path = folder / "images" / f"{i:03}.png"
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(path)
        if i in broken:
            path.write_bytes(path.read_bytes()[:300])
        lines.append(f"{path.name},{i % 2},{-1 if i == 3 else 1}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_images(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory):
    return run(CONFIG, load_dataset(data), tmp_path_factory.mktemp("out") / "whole.cache")


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_cache_holds_rows_labels_and_its_own_story(undisturbed, data):
    cache = FeatureCache(undisturbed)
    assert cache.layers == {"resnet18/gap": 512, "resnet18/gmp": 512}
    assert cache.read().shape == (N, 1024)
    np.testing.assert_array_equal(cache.labels, load_dataset(data).labels)
    assert cache.labels[3].tolist() == [1, -1]
    assert cache.label_names == ("cat", "dog")
    assert cache.index[4].path == "images/004.png" and cache.index[4].status == "ok"
    assert cache.manifest["backbone"] == "resnet18"
    assert set(contents(undisturbed)) == {
        "manifest.json", "index.csv", "labels.csv", "features.h5",
        "shard-00000.h5", "shard-00001.h5", "shard-00002.h5",
    }  # fmt: skip


def test_running_again_changes_nothing(undisturbed, data):
    before = contents(undisturbed)
    run(CONFIG, load_dataset(data), undisturbed)
    assert contents(undisturbed) == before


@pytest.mark.parametrize(
    "change",
    [{"batch_size": 1}, {"batch_size": 7}, {"workers": 1}, {"shard_rows": 5}, {"shard_rows": 99}],
    ids=str,
)
def test_batches_workers_and_shard_cuts_do_not_matter(undisturbed, data, tmp_path, change):
    got = FeatureCache(run(replace(CONFIG, **change), load_dataset(data), tmp_path / "c")).read()
    whole = FeatureCache(undisturbed).read()
    assert np.abs(got - whole).max() <= 1e-5 * np.abs(whole).max()


def test_a_deleted_shard_comes_back_bit_for_bit(undisturbed, data, tmp_path):
    out = run(CONFIG, load_dataset(data), tmp_path / "c")
    (out / "shard-00001.h5").unlink()
    run(CONFIG, load_dataset(data), out)
    assert contents(out) == contents(undisturbed)


def test_bad_images_keep_their_row_and_change_no_other(undisturbed, data, tmp_path):
    config = replace(CONFIG, max_failures=0.2)
    folder = make_images(tmp_path / "data", broken=(0, 9, 20))
    out = run(config, load_dataset(folder), tmp_path / "c")
    cache, whole = FeatureCache(out), FeatureCache(undisturbed)
    assert cache.excluded == "3 of 21 rows excluded: 3 undecodable"
    rows = [r for r in range(N) if r not in (0, 9, 20)]
    np.testing.assert_array_equal(cache.read(), whole.read(None, rows))
    assert "truncated" in cache.index[9].message
    with h5py.File(out / schema.VIEW) as view:
        assert np.isnan(view["resnet18/gap"][9]).all()


def test_too_many_bad_images_stop_the_job_and_keep_what_is_done(tmp_path, data):
    folder = make_images(tmp_path / "data", broken=(1, 2))
    out = tmp_path / "c"
    with pytest.raises(InputError, match=r"2 of 21 rows failed \(2 undecodable\), more than"):
        run(CONFIG, load_dataset(folder), out)
    cache = FeatureCache(out)
    assert list(cache.valid_rows) == [0, 3, 4, 5, 6, 7]
    assert cache.index[2].status == "undecodable" and cache.index[8].status == "pending"


def test_retrying_mends_only_the_failed_rows(undisturbed, tmp_path, data):
    folder = make_images(tmp_path / "data")
    good = {i: (folder / f"images/{i:03}.png").read_bytes() for i in (1, 9)}
    for i in good:  # same size, so that the index stays the same
        (folder / f"images/{i:03}.png").write_bytes(bytes(len(good[i])))
    config = replace(CONFIG, max_failures=0.5)
    out = run(config, load_dataset(folder), tmp_path / "c")
    assert len(FeatureCache(out).valid_rows) == N - 2
    for i, raw in good.items():
        (folder / f"images/{i:03}.png").write_bytes(raw)
    run(config, load_dataset(folder), out)
    assert len(FeatureCache(out).valid_rows) == N - 2
    run(replace(config, retry_failed=True), load_dataset(folder), out)
    assert contents(out) == contents(undisturbed)


def test_another_setting_is_refused_and_nothing_changes(undisturbed, data):
    before = contents(undisturbed)
    changed = replace(CONFIG, weights="random:1", dtype="float16")
    with pytest.raises(InputError) as caught:
        run(changed, load_dataset(data), undisturbed)
    for key in ("dtype: there float32, here float16", "weights_sha256: there ", "dtype"):
        assert key in str(caught.value)
    assert contents(undisturbed) == before
    smaller = load_dataset(data)
    with pytest.raises(
        InputError, match=r"has 1 \(first '020.png'\) images that the data set lacks"
    ):
        run(
            CONFIG,
            replace(
                smaller, ids=smaller.ids[:20], paths=smaller.paths[:20], labels=smaller.labels[:20]
            ),
            undisturbed,
        )


def test_a_damaged_shard_stops_the_run_and_names_the_remedy(data, tmp_path):
    out = run(CONFIG, load_dataset(data), tmp_path / "c")
    path = out / "shard-00001.h5"
    raw = bytearray(path.read_bytes())
    raw[-900] ^= 1
    path.write_bytes(bytes(raw))
    with pytest.raises(InputError, match=r"shard-00001.h5.*Delete this file and run extract"):
        run(CONFIG, load_dataset(data), out)
    path.unlink()
    run(CONFIG, load_dataset(data), out)
    verify_shard(out, 1, FeatureCache(out).manifest, finite=True)


def test_maps_and_float16(undisturbed, data, tmp_path):
    config = replace(CONFIG, layers=("gap", "map"), dtype="float16")
    cache = FeatureCache(run(config, load_dataset(data), tmp_path / "c"))
    assert cache.layers == {"resnet18/gap": 512} and cache.maps == {"resnet18/map": (512, 1, 1)}
    full = FeatureCache(undisturbed).read(["resnet18/gap"])
    np.testing.assert_allclose(cache.read(), full, rtol=1e-3, atol=1e-3)
    positions = cache.read_instances("resnet18/map", [20, 3])
    np.testing.assert_array_equal(positions[:, 0], cache.read(None, [20, 3]))


def test_a_value_too_large_for_float16_fails_its_row(data, tmp_path):
    tensors = dict(load_weights(find_backbone("resnet18"), "random:0"))
    tensors["layer4.1.bn2.weight"] *= 1e6
    save_file(tensors, tmp_path / "loud.safetensors")
    loud = str(tmp_path / "loud.safetensors")
    config = replace(CONFIG, weights=loud, dtype="float16", max_failures=1.0)
    cache = FeatureCache(run(config, load_dataset(data), tmp_path / "c"))
    assert cache.excluded == "21 of 21 rows excluded: 21 overflow"
    assert "is not finite in float16" in cache.index[0].message


def test_a_folder_without_labels_works(data, tmp_path):
    folder = make_images(tmp_path / "data", n=5)
    (folder / "labels.csv").unlink()
    cache = FeatureCache(run(CONFIG, load_dataset(folder), tmp_path / "c"))
    assert cache.labels is None and cache.read().shape == (5, 1024)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"dtype": "int8"}, "'dtype' option must be one of float32, float16. Got 'int8'"),
        ({"engine": "warp"}, "'engine' option must be one of eager, compile, openvino. Got 'warp'"),
        ({"batch_size": 0}, "'batch_size' option must be an int in the range \\[1, inf\\). Got 0"),
        (
            {"max_failures": 2.0},
            "'max_failures' option must be a float in the range \\[0, 1\\]. Got 2",
        ),
    ],
)
def test_bad_settings_name_what_is_allowed(change, match):
    with pytest.raises(InputError, match=match):
        replace(CONFIG, **change)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"precision": "bf16"}, "bf16 is slower and less exact on a CPU"),
        ({"device": "cuda:7"}, "'cuda:7' is not on this machine. Give --device cpu"),
        ({"device": "tpu"}, "'device' option must be auto, cpu, cuda or cuda:N. Got 'tpu'"),
    ],
)
def test_what_the_machine_lacks_is_one_line(data, tmp_path, change, match):
    with pytest.raises(InputError, match=match):
        run(replace(CONFIG, **change), load_dataset(data), tmp_path / "c")


def command(*words):
    return children.command(*words, cwd=ROOT)


def test_the_command_says_one_line_and_exits_with_one(tmp_path):
    done = command("extract", "--data", tmp_path, "--weights", "random:0", "--out", tmp_path / "c")
    assert done.returncode == 1
    assert done.stderr.startswith("error: There is no folder images/ in ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "c").exists()


def test_the_command_extracts_and_info_describes(data, tmp_path):
    out = tmp_path / "c"
    words = ["--backbone", "resnet18", "--weights", "random:0", "--size", "32", "--layers", "gap"]
    done = command("extract", "--data", data, "--out", out, *words)
    assert (done.returncode, done.stdout) == (0, f"{out}\n"), done.stderr
    assert "img/s" in done.stderr
    shown = command("features", "info", out)
    assert shown.returncode == 0
    assert "21 rows, 21 with features" in shown.stdout and "resnet18/gap" in shown.stdout
    assert "cat, dog" in shown.stdout and "1 cells unknown" in shown.stdout


@pytest.mark.parametrize("room", ["extract", "features"])
def test_help_shows_an_example(room):
    done = command(room, "--help")
    assert done.returncode == 0 and f"\n  python -m {room} " in done.stdout


def assert_engine_agrees(config, data, out, engine):
    """Compare an engine's cache with that of eager execution."""
    if engine == "openvino":
        pytest.importorskip("openvino", reason="the extra `openvino` is not installed")
    dataset = load_dataset(data)
    expected = FeatureCache(run(config, dataset, out / "eager")).read()
    got = FeatureCache(run(replace(config, engine=engine), dataset, out / engine))
    assert got.manifest["engine"] == engine
    assert np.abs(got.read() - expected).max() <= 1e-5 * np.abs(expected).max()


def test_openvino_agrees(tiny_backbone, data, tmp_path):
    assert_engine_agrees(replace(CONFIG, backbone=tiny_backbone), data, tmp_path, "openvino")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["openvino", "compile"])
def test_engines_agree_on_a_real_network(data, tmp_path, engine):
    assert_engine_agrees(CONFIG, data, tmp_path, engine)


def test_parts_are_disjoint_and_may_come_from_torchrun(data, tmp_path):
    for i in range(2):
        command_line = ["--data", data, "--out", tmp_path / "c", "--backbone", "resnet18"]
        command_line += ["--weights", "random:0", "--size", "32", "--shard-rows", "8"]
        environment = {"RANK": str(i), "WORLD_SIZE": "2"}
        main([*map(str, command_line), "--shards", f"{i}/2"])
        assert part(None, environment) == (i, 2)
        done = [(tmp_path / "c" / f"shard-0000{k}.h5").exists() for k in range(3)]
        assert done == ([True, False, True] if i == 0 else [True, True, True])
    with pytest.raises(
        InputError, match="'shards' option must be I/N with 0 <= I < N, as in 0/4 to 3/4. Got '3'"
    ):
        part("3", {})
    with pytest.raises(
        InputError, match="'shards' option must be I/N with 0 <= I < N, .* Got '4/4'"
    ):
        replace(CONFIG, part=(4, 4))


def test_a_dry_run_estimates_and_writes_nothing(data, tmp_path, capsys):
    command_line = ["--data", data, "--out", tmp_path / "c", "--backbone", "resnet18"]
    main([*map(str, command_line), "--weights", "random:0", "--size", "32", "--dry-run"])
    said = capsys.readouterr().out
    assert "21 images, 21 of this part left in 1 shards" in said
    assert "resnet18/gap 512 float32" in said and "hours" in said
    assert not (tmp_path / "c").exists()


def test_a_disk_that_is_too_small_is_refused_before_the_work(data, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(InputError, match=r"needs 0.0 GB more, its disk has 0.0 GB free. Give an"):
        run(CONFIG, load_dataset(data), tmp_path / "c")


def test_a_folder_that_can_not_be_written_is_one_line(data, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't be made: a file stands where a folder is"):
        run(CONFIG, load_dataset(data), tmp_path / "file" / "c")


def test_a_read_only_place_is_one_line(data):
    with pytest.raises(InputError, match="Can't write the cache /proc/nothing/c: .* Give an --out"):
        run(CONFIG, load_dataset(data), Path("/proc/nothing/c"))


SHARED = [
    "--backbone", "resnet18", "--size", "32", "--weights", "random:0", "--shard-rows", "8",
    "--batch-size", "4",
]  # fmt: skip


def test_processes_of_torchrun_share_the_shards(data, undisturbed, tmp_path):
    out = tmp_path / "c"
    for rank in "10":
        words = ["extract", "--data", data, "--out", out, *SHARED]
        done = children.command(*words, cwd=ROOT, RANK=rank, WORLD_SIZE="2")
        assert done.returncode == 0, done.stderr
        assert out.joinpath("shard-00002.h5").exists() == (rank == "0")
    assert contents(out) == contents(undisturbed)


@pytest.mark.slow
def test_torchrun_gives_each_process_its_shards(data, undisturbed, tmp_path):
    words = ["torch.distributed.run", "--nproc-per-node", "2", "-m", "extract"]
    words += ["--data", str(data), "--out", str(tmp_path / "c"), *SHARED]
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    cache, whole = FeatureCache(tmp_path / "c"), FeatureCache(undisturbed).read()
    assert cache.excluded == "" and len(cache) == N
    assert np.abs(cache.read() - whole).max() <= 1e-5 * np.abs(whole).max()


def test_dask_that_is_not_there_is_one_line(data, tmp_path):
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    with pytest.raises(InputError, match=r"No Dask scheduler at 'local:x' .* local:N"):
        run(CONFIG, load_dataset(data), tmp_path / "c", dask="local:x")
