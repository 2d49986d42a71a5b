import ast
import inspect
import signal
import subprocess
import sys
import time

import jupytext
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from utils import augmentation, backbone, models, predict, settings, training
from utils.data import Lesions
from utils.quiet import keras


def lesions(n, seed):
    """Random images, those of melanomas darker."""
    rng = np.random.RandomState(seed)
    melanoma = np.arange(n) % 3 == 0
    images = rng.randint(60, 256, (n, 28, 28, 3)) - 60 * melanoma[:, None, None, None]
    table = pd.DataFrame({"dx": np.where(melanoma, "mel", "nv")})
    return Lesions(images.astype(np.uint8), table, "synthetic")


def of_seven_classes(n, size=40):
    """Images and labels 0 to 6, whose images get brighter; also for processes of their own."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 7
    images = rng.integers(0, 120, (n, size, size, 3)) + 15 * labels[:, None, None, None]
    return images.astype(np.uint8), labels


def toy_base():
    """As few layers as ``two_stages`` needs: three after those that are frozen."""
    pixels = keras.Input((28, 28, 3))
    x = keras.layers.Rescaling(1 / 255)(pixels)
    x = keras.layers.Conv2D(4, 3, strides=9, name=backbone.FROZEN_END)(x)
    x = keras.layers.Conv2D(4, 1, name="last")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    return keras.Model(pixels, keras.layers.ReLU()(x))


def mobilenet():
    base = backbone.mobilenet_v2(0.35, 28, 96)
    for layer in base.layers:  # random layers shrink their input until all images look alike
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_variance.assign(layer.moving_variance * 0.05)
    return base


BASES = {"toy": (toy_base, 3, "last"), "MobileNetV2": (mobilenet, 20, "Conv_1")}


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.slow) for name in BASES]
)
def trained(request):
    """Both stages on few images, with the weights before, between and after; only to be read."""
    keras.utils.set_random_seed(0)
    build, n_layers, learning = BASES[request.param]
    base = build()
    model = models.melanoma_classifier(base)
    train, validation = lesions(48, 0), lesions(24, 1)

    def weights():
        return {w.path: w.numpy() for w in model.weights}

    def stages(*epochs):
        return training.two_stages(
            base, model, train, validation, epochs, n_layers=n_layers, verbose=0
        )

    before = weights()
    stages(2, 0)
    between = weights()
    histories = stages(0, 2)
    return model, base, (before, between, weights()), histories, validation, learning


def changed(a, b):
    return {path.split("/")[0] for path in a if not np.array_equal(a[path], b[path])}


# --- two stages


def test_callbacks_are_the_recipes_and_watch_validation_auc(tmp_path):
    auc, stop, slow, keep = training.callbacks(tmp_path / "x.weights.h5", val_auc=([], []))
    assert isinstance(auc, training.ExactAUC) and list(auc.sets) == ["val_auc"]
    assert isinstance(stop, keras.callbacks.EarlyStopping) and stop.patience == 5
    assert isinstance(slow, keras.callbacks.ReduceLROnPlateau) and slow.factor == 0.5
    assert isinstance(keep, keras.callbacks.ModelCheckpoint) and keep.save_best_only
    assert {c.monitor for c in (stop, slow, keep)} == {"val_auc"}
    assert {c.mode for c in (stop, slow)} == {"max"}


@pytest.mark.slow
@pytest.mark.filterwarnings("error:.*not available")
@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_the_exact_auc_is_found_by_other_callbacks_and_the_history(tmp_path, activation):
    """Of a saturated model, whose AUC Keras's metric with its 200 thresholds reads as 0.5."""
    x = np.arange(6, dtype="float32")[:, None]
    y = np.array([0, 0, 1, 0, 1, 1])  # eight of nine pairs are in order
    inputs = keras.Input((1,))
    dense = keras.layers.Dense(1, activation=activation)
    model = keras.Model(inputs, dense(inputs))
    dense.set_weights([np.ones((1, 1)), np.full(1, -12.0)])
    if activation:
        metric = keras.metrics.AUC()
        metric.update_state(y, model.predict(x, verbose=0))
        assert float(metric.result()) == pytest.approx(0.5)
    checkpoint = tmp_path / "best.weights.h5"
    callbacks = training.callbacks(checkpoint, auc=(x[::-1], y), val_auc=(x, y))
    training.compile_model(model, 0.0)
    history = model.fit(x, y, epochs=2, callbacks=callbacks, verbose=0).history
    assert history["val_auc"] == [pytest.approx(8 / 9)] * 2
    assert history["auc"] == [pytest.approx(1 / 9)] * 2
    assert callbacks[1].best == pytest.approx(8 / 9) and checkpoint.exists()


