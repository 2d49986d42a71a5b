"""The comparison of trainings: how images are disturbed, and how weights are averaged."""

import numpy as np
import pandas as pd
import pytest

from experiments import common, robust_training, shipped_model
from utils import data
from utils.quiet import keras

IMAGES = np.random.default_rng(0).integers(60, 200, (3, 150, 150, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", robust_training.KINDS)
def test_a_disturbance_changes_images_alike_each_time_and_leaves_their_form(kind):
    before = IMAGES.copy()
    once, again = (robust_training.KINDS[kind](IMAGES) for _ in range(2))
    np.testing.assert_array_equal(IMAGES, before)
    np.testing.assert_array_equal(once, again)
    assert once.shape == IMAGES.shape and once.dtype == np.uint8
    assert (kind == "clean") == np.array_equal(once, IMAGES)


def test_the_rule_names_what_no_view_imitates():
    rule = common.parameters("robust_training")["rule"]
    assert all(kind.rstrip("s") in rule for kind in robust_training.UNSEEN)
    assert set(robust_training.UNSEEN) <= set(robust_training.KINDS)


def test_weights_of_the_last_epochs_are_kept_and_averaged(tmp_path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile("sgd", "mse")
    keep = shipped_model.KeepEpochs(tmp_path, first=1)
    x = np.ones((4, 1))
    model.fit(x, 3 * x, epochs=3, callbacks=[keep], verbose=0)
    paths = sorted(tmp_path.glob("epoch-*.weights.h5"))
    assert [path.name[:7] for path in paths] == ["epoch-1", "epoch-2"]
    single = []
    for path in paths:
        model.load_weights(path)
        single.append(model.get_weights()[0])
    shipped_model.average_weights(model, paths)
    np.testing.assert_allclose(model.get_weights()[0], np.mean(single, axis=0))


@pytest.mark.slow
def test_a_teacher_gives_a_share_of_the_labels(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (5, 40, 40, 3), dtype=np.uint8)
    labels, asked = np.array([0, 6, 4, 4, 2]), []

    def teacher(recipe, seed, images, labels):
        asked.append((recipe, seed, len(images), labels))
        pixels = keras.Input((32, 32, 3))
        pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pixels))
        return keras.Model(pixels, keras.layers.Dense(7)(pooled))

    monkeypatch.setattr(shipped_model, "train_recipe", teacher)
    recipe = {"size": 32, "strength": "strong", "epochs": 30}
    own = {"strength": "plain", "epochs": 20, "share": 0.25}
    soft = shipped_model.softened(recipe | {"teacher": own}, own, 3, images, labels)
    assert asked == [({"size": 32, "strength": "plain", "epochs": 20}, 3, 5, labels)]
    assert soft.shape == (5, 7) and (soft >= 0).all()
    np.testing.assert_allclose(soft.sum(1), 1, rtol=1e-5)
    assert (soft[np.arange(5), labels] >= 0.75).all() and (soft < 1).all()


def test_a_candidate_is_judged_at_its_own_threshold_and_its_answers_are_kept(monkeypatch):
    n = common.parameters("robust_training")["n_others"] + 40
    y = (np.arange(n) < 40).astype(int)
    dx = np.where(y, "mel", "nv")
    table = pd.DataFrame({"group": np.arange(n).astype(str), "dx": dx, "split": "validation"})
    lesions = data.Lesions(np.zeros((n, 1, 1, 3), np.uint8), table, "folder")
    monkeypatch.setattr(common, "lesions", lambda size: lesions)
    clean = np.where(y, 0.9, 0.1) - np.arange(n) * 1e-4
    dark = np.where(np.arange(n) % 2, clean, 0)
    kinds = [dark if kind == "darker 4" else clean for kind in robust_training.KINDS]
    monkeypatch.setattr(common, "kept", lambda *_: np.concatenate([clean, *kinds]))
    found = robust_training.judged("it", {"source_size": 128}, 0)
    assert found["roc_auc of all"] == 1 and 0.89 < found["threshold"] < 0.9
    for kind, known in found["conditions"].items():
        p = np.array(found["probability"][kind])
        assert p.shape == (n,) and known["false positives"] == 0
        called = p[y == 1] >= found["threshold"] - 1e-5
        assert known["sensitivity"] == pytest.approx(called.mean())
    assert found["conditions"]["darker 4"]["sensitivity"] < 0.6
