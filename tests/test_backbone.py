import h5py
import numpy as np
import pytest

from utils import backbone, predict, pretrained
from utils.quiet import keras


@pytest.fixture(scope="module")
def base():
    """Random values; no test may change it."""
    keras.utils.set_random_seed(0)
    return backbone.mobilenet_v2(source_size=28, size=96)


@pytest.fixture
def pixels():
    return np.random.RandomState(0).randint(0, 256, (4, 28, 28, 3)).astype(np.uint8)


def answer(model, x):
    """As ``predict``, without its compiling, which takes longer than a few images."""
    return np.asarray(model(np.asarray(x, "float32"), training=False))


def write_keras_2(path, model):
    """Weights in Keras 2's layout, in which they are published: a group and a list a layer."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2"
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{w.name}:0".encode() for w in layer.weights]
            group.attrs["weight_names"] = names
            for weight_name, weight in zip(names, layer.get_weights(), strict=True):
                group.create_dataset(weight_name.decode(), data=weight)


def test_pieces_together_equal_the_whole(base, pixels):
    whole = answer(base, pixels)
    assert whole.std() > 0
    x = pixels
    for piece in backbone.cut(base, "block_6_project_BN", "block_14_add", "block_16_project_BN"):
        x = answer(piece, x)
    np.testing.assert_allclose(x, whole, rtol=1e-4, atol=1e-5)


def test_training_a_piece_trains_the_whole(base):
    _, suffix = backbone.cut(base, "block_14_add")
    kernel = suffix.get_layer("Conv_1").kernel
    assert kernel is base.get_layer("Conv_1").kernel


@pytest.mark.parametrize(
    ("name", "message"), [("block_14_expand", "shortcut goes around"), ("block_99", "no layer")]
)
def test_a_cut_that_is_none_is_refused(base, name, message):
    with pytest.raises(ValueError, match=message):
        backbone.cut(base, name)


def test_model_scales_pixels_to_the_range_of_imagenet(base):
    scaled = keras.Model(base.input, base.get_layer("scale").output)
    extremes = np.stack([np.zeros((28, 28, 3)), np.full((28, 28, 3), 255)]).astype(np.uint8)
    assert answer(scaled, extremes)[:, 0, 0, 0].tolist() == [-1, 1]


@pytest.mark.slow
def test_same_numbers_as_keras_applications(tmp_path, pixels):
    """With a file in the layout of the published ones, for example of another input size."""
    keras.utils.set_random_seed(3)
    reference = keras.applications.MobileNetV2(
        (96, 96, 3), alpha=0.35, include_top=False, weights=None
    )
    write_keras_2(tmp_path / "w.h5", reference)
    model = backbone.mobilenet_v2(0.35, 28, 96, tmp_path / "w.h5")
    resized = np.array(keras.layers.Resizing(96, 96)(pixels.astype("float32")))
    expected = answer(reference, keras.applications.mobilenet_v2.preprocess_input(resized))
    np.testing.assert_allclose(answer(model, pixels), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("size", [96, 100])
def test_the_shipped_backbone_is_the_network_of_the_shipped_model(size):
    """And plain Keras loads it, whatever the size, with layers before it or without."""
    pixels = keras.Input((28, 28, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(keras.layers.Resizing(size, size)(pixels))
    before = {"input_tensor": x} if size == 96 else {}
    model = keras.applications.MobileNetV2(
        (size, size, 3), alpha=0.35, include_top=False, weights=str(pretrained.SHIPPED), **before
    )
    shipped = predict.load_model()[0].get_layer("one_view")
    learned = [layer for layer in model.layers if layer.weights]
    assert len(learned) == 104 and pretrained.SHIPPED.stat().st_size < 3_000_000
    for layer in learned:
        theirs = shipped.get_layer(layer.name).get_weights()
        for a, b in zip(layer.get_weights(), theirs, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_layers_are_saved_and_loaded_by_their_names(base, pixels, tmp_path):
    x = keras.layers.GlobalAveragePooling2D()(base.output)
    backbone.save_backbone(keras.Model(base.input, x), tmp_path / "b.weights.h5")
    keras.utils.set_random_seed(1)
    again = backbone.mobilenet_v2(0.35, 28, 96, tmp_path / "b.weights.h5")
    np.testing.assert_allclose(answer(again, pixels), answer(base, pixels), rtol=1e-5)


@pytest.mark.filterwarnings("ignore:Skipping nested container")
@pytest.mark.parametrize(
    ("alpha", "kept"), [(0.35, 100_000), pytest.param(0.5, None, marks=pytest.mark.slow)]
)
def test_weights_that_are_broken_or_do_not_fit_are_named(tmp_path, alpha, kept):
    path = tmp_path / "w.weights.h5"
    path.write_bytes(pretrained.SHIPPED.read_bytes()[:kept])
    with pytest.raises(ValueError, match=rf"The weights file .*{path.name} does not fit"):
        backbone.mobilenet_v2(alpha, weights=path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 28}, "32 px or more"),
        ({"weights": "imagenet"}, "must be a file of utils.pretrained or None, not 'imagenet'"),
    ],
)
def test_wrong_parameters_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        backbone.mobilenet_v2(**arguments)


def test_unfreezing_leaves_batch_norm_frozen():
    base = backbone.mobilenet_v2(source_size=28, size=32)
    backbone.unfreeze_top(base, 20)
    assert base.layers[-21].name == backbone.FROZEN_END
    trainable = [layer for layer in base.layers if layer.trainable_weights]
    assert [layer.name for layer in trainable] == [
        "block_15_expand",
        "block_15_depthwise",
        "block_15_project",
        "block_16_expand",
        "block_16_depthwise",
        "block_16_project",
        "Conv_1",
    ]
    backbone.unfreeze_top(base, 0)
    assert not base.trainable_weights
    with pytest.raises(ValueError, match="n_layers must be between"):
        backbone.unfreeze_top(base, 1000)


def test_macs_and_parameters_are_the_published_ones():
    model = keras.applications.MobileNetV2(weights=None)  # 224 px, 1,000 classes
    # arXiv:1801.04381, table 4, whose parameters are 3.4 million
    assert backbone.macs(model) == pytest.approx(300e6, rel=0.02)
    assert model.count_params() == pytest.approx(3.5e6, rel=0.02)


def test_macs_of_the_pieces_add_up(base):
    pieces = backbone.cut(base, "block_6_project_BN", "block_14_add")
    assert sum(map(backbone.macs, pieces)) == backbone.macs(base) > 10e6


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (lambda: keras.layers.Conv2D(5, (3, 2), strides=2, padding="same"), 4 * 4 * 3 * 2 * 6 * 5),
        (lambda: keras.layers.Conv2D(4, 3, groups=2), 6 * 6 * 3 * 3 * 3 * 4),
        (lambda: keras.layers.DepthwiseConv2D(3, depth_multiplier=2), 6 * 6 * 9 * 12),
        (lambda: keras.layers.Dense(7), 8 * 8 * 6 * 7),
        (lambda: keras.layers.BatchNormalization(), 0),
        (lambda: keras.Sequential([keras.layers.Conv2D(2, 1)]), 8 * 8 * 6 * 2),
    ],
)
def test_macs_of_one_layer(layer, expected):
    x = keras.Input((8, 8, 6))
    assert backbone.macs(keras.Model(x, layer()(x))) == expected


def test_macs_that_cannot_be_counted_are_refused():
    x = keras.Input((None, None, 3))
    with pytest.raises(ValueError, match="no fixed size"):
        backbone.macs(keras.Model(x, keras.layers.Conv2D(2, 3)(x)))
    x = keras.Input((8, 8, 3))
    with pytest.raises(ValueError, match="is a SeparableConv2D"):
        backbone.macs(keras.Model(x, keras.layers.SeparableConv2D(2, 3)(x)))
