"""The photos of the hand-written loops, as a loader's worker processes get them."""

import pickle

import numpy as np
import torch
from PIL import Image

from benchmarks.speed.photos import Photos


def mean_color(picture):
    return torch.from_numpy(np.asarray(picture).mean(axis=(0, 1)))


def test_photos_reach_other_processes_and_keep_their_labels(tmp_path):
    colors = [(10, 20, 30), (40, 50, 60)]
    paths = [tmp_path / f"{i}.png" for i in range(2)]
    for path, color in zip(paths, colors, strict=True):
        Image.new("RGB", (4, 4), color).save(path)
    labels = torch.eye(2)
    photos = pickle.loads(pickle.dumps(Photos(paths, mean_color, labels)))
    assert len(photos) == 2
    for i, color in enumerate(colors):
        pixels, row = photos[i]
        assert pixels.tolist() == list(color) and torch.equal(row, labels[i])
    assert Photos(paths, mean_color)[1].tolist() == list(colors[1])
