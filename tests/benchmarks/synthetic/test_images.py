"""The synthetic images: the same seed gives the same bytes, and a killed render is completed."""

import csv
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.synthetic import images
from benchmarks.synthetic.images import SCENES, image_labels, make_image, render_dataset
from benchmarks.synthetic.textures import GROUNDS, LABELS, OBJECTS, TEXTURES, paint_image
from features.errors import InputError

ROOT = Path(__file__).parents[3]


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def label_matrix(n, seed):
    rows = [image_labels(index, seed=seed) for index in range(n)]
    return np.array([[name in row for name in LABELS] for row in rows])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return render_dataset(tmp_path_factory.mktemp("small"), n=12, seed=3)


def test_the_same_seed_gives_the_same_bytes(small, tmp_path):
    again = contents(render_dataset(tmp_path / "again", n=12, seed=3))
    assert again == contents(small)
    other = contents(render_dataset(tmp_path / "other", n=2, seed=4))
    assert other["images/00000.jpg"] != again["images/00000.jpg"]


def test_a_picture_does_not_depend_on_how_many_there_are(small, tmp_path):
    fewer = contents(render_dataset(tmp_path, n=4, seed=3) / "images")
    assert fewer == {f"{i:05d}.jpg": contents(small)[f"images/{i:05d}.jpg"] for i in range(4)}


def test_labels_csv_names_what_is_shown(small):
    with (small / "labels.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["image", *LABELS]
    assert [row[0] for row in rows] == sorted(path.name for path in (small / "images").iterdir())
    table = np.array([row[1:] for row in rows]).astype(int)
    np.testing.assert_array_equal(table, label_matrix(12, 3))


def test_pictures_are_rgb_jpegs(small):
    for path in (small / "images").iterdir():
        with Image.open(path) as image:
            assert (image.format, image.mode) == ("JPEG", "RGB")
            assert min(image.size) >= 224


@pytest.mark.parametrize("seed", range(4))
def test_every_picture_has_a_label_and_every_label_enough_pictures(seed):
    Y = label_matrix(300, seed)
    assert Y.any(axis=1).all()
    assert Y.sum(axis=0).min() >= 20
    assert Y[:, : len(GROUNDS)].sum(axis=1).max() <= images.MAX_GROUNDS


def test_labels_come_in_company():
    Y = label_matrix(300, 0).astype(float)
    correlation = np.corrcoef(Y.T)
    at = {name: index for index, name in enumerate(LABELS)}
    for first, second in [("board", "gear"), ("water", "moon"), ("grass", "leaf")]:
        assert correlation[at[first], at[second]] > 0.2
    assert correlation[at["brick"], at["water"]] < -0.2


def test_scenes_name_labels_that_can_be_painted():
    assert set().union(*SCENES.values()) == set(LABELS)
    assert len(LABELS) == len(set(LABELS)) >= 8


def test_color_does_not_give_a_label_away():
    n = 160
    means = [np.asarray(make_image(i)).mean(axis=(0, 1)) for i in range(n)]
    both = np.column_stack([label_matrix(n, 0), means])
    correlation = np.corrcoef(both.T)[: len(LABELS), len(LABELS) :]
    # 39 draws with a standard deviation of 1/sqrt(160) = 0.08 stay below 0.3 when nothing is told.
    assert np.abs(correlation).max() < 0.3


@pytest.mark.parametrize("name", GROUNDS)
@pytest.mark.parametrize("shape", [(240, 320), (63, 40)])
def test_grounds_are_patterns(name, shape):
    pattern = GROUNDS[name](shape, np.random.default_rng(0))
    assert pattern.shape == shape
    assert pattern.min() >= 0
    assert pattern.max() <= 1
    assert pattern.std() > 0.05


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_fill_a_good_part_of_their_square_with_texture(name):
    u, v = np.meshgrid(np.linspace(-1.3, 1.3, 131), np.linspace(-1.3, 1.3, 131))
    shape, texture = OBJECTS[name]
    inside = shape(u, v) > 0
    assert 0.15 < inside.mean() < 0.6
    assert not inside[[0, -1]].any()
    assert not inside[:, [0, -1]].any()
    painted = texture(u, v, 10.0)[inside]
    assert painted.min() >= 0
    assert painted.max() <= 1
    assert painted.std() > 0.1


def test_no_two_objects_look_alike():
    u, v = np.meshgrid(np.linspace(-1.3, 1.3, 131), np.linspace(-1.3, 1.3, 131))
    silhouettes = [shape(u, v) > 0 for shape, _ in OBJECTS.values()]
    for i, first in enumerate(silhouettes):
        for second in silhouettes[:i]:
            assert (first & second).sum() / (first | second).sum() < 0.85
    assert len({texture for _, texture in OBJECTS.values()}) >= len(TEXTURES) - 1


def test_a_picture_without_labels_can_be_painted():
    assert paint_image([], np.random.default_rng(0)).mode == "RGB"


def test_a_failure_half_way_leaves_whole_pictures_and_no_labels(small, tmp_path, monkeypatch):
    def fail_at_five(index, *, seed):
        if index == 5:
            raise KeyboardInterrupt
        return make_image(index, seed=seed)

    with monkeypatch.context() as patch:
        patch.setattr(images, "make_image", fail_at_five)
        with pytest.raises(KeyboardInterrupt):
            render_dataset(tmp_path, n=12, seed=3)
    assert not (tmp_path / "labels.csv").exists()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "images").iterdir()}
    assert len(kept) == 5
    render_dataset(tmp_path, n=12, seed=3)
    assert contents(tmp_path) == contents(small)
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items())


def test_a_killed_render_is_completed(small, tmp_path):
    render = f"render_dataset({str(tmp_path)!r}, n=12, seed=3)"
    code = f"from benchmarks.synthetic.images import *; {render}"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while len(list((tmp_path / "images").glob("*.jpg"))) < 3 and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert contents(render_dataset(tmp_path, n=12, seed=3)) == contents(small)


def test_a_finished_folder_is_left_as_it_is(small):
    before = {path: path.stat().st_mtime_ns for path in small.rglob("*")}
    render_dataset(small, n=12, seed=3)
    assert {path: path.stat().st_mtime_ns for path in small.rglob("*")} == before


def test_another_recipe_is_refused(small):
    before = contents(small)
    with pytest.raises(InputError, match=r'"n": 12, "seed": 3.*"n": 13, "seed": 3.*another folder'):
        render_dataset(small, n=13, seed=3)
    assert contents(small) == before


def test_a_foreign_data_set_is_refused(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError, match="not made here"):
        render_dataset(tmp_path, n=1)


@pytest.mark.parametrize(("n", "seed"), [(0, 0), (-3, 0), (1, -1)])
def test_bad_numbers_are_refused(tmp_path, n, seed):
    with pytest.raises(InputError, match="n must be at least 1 and seed not negative"):
        render_dataset(tmp_path / "new", n=n, seed=seed)
    assert not (tmp_path / "new").exists()
