"""LiteRT: the same answers as Keras, from less; what cannot be converted."""

import numpy as np
import pytest

from utils import lite, predict
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


@pytest.mark.slow
def test_the_shipped_model_keeps_its_answers():
    model, facts = predict.load_model()
    shape = (3, facts["source_size"], facts["source_size"], 3)
    images = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    p = lite.Lite(lite.convert(model))(images)
    np.testing.assert_allclose(p, predict.melanoma_probability(images, model), atol=1e-4)