def test_the_auc_of_a_model_that_has_diverged_is_nan():
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Rescaling(float("nan"))(inputs))
    callback, logs = training.ExactAUC(val_auc=(np.ones((2, 1)), [0, 1])), {}
    callback.set_model(model)
    callback.on_epoch_end(0, logs)
    assert np.isnan(logs["val_auc"])


def test_stage_one_trains_the_head_only(trained):
    model, _, (before, between, _), *_ = trained
    assert changed(before, between) == {
        layer.name for layer in model.layers if "dense" in layer.name
    }


def test_stage_two_trains_the_last_layers_but_no_batch_norm(trained):
    model, base, (_, between, after), *_, learning = trained
    end = [layer.name for layer in base.layers].index(backbone.FROZEN_END)
    top = {layer.name for layer in base.layers[end + 1 :]}
    heads = {layer.name for layer in model.layers if "dense" in layer.name}
    moved = changed(between, after)
    assert learning in moved and moved <= top | heads
    norms = keras.layers.BatchNormalization
    assert not moved & {layer.name for layer in base.layers if isinstance(layer, norms)}


def test_whole_saved_model_gives_the_numbers_of_the_suffix(trained, tmp_path):
    model, _, _, _, validation, _ = trained
    prefix, suffix = backbone.cut(model, backbone.FROZEN_END)
    on_cached = suffix.predict(prefix.predict(validation.images, verbose=0), verbose=0)[:, 0]
    assert on_cached.std() > 1e-3
    path = tmp_path / "m.keras"
    predict.save_model(model, {"threshold": 0.5, "source": "synthetic"}, path)
    again = predict.melanoma_probability(validation.images, path)
    np.testing.assert_allclose(again, on_cached, atol=1e-5)


def test_the_best_epoch_is_kept(trained):
    model, _, _, histories, validation, _ = trained
    assert len(histories[1]["val_auc"]) == len(histories[1]["auc"]) == 2
    found = roc_auc_score(validation.melanoma, model.predict(validation.images, verbose=0))
    assert found == pytest.approx(max(histories[1]["val_auc"]))


@pytest.mark.slow
def test_a_stage_that_makes_it_worse_is_undone_and_no_file_stays(monkeypatch):
    keras.utils.set_random_seed(0)
    base = toy_base()
    model = models.melanoma_classifier(base)
    kept, checkpoints = [], []
    fit, callbacks = keras.Model.fit, training.callbacks

    def spoil(self, *args, **kwargs):
        history = fit(self, *args, **kwargs)
        kept.append(self.get_weights())
        return history

    def too_much_to_ask(path, best, **sets):
        """No AUC exceeds 2, so no epoch of stage two counts."""
        checkpoints.append(path)
        return callbacks(path, 2.0 if best else None, **sets)

    monkeypatch.setattr(keras.Model, "fit", spoil)
    monkeypatch.setattr(training, "callbacks", too_much_to_ask)
    training.two_stages(base, model, lesions(48, 0), lesions(24, 1), (1, 2), 32, 3, verbose=0)
    kernel, head = base.get_layer("last").kernel.numpy(), model.layers[-1].kernel.numpy()
    assert not any(np.array_equal(kernel, w) for w in kept[1])
    assert any(np.array_equal(head, w) for w in kept[0])
    # A folder of this training alone, in that of this process alone.
    (folder,) = {path.parent for path in checkpoints}
    assert folder.parent == settings.scratch() and not folder.exists()


def test_layers_that_are_computed_once_cannot_be_trained(trained):
    model, base, _, _, validation, _ = trained
    with pytest.raises(ValueError, match="n_layers must be 20 or less"):
        training.two_stages(base, model, validation, validation, n_layers=21)


# --- views


def test_in_prediction_a_random_view_is_only_resized():
    columns = np.array([0, 100], np.uint8)
    image = np.broadcast_to(columns[None, None, :, None], (1, 2, 2, 3))
    view = augmentation.RandomView(4, seed=0)
    for how in ({}, {"training": False}):
        found = np.asarray(view(image, **how))
        np.testing.assert_allclose(found[0, :, :, 1], [[0, 25, 75, 100]] * 4, atol=1e-4)
    assert not np.array_equal(found, np.asarray(view(image, training=True)))


def test_in_training_the_same_seed_gives_the_same_views():
    images = of_seven_classes(3)[0]
    one, same, other = (augmentation.RandomView(32, seed) for seed in (1, 1, 2))
    for _ in range(2):
        views = [np.asarray(view(images, training=True)) for view in (one, same, other)]
        assert np.array_equal(views[0], views[1]) and not np.array_equal(views[0], views[2])
    again = augmentation.RandomView.from_config(one.get_config())
    assert (again.size, again.seed) == (32, 1)


