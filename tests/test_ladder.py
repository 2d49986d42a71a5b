"""The ladder: one change a rung, its losses, what is frozen, and its record."""

import json
from itertools import pairwise

import numpy as np
import pytest

from course import ladder
from utils import backbone, evaluation, results, splits
from utils.data import Lesions, synthetic
from utils.quiet import keras


def test_each_rung_changes_one_thing():
    trainings = ladder.trainings()
    for below, name in pairwise(ladder.RUNGS):
        changed = {k for k, v in trainings[name].items() if v != trainings[below][k]}
        if name == "all images":  # fewer epochs, so that the steps stay as many
            before, after = 600 * trainings[below]["epochs"], 6015 * trainings[name]["epochs"]
            assert changed == {"images", "epochs"} and after == pytest.approx(before, rel=0.01)
        else:
            assert len(changed) == 1


def test_the_ways_of_balancing_differ_in_the_way_alone():
    trainings = ladder.trainings()
    assert len({json.dumps(trainings[f"balance: {name}"]) for name in ladder.BALANCE}) == 1


def test_losses_by_hand():
    labels = np.array([0, 0, 0, 1])  # weights 4 / (2 * 3) and 4 / (2 * 1)
    y, logits = np.array([0, 1]), np.zeros((2, 2), np.float32)  # both probabilities 1/2
    weighted = ladder.loss("class weights", labels)(y, logits)
    assert np.allclose(weighted, np.log(2) * np.array([2 / 3, 2]))
    assert np.allclose(ladder.loss("focal loss", labels)(y, logits), np.log(2) / 4)
    assert ladder.loss("as it is", labels) is None


def test_what_learns():
    for learns, kinds in (
        ("head", set()),
        ("last 20 layers", {"Conv2D", "DepthwiseConv2D"}),
        ("all but BatchNorm", {"Conv2D", "DepthwiseConv2D"}),
        ("everything", {"Conv2D", "DepthwiseConv2D", "BatchNormalization"}),
    ):
        base = backbone.mobilenet_v2(0.35, 32, 32)
        ladder.freeze(base, learns)
        learning = [layer for layer in base.layers if layer.trainable_weights]
        assert {type(layer).__name__ for layer in learning} == kinds
        assert (len(learning) < 20) == (learns in ("head", "last 20 layers"))


@pytest.fixture
def small(monkeypatch, tmp_path):
    """The ladder on drawn lesions' table, with a training that knows the answers."""
    table = synthetic.metadata()
    table = splits.full(table.assign(copy_of=table["image_id"]))
    images = np.zeros((len(table), 8, 8, 3), np.uint8)
    monkeypatch.setattr(ladder.data, "load_lesions", lambda *_: Lesions(images, table, "folder"))
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    draw = evaluation.resampled_lesions  # fifty are enough to see that an interval is there
    monkeypatch.setattr(evaluation, "resampled_lesions", lambda y, g, n, seed: draw(y, g, 50, seed))
    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path))
    trained = []

    def train(lesions, test, name, seed, backup):
        backup.touch()
        trained.append((name, seed))
        y = test.melanoma
        better = 0.1 if name == "all images" else 0.0
        rng = np.random.default_rng(seed)
        p = np.clip(0.4 + (0.05 + better) * y + rng.normal(0, 0.1, len(y)), 0, 1)
        return np.array([p, 0.9 * p])

    monkeypatch.setattr(ladder, "train", train)
    return trained, tmp_path / "ladder.json"


@pytest.mark.slow
def test_the_ladder_is_recorded_and_resumed(small):
    trained, path = small
    ladder.run()
    ladder.run()
    assert len(trained) == len(set(trained)) == len(ladder.RUNGS) * 3 + 4 * 2
    found = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert list(found["gains"]) == [
        *list(ladder.RUNGS)[1:],
        "eight views",
        "three trainings together",
    ]
    assert found["gains"]["augmentation"]["value"] == 0
    assert found["gains"]["all images"]["low"] > 0
    assert found["gains"]["eight views"]["value"] == pytest.approx(0, abs=1e-9)
    assert len(found["roc_auc"]["all images"]["seeds"]) == 3
    assert "seeds" not in found["roc_auc"]["three trainings together"]
    assert set(found["balance_gains"]) == {"class weights", "balanced batches", "focal loss"}
    assert found["n_images"] > found["n_melanomas"] > 0


def test_balanced_batches_take_as_many_steps(small, monkeypatch, tmp_path):
    monkeypatch.undo()
    table = splits.full(synthetic.metadata().assign(copy_of=lambda t: t["image_id"]))
    lesions = Lesions(np.zeros((len(table), 8, 8, 3), np.uint8), table, "folder")
    test, steps = lesions.subset("test"), {}

    def all_layers(model, images, labels, size, backup, epochs, **_):
        steps[len(steps)] = len(labels) * epochs, labels.mean()

    monkeypatch.setattr(ladder.training, "all_layers", all_layers)
    monkeypatch.setattr(ladder.pretrained, "mobilenet_v2", lambda *_: None)
    monkeypatch.setattr(ladder, "predict", lambda model, images: np.zeros(len(images)))
    for way in ("as it is", "balanced batches"):
        ladder.train(lesions, test, f"balance: {way}", 0, tmp_path / "x.weights.h5")
    (plain, natural), (balanced, half) = steps.values()
    assert balanced == pytest.approx(plain, rel=0.1)
    assert natural < 0.15 and half == pytest.approx(0.5, abs=0.03)


def test_the_recorded_ladder_is_that_of_the_split():
    found = results.committed(ladder.NAME)
    assert found["split_fingerprint"].startswith("66eda589df44")
    assert list(found["gains"])[:-2] == list(ladder.RUNGS)[1:]


def test_keras_takes_the_losses():
    """A callable of labels and logits, one number an image."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    for way in ("class weights", "focal loss"):
        model.compile("sgd", ladder.loss(way, np.array([0, 1])))
        loss = model.evaluate(np.ones((4, 2)), np.array([0, 1, 0, 1]), verbose=0)
        assert np.isfinite(loss)
