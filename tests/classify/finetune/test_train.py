"""Training on tiny pictures: it learns, starts where it is told, and keeps the best epoch."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from classify.finetune.checkpoint import load_checkpoint
from classify.finetune.config import MODELS
from classify.finetune.objectives import SemiSupervised
from classify.finetune.run import finetune
from classify.finetune.train import MODEL, STATE
from classify.logistic import LogisticTagger
from classify.metrics import METRICS
from classify.results import read_results
from classify.warp.propagation import propagate_labels
from features.datasets import load_dataset
from features.errors import InputError
from tests.classify.finetune.runs import CONFIG, logged, trainer_of
from tests.extract.test_run import make_images

pytestmark = pytest.mark.usefixtures("tiny_backbone")


RANKINGS = ("warp", "softmax")  # only the order of a row's scores has a meaning


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Eight pictures of four colored squares, with random labels."""
    folder = make_images(tmp_path_factory.mktemp("drawn") / "data", n=8)
    rng = np.random.default_rng(2)
    for path in sorted((folder / "images").iterdir()):
        squares = rng.choice(np.array([0, 255], dtype=np.uint8), size=(2, 2, 3))
        Image.fromarray(squares.repeat(16, axis=0).repeat(16, axis=1)).save(path)
    Y = (rng.random((8, 5)) < 0.4).astype(np.int8)
    Y[np.arange(8), rng.integers(5, size=8)] = 1
    Y[:, 0] &= 1 - Y[:, 1]  # no image has every label
    return folder, Y


@pytest.mark.parametrize("model", MODELS)
def test_eight_images_are_learned_to_perfection(model, drawn, tmp_path):
    data, Y = drawn
    config = replace(
        CONFIG, model=model, backbone="wide", epochs=1, batch_size=8, learning_rate=0.05,
        head_learning_rate=0.05,
        warm_up=0.0 if model == "imcl" else 0.8,  # without one the ramp lets labels fall off
        schedule="cosine", validation=0.0, weight_decay=0.0, checkpoint_every=1000,
    )  # fmt: skip
    rows = np.tile(np.arange(8), 60)  # one long epoch: nothing is saved meanwhile
    trainer = trainer_of(config, Y, data, tmp_path, rows=rows)
    trainer.run()
    scores, _ = trainer.predict(np.arange(8))
    for metric in ("example_ap",) if model in RANKINGS else ("example_ap", "map", "f1_micro"):
        assert METRICS[metric].function(Y, scores) == 1, metric


def test_a_loss_that_is_not_finite_is_one_line(data, tmp_path):
    trainer = trainer_of(
        replace(CONFIG, learning_rate=1e30), np.eye(3, dtype=np.int8), data, tmp_path
    )
    with pytest.raises(
        InputError,
        match="the loss is .* too large; divide --learning-rate and --head-learning-rate",
    ):
        trainer.run()


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA"), RuntimeError("[enforce] can't allocate memory: 9")]
)
def test_too_little_memory_is_one_line(error, data, tmp_path, monkeypatch):
    trainer = trainer_of(CONFIG, np.eye(3, dtype=np.int8), data, tmp_path)

    def forward(*_):
        raise error

    monkeypatch.setattr(trainer.network, "forward", forward)
    with pytest.raises(InputError, match="out of memory with batches of 4 .* double --accumulate"):
        trainer.run()


def test_an_uneven_cut_is_one_line(data, tmp_path):
    with pytest.raises(InputError, match="a batch of 4 can't be cut into 1 processes x 3 parts"):
        trainer_of(replace(CONFIG, accumulate=3), np.eye(3, dtype=np.int8), data, tmp_path)


def test_the_best_epoch_is_kept_and_waiting_ends(data, tmp_path, monkeypatch):
    config = replace(CONFIG, epochs=9, patience=2)
    trainer = trainer_of(config, np.eye(3, dtype=np.int8), data, tmp_path, validation=[0, 1, 2])
    values = iter([0.2, 0.5, 0.5, 0.4, 0.9])
    better = METRICS["example_ap"]._replace(function=lambda Y, scores: next(values))
    monkeypatch.setitem(METRICS, "example_ap", better)
    position = trainer.run()
    assert (position.best_epoch, position.epoch, position.best) == (2, 4, 0.5)
    kept = load_checkpoint(tmp_path / MODEL)[0]
    assert not torch.equal(kept["conv1.weight"], trainer.network.test_tensors()["conv1.weight"])


