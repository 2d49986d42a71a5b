"""The ladder: one change a rung, its losses, what is frozen, and its record."""

import json
from itertools import pairwise

import numpy as np
import pytest

from experiments import common, ladder
from utils import backbone, pretrained, results, splits, training
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


def test_losses_by_hand():
    labels = np.array([0, 0, 0, 1])  # weights 4 / (2 * 3) and 4 / (2 * 1)
    y, logits = np.array([0, 1]), np.zeros((2, 2), np.float32)  # both probabilities 1/2
    weighted = ladder.loss("class weights", labels)(y, logits)
    assert np.allclose(weighted, np.log(2) * np.array([2 / 3, 2]))
    assert np.allclose(ladder.loss("focal loss", labels)(y, logits), np.log(2) / 4)
    assert ladder.loss("as it is", labels) is None


def test_keras_takes_the_losses():
    """A callable of labels and logits, one number an image."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    for way in ("class weights", "focal loss"):
        model.compile("sgd", ladder.loss(way, np.array([0, 1])))
        loss = model.evaluate(np.ones((4, 2)), np.array([0, 1, 0, 1]), verbose=0)
        assert np.isfinite(loss)


def test_what_learns():
    base = backbone.mobilenet_v2(0.35, 32, 32)
    for learns, kinds in (
        ("everything", {"Conv2D", "DepthwiseConv2D", "BatchNormalization"}),
        ("all but BatchNorm", {"Conv2D", "DepthwiseConv2D"}),
        ("last 20 layers", {"Conv2D", "DepthwiseConv2D"}),
        ("head", set()),
    ):
        ladder.freeze(base, learns)
        learning = [layer for layer in base.layers if layer.trainable_weights]
        assert {type(layer).__name__ for layer in learning} == kinds
        assert (len(learning) < 20) == (learns in ("head", "last 20 layers"))


@pytest.fixture(scope="module")
def lesions():
    """Drawn lesions' table with black images that claim to be real."""
    table = splits.full(synthetic.metadata().assign(copy_of=lambda t: t["image_id"]))
    return Lesions(np.zeros((len(table), 8, 8, 3), np.uint8), table, "folder")


@pytest.mark.slow
def test_the_ladder_is_recorded_and_resumed(lesions, tmp_path, monkeypatch, few_resamples):
    """With a training that knows the answers, and is interrupted once."""
    trained = []

    def train(lesions, test, name, seed, backup):
        backup.touch()
        trained.append((name, seed))
        if len(trained) == 9:
            raise KeyboardInterrupt
        y = test.melanoma
        better = 0.1 if name == "all images" else 0.0
        rng = np.random.default_rng(seed)
        p = np.clip(0.4 + (0.05 + better) * y + rng.normal(0, 0.1, len(y)), 0, 1)
        return np.array([p, 0.9 * p])

    monkeypatch.setattr(common, "lesions", lambda size: lesions)
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path))
    monkeypatch.setattr(ladder, "train", train)
    with pytest.raises(KeyboardInterrupt):
        ladder.run()
    ladder.run()
    assert trained[8] == trained.pop(9)  # that which was interrupted, and no other twice
    assert len(trained) == len(set(trained)) == len(ladder.RUNGS) * 3 + 4 * 2
    found = json.loads((tmp_path / "ladder.json").read_text(), parse_constant=pytest.fail)
    combined = ["eight views", "three trainings together"]
    assert list(found["gains"]) == [*list(ladder.RUNGS)[1:], *combined]
    assert found["gains"]["augmentation"]["value"] == 0
    assert found["gains"]["all images"]["low"] > 0
    assert found["gains"]["eight views"]["value"] == pytest.approx(0, abs=1e-9)
    assert len(found["roc_auc"]["all images"]["seeds"]) == 3
    assert "seeds" not in found["roc_auc"]["three trainings together"]
    assert set(found["balance_gains"]) == {"class weights", "balanced batches", "focal loss"}
    test = lesions.subset("test")
    assert (found["n_images"], found["n_melanomas"]) == (len(test), test.melanoma.sum())


@pytest.mark.slow
def test_the_ways_of_balancing_differ_in_the_way_alone(lesions, monkeypatch, tmp_path):
    """Balanced batches take as many steps."""
    trainings, test, steps = ladder.trainings(), lesions.subset("test"), []
    assert len({json.dumps(trainings[f"balance: {name}"]) for name in ladder.BALANCE}) == 1

    def all_layers(model, images, labels, size, backup, epochs, **_):
        steps.append((len(labels) * epochs, labels.mean()))

    monkeypatch.setattr(training, "all_layers", all_layers)
    monkeypatch.setattr(pretrained, "mobilenet_v2", lambda *_: None)
    monkeypatch.setattr(common, "melanoma_probability", lambda _, images: np.zeros(len(images)))
    for way in ("as it is", "balanced batches"):
        ladder.train(lesions, test, f"balance: {way}", 0, tmp_path / "x.weights.h5")
    (plain, natural), (balanced, half) = steps
    assert balanced == pytest.approx(plain, rel=0.1)
    assert natural < 0.15 and half == pytest.approx(0.5, abs=0.03)


def test_the_recorded_ladder_has_these_rungs():
    assert list(results.committed("ladder")["gains"])[:-2] == list(ladder.RUNGS)[1:]
