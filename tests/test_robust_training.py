"""The comparison of trainings: how images are disturbed, and how weights are averaged."""

import numpy as np
import pytest

from experiments import common, robust_training, shipped_model
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