@pytest.mark.parametrize("model", MODELS)
def test_an_initialized_head_starts_with_the_scores_of_the_cached_learner(model, data, tmp_path):
    Y = load_dataset(data).labels
    Y = np.column_stack([Y, 1 - Y]).astype(np.int8)
    Y[0, :3] = -1
    train, held_out = np.arange(14), np.arange(14, 21)
    config = replace(CONFIG, model=model, head_init="logistic")
    trainer = trainer_of(config, Y, data, tmp_path, rows=train, validation=held_out)
    trainer._start()
    scores, X = trainer.predict(held_out)
    [line] = logged(tmp_path)
    expected = LogisticTagger("l2", C=line["head_C"]).fit(trainer.predict(train)[1], Y[train])
    # Both stop at a gap of 1e-4, one of them along a path of C; co-projection's other branch has
    # 3 % of its weights.
    atol = 0.3 if model in ("coprojection", "coprojection-b", "coprojection-mse") else 2e-2
    np.testing.assert_allclose(scores, expected.decision_function(X), rtol=1e-2, atol=atol)
    assert line["validation_example_ap"] == METRICS["example_ap"].function(Y[held_out], scores)
    assert (trainer.position.best_epoch, trainer.position.best) == (
        0, line["validation_example_ap"],
    )  # fmt: skip


def test_training_goes_on_from_an_initialized_head_which_may_stay_the_best(data, tmp_path):
    start = replace(CONFIG, head_init="logistic", epochs=1)
    held = finetune(
        replace(start, learning_rate=0.0, head_learning_rate=0.0), data, tmp_path / "held"
    )
    moved = finetune(start, data, tmp_path / "moved")
    assert [line["step"] for line in logged(held) if "head_C" in line] == [0]
    assert read_results(held / "results.jsonl")[1][0]["epoch"] == 0
    began, ended = (load_checkpoint(run / STATE)[0] for run in (held, moved))
    for name in ("network.head.fc.weight", "network.backbone.network.conv1.weight"):
        change = (ended[name] - began[name]).norm() / began[name].norm()
        assert 0 < change < 0.2


def test_without_rows_held_out_an_initialized_head_takes_c_of_one(data, tmp_path):
    config = replace(CONFIG, head_init="logistic", validation=0.0)
    trainer = trainer_of(config, load_dataset(data).labels, data, tmp_path)
    trainer._start()
    scores, X = trainer.predict(np.arange(21))
    expected = LogisticTagger("l2", C=1.0).fit(X, load_dataset(data).labels)
    np.testing.assert_allclose(scores, expected.decision_function(X), rtol=1e-3, atol=1e-4)


def test_labels_are_propagated_from_the_network_s_own_features(data):
    rng = np.random.default_rng(0)
    Y = np.eye(4, dtype=np.int8)[rng.integers(4, size=12)]
    Y[5:] = -1
    rows, X = np.arange(12), rng.normal(size=(12, 6)).astype(np.float32)
    objective = SemiSupervised(replace(CONFIG, model="ss-rml", refresh=2), Y, rows)

    def predict(asked):
        return np.zeros((len(asked), 4)), X[asked]

    for epoch in (0, 1):
        objective.start_epoch(epoch, predict)
        np.testing.assert_array_equal(objective.rows(), np.arange(5))
    objective.start_epoch(2, predict)
    np.testing.assert_array_equal(objective.rows(), rows)
    given = propagate_labels(X, Y, np.arange(5), np.arange(5, 12))
    np.testing.assert_array_equal(objective.labels[5:], given.labels)
    np.testing.assert_allclose(objective.weights[5:], given.weights, rtol=1e-6)
    np.testing.assert_array_equal(objective.weights[:5], 1)
    again = SemiSupervised(replace(CONFIG, model="ss-rml"), Y, rows)
    again.load_state(objective.state())
    np.testing.assert_array_equal(again.labels, objective.labels)


def test_bf16_learns_too(data, tmp_path):
    trainer = trainer_of(
        replace(CONFIG, model="coprojection", precision="bf16", epochs=1, validation=0.0),
        np.eye(4, dtype=np.int8), data, tmp_path,
    )  # fmt: skip
    trainer.run()
    assert np.isfinite(trainer.predict(np.arange(4))[0]).all()