@pytest.mark.parametrize("strength", ["weak", "occasional", "strong"])
def test_a_stronger_view_disturbs_some_images_and_stays_in_range(strength):
    grey = np.full((64, 40, 40, 3), 128, np.uint8)
    one, same = (augmentation.RandomView(32, 1, strength) for _ in range(2))
    found = np.asarray(one(grey, training=True))
    np.testing.assert_array_equal(found, same(grey, training=True))
    assert found.shape == (64, 32, 32, 3) and found.min() >= 0 and found.max() <= 255
    within = np.ptp(found, axis=(1, 2)).max(-1)  # a grey image stays even where nothing lies on it
    assert 0.1 < (within > 20).mean() < 0.7
    np.testing.assert_allclose(one(grey), 128, atol=1e-3)  # in prediction: none of it


def test_a_view_of_no_known_strength_is_refused():
    with pytest.raises(ValueError, match="one of plain, weak, strong, occasional, not 'much'"):
        augmentation.RandomView(32, strength="much")


@pytest.mark.slow
def test_an_epoch_depends_on_its_seed_alone():
    images, labels = of_seven_classes(20)
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


def test_labels_may_be_shares_of_each_class(tmp_path):
    images, labels = of_seven_classes(16)
    shares = np.full((16, 7), 0.1)
    shares[np.arange(16), labels] = 0.4
    for x, y in training.batches(images, shares, 32, 0, 4):
        assert y.shape == (4, 7) and x.shape[0] == 4
        np.testing.assert_allclose(np.sum(y, axis=1), 1, rtol=1e-6)
    pooled = keras.layers.GlobalAveragePooling2D()
    model = keras.Sequential([keras.Input((32, 32, 3)), pooled, keras.layers.Dense(7)])
    backup = tmp_path / "a.weights.h5"
    training.all_layers(model, images, shares, 32, backup, epochs=1, batch_size=8, verbose=0)
    assert isinstance(model.loss, keras.losses.CategoricalCrossentropy)
    with pytest.raises(ValueError, match="it had other labels"):
        training.all_layers(model, images, labels, 32, backup, epochs=1, batch_size=8)


# --- all layers


TRAINING = """
import sys
import numpy as np
import tensorflow as tf
tf.config.experimental.enable_op_determinism()
# IMAGES
from utils import training
from utils.quiet import keras
keras.utils.set_random_seed(0)
x = keras.Input((32, 32, 3))
y = keras.layers.Conv2D(8, 3, strides=2)(keras.layers.Rescaling(1 / 255)(x))
y = keras.layers.BatchNormalization(momentum=0.9)(y)
y = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(y))
model = keras.Model(x, keras.layers.Dense(7)(y))
images, labels = of_seven_classes(640)
training.all_layers(model, images, labels, 32, sys.argv[1], epochs=8, batch_size=16, verbose=2)
np.savez(sys.argv[2], *model.get_weights())
"""


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_at_the_same_weights(tmp_path):
    code = inspect.getsource(of_seven_classes).join(TRAINING.split("# IMAGES\n"))

    def start(name, end):
        command = [sys.executable, "-c", code, tmp_path / f"{name}.weights.h5", tmp_path / end]
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
    x = keras.Input((32, 32, 3))
    model = keras.Model(x, keras.layers.Dense(7)(keras.layers.GlobalAveragePooling2D()(x)))
    images, labels = of_seven_classes(20)
    with pytest.raises(ValueError, match="less than one batch of 64"):
        training.all_layers(model, images, labels, 32, tmp_path / "a.weights.h5")
    (tmp_path / "a.weights.h5").write_bytes(b"torn")
    with pytest.raises(ValueError, match=r"a\.weights\.h5 is not a backup"):
        training.all_layers(model, images, labels, 32, tmp_path / "a.weights.h5", batch_size=8)


