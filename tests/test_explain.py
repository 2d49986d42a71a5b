"""Maps of what a model looks at, on models whose answer is known."""

import numpy as np
import pytest

from utils import backbone, explain, predict
from utils.quiet import keras

layers = keras.layers


def looks_at_red(dtype="float32", nested=False, outputs=1, bias=0.0):
    """Its logit is the mean of red minus the mean of green: by hand, red speaks for it.

    A convolution hands on red and green as they are (divided by 255).
    """
    kernel = np.zeros((1, 1, 3, 2), "float32")
    kernel[0, 0, 0, 0] = kernel[0, 0, 1, 1] = 1
    inputs = keras.Input((8, 8, 3))
    conv = layers.Conv2D(2, 1, use_bias=False, name="conv", dtype=dtype)
    x = conv(layers.Rescaling(1 / 255, dtype=dtype)(inputs))
    conv.set_weights([kernel])
    if nested:
        base, inputs = keras.Model(inputs, x, name="base"), keras.Input((8, 8, 3))
        x = base(inputs)
    x = layers.GlobalAveragePooling2D(dtype=dtype)(x)
    dense = layers.Dense(outputs, activation="sigmoid" if outputs == 1 else "softmax")
    model = keras.Model(inputs, dense(x))
    towards = np.array([[1.0], [-1.0]]) if outputs == 1 else np.array([[1.0, -1, 0], [-1, 1, 0]])
    dense.set_weights([towards, np.full(outputs, bias)])
    return model


@pytest.fixture
def images():
    """Red in the upper left quarter of the first, green in the lower right of the second."""
    images = np.zeros((2, 8, 8, 3), np.uint8)
    images[0, :4, :4, 0] = 200
    images[1, 4:, 4:, 1] = 200
    return images


UPPER_LEFT = np.zeros((8, 8))
UPPER_LEFT[:4, :4] = 1


@pytest.mark.parametrize(
    "kind",
    [{}, {"nested": True}, {"dtype": "mixed_bfloat16"}, {"bias": 60.0}],
    ids=["flat", "nested", "mixed", "saturated"],
)
def test_grad_cam_finds_what_speaks_for_melanoma(kind, images):
    """Also where the probability is 1 and its own gradient 0. Green speaks against: no map."""
    maps = explain.grad_cam(looks_at_red(**kind), images)
    np.testing.assert_allclose(maps, [UPPER_LEFT, np.zeros((8, 8))], atol=1e-6)


