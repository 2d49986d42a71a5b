import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from utils import backbone, course, predict, training
from utils.data import Lesions
from utils.quiet import keras


def lesions(n, seed):
    """Random pictures, those of melanomas darker."""
    rng = np.random.RandomState(seed)
    melanoma = np.arange(n) % 3 == 0
    images = rng.randint(60, 256, (n, 28, 28, 3)) - 60 * melanoma[:, None, None, None]
    table = pd.DataFrame({"dx": np.where(melanoma, "mel", "nv")})
    return Lesions(images.astype(np.uint8), table, "synthetic")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Both stages on few pictures, with the weights before, between and after."""
    folder = tmp_path_factory.mktemp("training")
    keras.utils.set_random_seed(0)
    base, _ = backbone.mobilenet_v2(0.35, 28, 96, weights=None)
    for layer in base.layers:  # random layers shrink their input until all pictures look alike
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_variance.assign(layer.moving_variance * 0.05)
    model = training.melanoma_classifier(base)
    train, validation = lesions(48, 0), lesions(24, 1)

    def weights():
        return {w.path: w.numpy() for w in model.weights}

    before = weights()
    training.two_stages(base, model, train, validation, folder, (2, 0), verbose=0)
    between = weights()
    histories = training.two_stages(base, model, train, validation, folder, (0, 2), verbose=0)
    return model, base, (before, between, weights()), histories, (train, validation), folder


def changed(a, b):
    return {path.split("/")[0] for path in a if not np.array_equal(a[path], b[path])}


def test_head_is_the_original_projects():
    base, _ = backbone.mobilenet_v2(0.35, 28, 96, weights=None)
    head = training.melanoma_classifier(base).layers[len(base.layers) :]
    kinds = [type(layer).__name__ for layer in head]
    assert kinds == ["GlobalAveragePooling2D", "Dropout", "Dense", "Dropout", "Dense"]
    assert (head[1].rate, head[2].units, head[3].rate, head[4].units) == (0.3, 128, 0.2, 1)
    assert head[2].activation.__name__ == "relu" and head[4].activation.__name__ == "sigmoid"


def test_callbacks_are_the_recipes_and_watch_validation_auc(tmp_path):
    stop, slow, keep = training.callbacks(tmp_path / "x.weights.h5")
    assert isinstance(stop, keras.callbacks.EarlyStopping) and stop.patience == 5
    assert isinstance(slow, keras.callbacks.ReduceLROnPlateau) and slow.factor == 0.5
    assert isinstance(keep, keras.callbacks.ModelCheckpoint) and keep.save_best_only
    assert {c.monitor for c in (stop, slow, keep)} == {"val_auc"}
    assert {c.mode for c in (stop, slow)} == {"max"}


def test_stage_one_trains_the_head_only(trained):
    model, _, (before, between, _), *_ = trained
    assert changed(before, between) == {
        layer.name for layer in model.layers if "dense" in layer.name
    }


def test_stage_two_trains_the_last_layers_but_no_batch_norm(trained):
    model, base, (_, between, after), *_ = trained
    top = {layer.name for layer in base.layers[-20:]}
    heads = {layer.name for layer in model.layers if "dense" in layer.name}
    moved = changed(between, after)
    assert "Conv_1" in moved and moved <= top | heads
    norms = keras.layers.BatchNormalization
    assert not moved & {layer.name for layer in base.layers if isinstance(layer, norms)}


def test_whole_saved_model_gives_the_numbers_of_the_suffix(trained, tmp_path):
    model, _, _, _, (_, validation), _ = trained
    prefix, suffix = backbone.cut(model, training.FROZEN_END)
    on_cached = suffix.predict(prefix.predict(validation.images, verbose=0), verbose=0)[:, 0]
    assert on_cached.std() > 1e-3
    path = tmp_path / "m.keras"
    predict.save_model(model, {"threshold": 0.5, "source": "synthetic"}, path)
    again = predict.melanoma_probability(validation.images, path)
    np.testing.assert_allclose(again, on_cached, atol=1e-5)


def test_the_best_epoch_is_kept(trained):
    model, _, _, histories, (_, validation), _ = trained
    auc = keras.metrics.AUC()
    auc.update_state(validation.melanoma, model.predict(validation.images, verbose=0)[:, 0])
    assert histories[1]["val_auc"]
    assert float(auc.result()) >= max(histories[1]["val_auc"]) - 1e-4


def test_a_stage_that_makes_it_worse_is_undone(tmp_path, monkeypatch):
    keras.utils.set_random_seed(0)
    pixels = keras.Input((28, 28, 3))
    x = keras.layers.Rescaling(1 / 255)(pixels)
    x = keras.layers.Conv2D(4, 3, strides=9, name=training.FROZEN_END)(x)
    x = keras.layers.Conv2D(4, 1, name="last")(x)
    base = keras.Model(pixels, x)
    model = training.melanoma_classifier(base)
    train, validation = lesions(48, 0), lesions(24, 1)
    kept = []
    fit = keras.Model.fit

    def spoil(self, *args, **kwargs):
        history = fit(self, *args, **kwargs)
        kept.append(self.get_weights())
        return history

    monkeypatch.setattr(keras.Model, "fit", spoil)
    callbacks = training.callbacks
    monkeypatch.setattr(
        training, "callbacks", lambda path, best: callbacks(path, 2.0 if best else None)
    )  # no AUC exceeds 2, so no epoch of stage two counts
    training.two_stages(base, model, train, validation, tmp_path, (1, 2), 32, 1, verbose=0)
    kernel = base.get_layer("last").kernel.numpy()
    assert any(np.array_equal(kernel, w) for w in kept[1]) is False
    head = model.layers[-1].kernel.numpy()
    assert any(np.array_equal(head, w) for w in kept[0])


def test_layers_that_are_computed_once_cannot_be_trained(trained, tmp_path):
    model, base, _, _, parts, _ = trained
    with pytest.raises(ValueError, match="n_layers must be 20 or less"):
        training.two_stages(base, model, *parts, tmp_path, n_layers=21)


ON_DEVICES = """
import sys
import numpy as np
import tensorflow as tf
devices = int(sys.argv[1])
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
from tests.test_shipped import pictures
from utils import training
from utils.quiet import keras
keras.utils.set_random_seed(0)
names = [f"CPU:{i}" for i in range(devices)]
strategy = tf.distribute.MirroredStrategy(names) if devices > 1 else tf.distribute.get_strategy()
with strategy.scope():
    x = keras.Input((32, 32, 3))
    y = keras.layers.Rescaling(1 / 255)(x)
    y = keras.layers.Conv2D(8, 3, strides=2, use_bias=False)(y)  # BatchNorm has a bias
    y = keras.layers.BatchNormalization()(y)
    model = training.logit_classifier(keras.Model(x, keras.layers.ReLU()(y)), 7)
images, labels = pictures(64, size=32)
training.all_layers(
    model, images, labels, 32, sys.argv[2], epochs=3, batch_size=16, augment=False, verbose=0
)
answers = model.predict(images, batch_size=16, verbose=0)
np.savez(sys.argv[3], answers, *model.get_weights())
"""


@pytest.mark.slow
def test_two_devices_learn_what_one_does(tmp_path):
    """The same batches in all: only the order of additions differs."""
    found = []
    for devices in (1, 2):
        end = tmp_path / f"{devices}.npz"
        backup = tmp_path / f"{devices}.weights.h5"
        done = subprocess.run(
            [sys.executable, "-c", ON_DEVICES, str(devices), backup, end],
            cwd=course.ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        with np.load(end) as arrays:
            found.append([arrays[name] for name in arrays.files])
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-2, atol=1e-3)


def test_without_several_gpus_the_default_strategy_is_taken(monkeypatch):
    monkeypatch.setattr("tensorflow.config.list_logical_devices", lambda kind: [])
    assert training.all_gpus(True).num_replicas_in_sync == 1
    assert training.all_gpus(False).num_replicas_in_sync == 1