@pytest.mark.slow
def test_a_backup_of_another_training_is_refused(tmp_path, capsys):
    """Epochs are counted in its steps: in other batches, half a training could pass for a whole."""
    images, labels = of_seven_classes(32, 8)
    called = {"epochs": 2, "learning_rate": 1e-3, "batch_size": 8, "seed": 0, "strength": "plain"}
    backup = tmp_path / "a.weights.h5"

    def train(images=images, labels=labels, size=8, **changed):
        x = keras.Input((8, 8, 3))
        model = keras.Model(x, keras.layers.Dense(7)(keras.layers.GlobalAveragePooling2D()(x)))
        training.all_layers(model, images, labels, size, backup, **called | changed, verbose=0)

    train()
    kept = backup.read_bytes()
    capsys.readouterr()
    train()
    assert "2 of 2 epochs are done" in capsys.readouterr().out
    for other in (
        {"batch_size": 16},
        {"batch_size": 4},
        {"epochs": 4},
        {"learning_rate": 1e-4},
        {"seed": 1},
        {"strength": None},
        {"size": 9},
        {"images": 255 - images},
        {"labels": labels[::-1]},
        {"loss": keras.losses.CategoricalHinge()},
    ):
        (name,) = other
        with pytest.raises(ValueError, match=rf"delete it and start anew. \[it had other {name}\]"):
            train(**other)
    assert backup.read_bytes() == kept
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()])
    model.save_weights(backup)  # by anything else
    with pytest.raises(ValueError, match="is not a backup of this training: delete it and start"):
        train()


def test_images_on_disk_are_the_same_on_every_machine():
    here, there, other = (
        np.array([f"/{place}/folder-{size}-2/ISIC_1-ab.png"])
        for place, size in (("home/a", 64), ("content", 64), ("home/a", 96))
    )
    assert training._digest(here) == training._digest(there) != training._digest(other)


ON_DEVICES = """
import sys
import numpy as np
import tensorflow as tf
devices = int(sys.argv[1])
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
# IMAGES
from utils import models, training
from utils.quiet import keras
keras.utils.set_random_seed(0)
names = [f"CPU:{i}" for i in range(devices)]
strategy = tf.distribute.MirroredStrategy(names) if devices > 1 else tf.distribute.get_strategy()
with strategy.scope():
    x = keras.Input((32, 32, 3))
    y = keras.layers.Rescaling(1 / 255)(x)
    y = keras.layers.Conv2D(8, 3, strides=2, use_bias=False)(y)  # BatchNorm has a bias
    y = keras.layers.BatchNormalization()(y)
    model = models.logit_classifier(keras.Model(x, keras.layers.ReLU()(y)), 7)
images, labels = of_seven_classes(64, size=32)
training.all_layers(
    model, images, labels, 32, sys.argv[2], epochs=3, batch_size=16, strength=None, verbose=0
)
answers = model.predict(images, batch_size=16, verbose=0)
np.savez(sys.argv[3], answers, *model.get_weights())
"""


@pytest.mark.slow
def test_two_devices_learn_what_one_does(tmp_path):
    """The same batches in all: only the order of additions differs."""
    code = inspect.getsource(of_seven_classes).join(ON_DEVICES.split("# IMAGES\n"))
    found = []
    for devices in (1, 2):
        end = tmp_path / f"{devices}.npz"
        backup = tmp_path / f"{devices}.weights.h5"
        done = subprocess.run(
            [sys.executable, "-c", code, str(devices), backup, end],
            cwd=settings.ROOT,
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


def of_lesson(name, wanted, **given):
    """What a lesson's own code binds to the wanted names, from what is given."""
    path = settings.ROOT / "notebooks" / "src" / f"{name}.py"
    cells = [cell.source for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    for node in ast.parse("\n".join(cells)).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else node
        if getattr(target, "id", getattr(target, "name", None)) in wanted:
            exec(ast.unparse(node), given)
    return [given[each] for each in wanted]


def of_training():
    base = keras.Sequential([keras.Input((96, 96, 3)), keras.layers.Conv2D(8, 3)])
    base.trainable = False
    names = {"keras": keras, "layers": keras.layers, "base": base}
    (new_model,) = of_lesson("training", ["new_model"], **names, SIZE=28, SEED=0)

    def run():
        model = new_model()
        model.compile("adam", "binary_crossentropy")
        x = np.random.default_rng(0).uniform(0, 255, (16, 28, 28, 3))
        return model.fit(x, np.arange(16) % 2, epochs=2, verbose=0).history["loss"]

    return run


def of_batchnorm():
    inputs = keras.Input((8,))
    top = keras.Model(inputs, keras.layers.Reshape((1, 2, 4))(inputs))
    x = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
    names = {"keras": keras, "layers": keras.layers, "top": top, "EPOCHS": 3}
    names |= {"f_train": x, "labels": np.arange(64) % 2}
    wanted = ["new_model", "train_model"]
    new_model, train_model = of_lesson("batchnorm", wanted, **names)

    def run():
        model = new_model(0)
        train_model(model)
        return model.predict(x, verbose=0).tolist()

    return run


@pytest.mark.slow
@pytest.mark.parametrize("make", [of_training, of_batchnorm])
def test_a_run_of_a_lesson_repeats_with_dropout(make):
    """``get_weights`` leaves out the state of Dropout's random numbers."""
    run = make()
    assert run() == run()