def test_maps_can_keep_one_scale(images):
    """Half as red: the same map on its own scale, and one of half the height on a common one."""
    pair = np.stack([images[0], images[0] // 2])
    own = explain.grad_cam(looks_at_red(), pair)
    np.testing.assert_allclose(own[0], own[1], atol=1e-6)
    raw = explain.grad_cam(looks_at_red(), pair, own_scale=False)
    np.testing.assert_allclose(raw[1], raw[0] / 2, atol=1e-6)
    np.testing.assert_allclose(raw[0] / raw[0].max(), own[0], atol=1e-6)


def test_grad_cam_of_one_class_of_several(images):
    model = looks_at_red(outputs=3)
    red = explain.grad_cam(model, images, output=0)
    green = explain.grad_cam(model, images, output=1)
    np.testing.assert_allclose(red[0], UPPER_LEFT, atol=1e-6)
    np.testing.assert_allclose(green[1], UPPER_LEFT[::-1, ::-1], atol=1e-6)
    assert red[1].max() == green[0].max() == 0


@pytest.mark.parametrize("nested", [False, True])
def test_occlusion_finds_the_same(nested, images):
    """Covered with the mean colour, the red quarter loses red and all else gains some."""
    maps = explain.occlusion(looks_at_red(nested=nested), images, cells=8)
    np.testing.assert_allclose(maps[0], UPPER_LEFT, atol=1e-5)


def test_the_model_is_as_it_was(images):
    model = looks_at_red(nested=True)
    before = model.predict(images, verbose=0)
    explain.grad_cam(model, images)
    explain.occlusion(model, images, cells=2)
    with pytest.raises(ValueError, match="must have shape"):
        explain.grad_cam(model, images[0])
    np.testing.assert_array_equal(model.predict(images, verbose=0), before)
    assert 0 < before.max() < 1


def test_every_input_size_and_layer_of_a_real_backbone():
    base = keras.applications.MobileNetV2((32, 32, 3), 0.35, include_top=False, weights=None)
    model = keras.Sequential([keras.Input((32, 32, 3)), base, layers.GlobalAveragePooling2D()])
    model.add(layers.Dense(1, activation="sigmoid"))
    names = explain.map_layers(model)
    assert names[-1] == "out_relu" and "block_3_expand" in names and "dense" not in names
    images = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    for name in (None, "block_3_expand"):
        maps = explain.grad_cam(model, images, name)
        assert maps.shape == (2, 48, 48) and maps.dtype == np.float32
        assert ((maps >= 0) & (maps <= 1)).all()


def test_the_shipped_model_is_explained_through_its_network():
    model = predict.load_model()[0]
    images = np.random.default_rng(0).integers(0, 256, (1, 150, 150, 3), dtype=np.uint8)
    before = predict.melanoma_probability(images, model)
    maps = explain.grad_cam(model, images, "block_12_add")
    assert maps.shape == (1, 150, 150) and maps.max() <= 1
    np.testing.assert_array_equal(predict.melanoma_probability(images, model), before)
    assert backbone.FROZEN_END in explain.map_layers(model.get_layer("one_view"))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"layer": "dense"}, "No layer 'dense' gives maps"),
        ({"output": 1}, "output must be from 0 to 0"),
        ({"images": np.zeros((0, 8, 8, 3))}, "n at least 1"),
        ({"images": np.zeros((1, 8, 8))}, "must have shape"),
    ],
)
def test_what_cannot_be_explained_is_refused(given, sentence, images):
    with pytest.raises(ValueError, match=sentence):
        explain.grad_cam(looks_at_red(), **{"images": images} | given)


def test_models_that_cannot_be_explained_are_refused(images):
    with pytest.raises(ValueError, match="say which to explain, output=0 to 2"):
        explain.grad_cam(looks_at_red(outputs=3), images)
    flat = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(1)])
    with pytest.raises(ValueError, match="no layer that gives maps"):
        explain.grad_cam(flat, images)
    with pytest.raises(ValueError, match="cells must be from 1 to 8"):
        explain.occlusion(looks_at_red(), images, cells=9)


def test_measures_by_hand():
    maps = np.zeros((3, 4, 4))
    maps[0, 0, 0], maps[0, 3, 3] = 3, 1
    maps[1, 3, 3] = 1
    masks = np.zeros((3, 4, 4), bool)
    masks[:, :2, :2] = True
    np.testing.assert_array_equal(explain.share_inside(maps, masks), [0.75, 0, np.nan])
    np.testing.assert_array_equal(explain.points_inside(maps, masks), [1, 0, np.nan])
    for broken in (maps[0], maps - 1, maps * np.nan):
        with pytest.raises(ValueError, match=r"[Mm]ap"):
            explain.share_inside(broken, masks)


def test_a_centre_blob_knows_the_centre_alone():
    blob = explain.centre_blob(9)
    assert blob.argmax() == 40 and blob.max() == 1
    np.testing.assert_array_equal(blob, blob.T)
    np.testing.assert_array_equal(blob, blob[::-1])
    assert explain.centre_blob(8)[3, 3] == pytest.approx(explain.centre_blob(8)[4, 4])


def test_a_coarse_blob_is_enlarged_as_maps_are():
    coarse = explain.centre_blob(6, 3)
    assert coarse.shape == (6, 6) and coarse.max() == 1
    np.testing.assert_array_equal(coarse, explain.enlarged(explain.centre_blob(3)[None], (6, 6))[0])
