"""LiteRT: the same answers as Keras, from less; what cannot be converted."""

import shutil
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from utils import guard, lite, predict, settings
from utils.data import synthetic
from utils.decision import decide
from utils.images import square
from utils.quiet import keras


@pytest.fixture(scope="module")
def model():
    """Small, with what made an export wrong: Resizing before BatchNorm."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(keras.layers.Resizing(8, 8)(pixels))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    made = keras.Model(pixels, keras.layers.Dense(1, activation="sigmoid")(x))
    made.trainable = False
    return made


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (30, 16, 16, 3), dtype=np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "tolerance"), [("float32", 1e-5), ("float16", 5e-3), ("int8", 0.1)]
)
def test_each_form_answers_as_keras_does(model, images, form, tolerance):
    expected = model.predict(images, verbose=0)[:, 0]
    p = lite.Lite(lite.convert(model, form, images))(images)
    assert p.shape == (30,) and p.dtype == np.float32
    np.testing.assert_allclose(p, expected, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_a_model_of_another_precision_is_converted_in_float32(images, policy):
    """Also where the precision is that of a model inside."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        inner = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(4, 3)])
    finally:
        keras.config.set_dtype_policy(before)
    sigmoid = keras.layers.Dense(1, activation="sigmoid")
    pooled = [keras.layers.GlobalAveragePooling2D(), sigmoid]
    model = keras.Sequential([inner, keras.layers.Rescaling(1 / 255), *pooled])
    model.trainable = False
    expected = model.predict(images.astype("float32"), verbose=0)[:, 0]
    assert np.ptp(expected) > 0.001
    np.testing.assert_allclose(lite.Lite(lite.convert(model))(images), expected, atol=0.02)
    assert inner.layers[0].compute_dtype != "float32"  # the caller's model is as it was


def test_what_cannot_be_converted_is_refused(model, images):
    with pytest.raises(ValueError, match="one of float32, float16, int8, not 'int4'"):
        lite.convert(model, "int4")
    with pytest.raises(ValueError, match="needs training images"):
        lite.convert(model, "int8")
    pixels = keras.Input((4, 4, 3))
    learning = keras.Model(pixels, keras.layers.Dense(1)(pixels))
    with pytest.raises(ValueError, match=r"Freeze the model first: model.trainable = False"):
        lite.convert(learning)


# --- the shipped model


@pytest.fixture(scope="module")
def drawn():
    """Squares as the shipped model takes them, and one that shows no lesion."""
    ids = synthetic.metadata()["image_id"][:4]
    squares = [square(Image.fromarray(one), 128) for one in synthetic.draw(ids)]
    return np.stack([*squares, np.full((128, 128, 3), (250, 0, 0), np.uint8)])


@pytest.mark.slow
def test_the_shipped_file_answers_as_keras_does(drawn):
    model, facts = predict.load_model()
    shipped = lite.Shipped()
    assert shipped.facts == facts
    found = [shipped(image) for image in drawn]
    far = guard.distances(model, facts["guard"], drawn)
    p = predict.melanoma_probability(drawn, model)
    np.testing.assert_allclose([one.probability for one in found], p, atol=1e-4)
    assert [one.decision for one in found] == decide(p, far, facts).tolist()
    assert len({one.decision for one in found}) > 1
    means = np.concatenate([shipped._ask.outputs(image)["means"] for image in drawn])
    features = guard.features(model, facts["guard"]["layer"], drawn)
    np.testing.assert_allclose(means[:4], features[:4], atol=1e-4)
    np.testing.assert_allclose(means, features, rtol=1e-4, atol=1e-4)  # red has means of -13


def test_tensorflows_own_interpreter_gives_the_same_numbers(drawn, monkeypatch, capfd):
    expected = [lite.Shipped()(image) for image in drawn]
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with warnings.catch_warnings(record=True) as said:
        shipped = lite.Shipped()
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(shipped, drawn))
    assert type(shipped._ask._interpreter()[0]).__module__.startswith("tensorflow")
    for one, other in zip(found, expected, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-6)
        assert one.decision == other.decision
    assert said == [] and capfd.readouterr() == ("", "")


@pytest.fixture
def copied(tmp_path):
    """The shipped model's files without the one for Keras, which nobody needs here."""
    for path in settings.SHIPPED.parent.glob(f"{settings.SHIPPED.stem}.*"):
        if path != settings.SHIPPED:
            shutil.copy(path, tmp_path)
    return tmp_path / settings.SHIPPED.name


def test_a_file_of_another_model_is_refused(copied, mend):
    assert lite.Shipped(copied).facts["guard"]
    calibration, limits, file = (
        copied.with_suffix(end) for end in (".calibration.json", ".limits.json", ".tflite")
    )
    another = rf"another training, temperature or layer.*: run `{lite.EXPORT}`"
    before = {path: path.read_bytes() for path in copied.parent.iterdir()}
    for change in (
        limits.unlink,  # a file with a guard that nobody knows
        lambda: mend(limits, '"block_9_add",', '"block_5_add",'),
        lambda: mend(calibration, '"temperature": ', '"temperature": 1'),
        lambda: mend(copied.with_suffix(".json"), '"model_sha256": "', '"model_sha256": "0'),
        lambda: file.write_bytes(file.read_bytes()[:-1]),
    ):
        change()
        with pytest.raises(ValueError, match=another) as refused:
            lite.Shipped(copied)
        assert "\n" not in str(refused.value)
        for path, content in before.items():
            path.write_bytes(content)
    copied.with_suffix(".export.json").write_text("{")
    with pytest.raises(ValueError, match="is broken: fetch it again"):
        lite.Shipped(copied)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=f"no file .*tflite: run `{lite.EXPORT}`"):
        lite.Shipped(copied)
