"""Training of all layers, and the model in models/."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from course import publish, shipped
from course.errors import CourseError
from utils import (
    backbone,
    data,
    evaluation,
    predict,
    pretrained,
    results,
    settings,
    splits,
    training,
)
from utils.data import Lesions, synthetic
from utils.quiet import keras


@pytest.fixture
def few_resamples(monkeypatch):
    """Fifty for every interval: enough to see that it is there."""
    draw = evaluation.resampled_lesions
    monkeypatch.setattr(evaluation, "resampled_lesions", lambda y, g, n, seed: draw(y, g, 50, seed))


def images_of(n, size=40):
    rng = np.random.default_rng(0)
    labels = np.arange(n) % len(data.DX)
    images = rng.integers(0, 120, (n, size, size, 3)) + 15 * labels[:, None, None, None]
    return images.astype(np.uint8), labels


# --- training of all layers ----------------------------------------------------------------------


def test_an_epoch_depends_on_its_seed_alone():
    images, labels = images_of(20)
    once, again, other = (list(training.batches(images, labels, 32, seed, 8)) for seed in (3, 3, 4))
    assert len(once) == 2
    for (x, y), (x_again, y_again) in zip(once, again, strict=True):
        np.testing.assert_array_equal(x, x_again)
        np.testing.assert_array_equal(y, y_again)
    x, y = once[0]
    assert x.shape == (8, 32, 32, 3) and x.dtype == "float32" and y.dtype == "int64"
    assert float(np.min(x)) >= 0 and float(np.max(x)) <= 255
    assert not np.array_equal(x, other[0][0])


def test_labels_follow_their_images():
    images = np.empty((16, 40, 40, 3), np.uint8)
    images[:] = 10 * np.arange(16)[:, None, None, None]
    for x, y in training.batches(images, np.arange(16), 32, 0, 4):
        brightness = np.asarray(x).mean((1, 2, 3))
        assert (np.abs(brightness - 10 * np.asarray(y)) <= 0.35 * 10 * np.asarray(y)).all()


def test_every_layer_may_learn_and_batch_norm_follows_quickly():
    base = backbone.mobilenet_v2(0.35, 32, 32)
    model = training.logit_classifier(base, 7)
    assert model.output.shape == (None, 7)
    norms = [x for x in base.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert norms and all(layer.momentum == 0.9 and layer.trainable for layer in norms)
    assert len(model.non_trainable_weights) == 2 * len(norms)


TRAINING = """
import sys
import numpy as np
import tensorflow as tf
tf.config.experimental.enable_op_determinism()
from utils import training
from utils.quiet import keras
keras.utils.set_random_seed(0)
x = keras.Input((32, 32, 3))
y = keras.layers.Conv2D(8, 3, strides=2)(keras.layers.Rescaling(1 / 255)(x))
y = keras.layers.BatchNormalization(momentum=0.9)(y)
y = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(y))
model = keras.Model(x, keras.layers.Dense(7)(y))
labels = np.arange(640) % 7
images = np.random.default_rng(0).integers(0, 120, (640, 40, 40, 3))
images = (images + 15 * labels[:, None, None, None]).astype(np.uint8)
training.all_layers(model, images, labels, 32, sys.argv[1], epochs=8, batch_size=16, verbose=2)
np.savez(sys.argv[2], *model.get_weights())
"""


@pytest.mark.slow
def test_a_killed_training_resumes_and_ends_at_the_same_weights(tmp_path):
    def start(name, end):
        command = [sys.executable, "-c", TRAINING, tmp_path / f"{name}.weights.h5", tmp_path / end]
        return subprocess.Popen(
            command, cwd=settings.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    killed = start("a", "never.npz")
    deadline = time.monotonic() + 120
    while not (tmp_path / "a.weights.h5").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL and not (tmp_path / "never.npz").exists()

    resumed, unbroken = start("a", "resumed.npz"), start("b", "unbroken.npz")
    said, errors = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, errors
    assert "of 8 epochs are done, resuming from there" in said
    assert "Epoch 1/8" not in said and "Epoch 8/8" in said
    assert unbroken.wait(300) == 0
    with np.load(tmp_path / "resumed.npz") as a, np.load(tmp_path / "unbroken.npz") as b:
        for name in a.files:
            np.testing.assert_array_equal(a[name], b[name])


def test_training_that_cannot_be_is_refused(tmp_path):
    base = backbone.mobilenet_v2(0.35, 32, 32)
    model = training.logit_classifier(base, 7)
    images, labels = images_of(20)
    with pytest.raises(ValueError, match="less than one batch of 64"):
        training.all_layers(model, images, labels, 32, tmp_path / "a.weights.h5")
    (tmp_path / "a.weights.h5").write_bytes(b"torn")
    with pytest.raises(ValueError, match=r"a\.weights\.h5 is not a backup"):
        training.all_layers(model, images, labels, 32, tmp_path / "a.weights.h5", batch_size=8)


# --- from logits to a shipped model --------------------------------------------------------------


def test_eight_views_are_all_symmetries():
    image = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(1, 4, 4, 3)
    views = list(training.symmetric_views(image))
    assert len({view.tobytes() for view in views}) == 8
    assert np.array_equal(views[0], image)
    assert all(np.array_equal(np.sort(v.ravel()), np.sort(image.ravel())) for v in views)


def test_log_odds_are_those_of_the_softmax():
    logits = np.random.default_rng(0).normal(size=(5, 7)).astype("float32")
    p = np.exp(logits[:, -1]) / np.exp(logits).sum(1)
    found = np.asarray(training.melanoma_logit(logits))[:, 0]
    np.testing.assert_allclose(found, np.log(p / (1 - p)), rtol=1e-4)


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_temperature_is_found(true):
    rng = np.random.default_rng(0)
    honest = rng.normal(size=20_000)
    y = rng.random(20_000) < 1 / (1 + np.exp(-honest))
    assert shipped.temperature(y.astype(int), true * honest) == pytest.approx(true, rel=0.06)


def test_threshold_finds_the_share_that_was_asked_for():
    y, p = np.array([0] * 5 + [1] * 10), np.linspace(0, 1, 15)
    t = shipped.threshold_for_sensitivity(y, p, 0.9)
    assert (p[y == 1] >= t).mean() == 0.9
    assert (p[y == 1] >= np.nextafter(t, 2)).mean() < 0.9


@pytest.mark.slow
def test_the_whole_recipe_in_small(tmp_path, monkeypatch, few_resamples):
    """Every step but the learning: random images, one epoch, weights that were never trained."""
    table = synthetic.metadata().iloc[::2]  # half of it is enough
    table = splits.full(table.assign(copy_of=table["image_id"]))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (len(table), 32, 32, 3), dtype=np.uint8)
    asked = []

    def load_lesions(*given):
        asked.append(given)
        return Lesions(images, table, "folder")

    monkeypatch.setattr(data, "load_lesions", load_lesions)
    monkeypatch.setattr(pretrained, "mobilenet_v2", lambda *_: None)
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    monkeypatch.setattr(predict, "SHIPPED", tmp_path / "models" / "m.keras")
    monkeypatch.setattr(pretrained, "SHIPPED", tmp_path / "models" / "backbone.weights.h5")
    small = dict(size=32, source_size=32, epochs=1)
    shipped.make(tmp_path / "work", seeds=(0, 1), mini_seeds=(5,), **small)
    assert asked == [("folder", 32, splits.full)]  # real images, and the full split
    model, facts = predict.load_model(predict.SHIPPED)
    assert model.output.shape == (None, 1) and model.input.shape == (None, 32, 32, 3)
    found = results.committed("shipped_model")
    assert facts["split_fingerprint"] == found["split_fingerprint"] == splits.fingerprint(table)
    assert facts["threshold"] == found["threshold"]
    assert facts["training_images"] == table["image_id"][table["split"] == "train"].tolist()
    # The backbone beside it holds the same layers.
    base = backbone.mobilenet_v2(0.35, 32, 32, pretrained.SHIPPED)
    ours = model.get_layer("one_view").get_layer("Conv_1").get_weights()
    np.testing.assert_array_equal(base.get_layer("Conv_1").get_weights()[0], ours[0])
    assert len(found["ways"]["single"]["roc_auc"].seeds) == 2
    assert found["mini"]["images"] == 200
    assert len(found["mini_600"]["roc_auc"].seeds) == 1
    # Random images: nothing can be known, and nothing may be claimed.
    single = found["ways"]["single"]["roc_auc"]
    assert single.low < 0.5 < single.high
    assert "mean of 2 seeds" in publish.card()
    # No backup is left by which the next call would believe that all is done.
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("error", [ConnectionError, FileNotFoundError, ValueError])
def test_a_training_that_cannot_be_leaves_the_model_as_it_was(tmp_path, monkeypatch, error):
    def stop(*_):
        raise error("Why it cannot be.")

    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path))
    monkeypatch.setattr(data, "load_lesions", stop)
    with pytest.raises(CourseError, match=r"is as it was\. Why it cannot be\."):
        shipped.train_shipped()


def test_figures_by_group_are_those_of_the_group_and_only_where_there_are_enough(few_resamples):
    n = 60
    table = pd.DataFrame(
        {
            "group": np.arange(n),
            "dx": ["mel" if k % 3 == 0 else "nv" for k in range(n)],
            "sex": ["female"] * 45 + ["male"] * 15,
            "age": [30.0] * 50 + [np.nan] * 10,
            "localization": ["ear"] * n,
            "dx_type": ["histo"] * n,
        }
    )
    test = Lesions(np.zeros((n, 1, 1, 3), np.uint8), table, "folder")
    probability = np.where(test.melanoma == 1, 0.9, 0.1)
    probability[0] = 0.2  # a missed melanoma, in the first group alone
    found = shipped.subgroups(test, probability, 0.5)
    counts = {name: (group["images"], group["melanomas"]) for name, group in found.items()}
    assert counts == {
        "sex: female": (45, 15),
        "sex: male": (15, 5),
        "age: up to 40": (50, 17),
        "age: 41 to 60": (0, 0),
        "age: over 60": (0, 0),
        "site: ear": (60, 20),
        "confirmed by: histo": (60, 20),
    }
    assert found["sex: female"]["sensitivity"].value == pytest.approx(14 / 15)
    assert found["site: ear"]["sensitivity"].value == pytest.approx(19 / 20)
    assert found["site: ear"]["specificity"].value == found["site: ear"]["roc_auc"].value == 1
    assert found["sex: male"].keys() == {"images", "melanomas"}


def test_corner_views_are_every_corner_in_every_symmetry():
    image = np.arange(16 * 16 * 3).reshape(1, 16, 16, 3)
    views = list(predict.corner_views(image))
    assert len({view.tobytes() for view in views}) == 32
    assert {view.shape for view in views} == {(1, 14, 14, 3)}
    for corner in (image[:, :14, :14], image[:, :14, 2:], image[:, 2:, :14], image[:, 2:, 2:]):
        assert any(np.array_equal(view, corner) for view in views)


def test_what_is_shipped_averages_the_log_odds_of_its_views():
    pixels = keras.Input((35, 35, 3))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    model = keras.Model(pixels, keras.layers.Dense(7)(x))
    images = images_of(3)[0]  # of 40 px: a corner has 35
    views = np.stack(list(predict.corner_views(images)))
    logits = np.array([training.melanoma_logit(model.predict(v, verbose=0)) for v in views])
    assert np.ptp(logits, axis=0).min() > 1e-2  # the views do differ
    found = predict.as_predictor(model, 40, 1.7).predict(images, verbose=0)
    np.testing.assert_allclose(found, expit(logits.mean(0) / 1.7), atol=1e-5)


# --- what is in models/ --------------------------------------------------------------------------


def test_the_shipped_file_is_what_the_results_speak_of():
    model, facts = predict.load_model()
    found = results.committed("shipped_model")
    assert predict.SHIPPED.stat().st_size < 4_000_000
    for key in ("threshold", "temperature", "split_fingerprint", "source"):
        assert facts[key] == found[key]
    assert model.get_layer("temperature").scale == pytest.approx(1 / found["temperature"])
    assert found["source"] == "folder"


def test_the_shipped_file_needs_no_description_of_layers_by_another_keras(monkeypatch, capsys):
    picture = np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    whole = keras.models.load_model(predict.SHIPPED, compile=False)  # by the Keras that wrote it
    expected = predict.melanoma_probability(picture, whole)
    predict._load.cache_clear()
    monkeypatch.setattr(keras.models, "load_model", None)
    np.testing.assert_allclose(predict.melanoma_probability(picture), expected, rtol=1e-4)
    assert capsys.readouterr().out == ""


def test_a_broken_shipped_file_is_said(tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(predict.SHIPPED.read_bytes()[:5000])
    path.with_suffix(".json").write_bytes(predict.SHIPPED.with_suffix(".json").read_bytes())
    with pytest.raises(ValueError, match="is broken: train it again"):
        predict.load_model(path)


def test_the_shipped_model_answers_for_any_image():
    for shape in ((450, 600, 3), (40, 31), (1, 1, 3)):
        image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        label, confidence = predict.predict_skin_cancer(image)
        assert label in ("melanoma", "benign") and 0 <= confidence <= 1


def test_the_card_agrees_with_the_results():
    card = (settings.ROOT / "models" / "README.md").read_text(encoding="utf-8")
    assert card == publish.card()
    assert "not a medical device" in card.lower()


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("HAM10K_DIR"), reason="needs the real images")
def test_the_shipped_model_has_the_figures_of_its_card():
    found = results.committed("shipped_model")
    lesions = data.load_lesions("folder", found["parameters"]["source_size"], splits.full)
    assert splits.fingerprint(lesions.table) == found["split_fingerprint"]
    test = lesions.subset("test")
    p = predict.melanoma_probability(test.images)
    auc = found["ways"]["corner views"]["roc_auc"].seeds[0]
    assert roc_auc_score(test.melanoma, p) == pytest.approx(auc, abs=1e-3)
    sensitivity = (p[test.melanoma == 1] >= found["threshold"]).mean()
    assert sensitivity == pytest.approx(found["shipped"]["sensitivity"].value, abs=0.01)
