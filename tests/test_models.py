"""Heads, views of an image, and what is shipped."""

import numpy as np
from scipy.special import expit

from utils import backbone, models
from utils.quiet import keras


def test_head_is_the_original_projects():
    base = backbone.mobilenet_v2(0.35, 32, 32)
    head = models.melanoma_classifier(base).layers[len(base.layers) :]
    kinds = [type(layer).__name__ for layer in head]
    assert kinds == ["GlobalAveragePooling2D", "Dropout", "Dense", "Dropout", "Dense"]
    assert (head[1].rate, head[2].units, head[3].rate, head[4].units) == (0.3, 128, 0.2, 1)
    assert head[2].activation.__name__ == "relu" and head[4].activation.__name__ == "sigmoid"


def test_every_layer_may_learn_and_batch_norm_follows_quickly():
    base = backbone.mobilenet_v2(0.35, 32, 32)
    model = models.logit_classifier(base, 7)
    assert model.output.shape == (None, 7)
    norms = [x for x in base.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert norms and all(layer.momentum == 0.9 and layer.trainable for layer in norms)
    assert len(model.non_trainable_weights) == 2 * len(norms)


def test_eight_views_are_all_symmetries():
    image = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(1, 4, 4, 3)
    views = list(models.symmetric_views(image))
    assert len({view.tobytes() for view in views}) == 8
    assert np.array_equal(views[0], image)
    assert all(np.array_equal(np.sort(v.ravel()), np.sort(image.ravel())) for v in views)


def test_log_odds_are_those_of_the_softmax():
    logits = np.random.default_rng(0).normal(size=(5, 7)).astype("float32")
    p = np.exp(logits[:, -1]) / np.exp(logits).sum(1)
    found = np.asarray(models.melanoma_logit(logits))[:, 0]
    np.testing.assert_allclose(found, np.log(p / (1 - p)), rtol=1e-4)


def test_corner_views_are_every_corner_in_every_symmetry():
    image = np.arange(16 * 16 * 3).reshape(1, 16, 16, 3)
    views = list(models.corner_views(image))
    assert len({view.tobytes() for view in views}) == 32
    assert {view.shape for view in views} == {(1, 14, 14, 3)}
    for corner in (image[:, :14, :14], image[:, :14, 2:], image[:, 2:, :14], image[:, 2:, 2:]):
        assert any(np.array_equal(view, corner) for view in views)


def test_what_is_shipped_averages_the_log_odds_of_its_views():
    pixels = keras.Input((35, 35, 3))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    model = keras.Model(pixels, keras.layers.Dense(7)(x))
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3))  # a corner has 35 px
    views = np.stack(list(models.corner_views(images)))
    logits = np.array([models.melanoma_logit(model(v)) for v in views])
    assert np.ptp(logits, axis=0).min() > 1e-2  # the views do differ
    found = models.as_predictor(model, 40, 1.7)(images)
    np.testing.assert_allclose(found, expit(logits.mean(0) / 1.7), atol=1e-5)
