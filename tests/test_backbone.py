from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from utils import backbone, predict
from utils.data import Lesions

keras = pytest.importorskip("keras")


@pytest.fixture(scope="module")
def base():
    keras.utils.set_random_seed(0)
    return backbone.mobilenet_v2(source_size=28, size=96, weights=None)[0]


@pytest.fixture
def pixels():
    return np.random.RandomState(0).randint(0, 256, (4, 28, 28, 3)).astype(np.uint8)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """A Keras cache with nothing in it, and no network."""
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(backbone, "online", lambda host: False)
    return tmp_path / "models"


def put_weights(folder, alpha, size, seed):
    """Weights of a random model under the name that Keras gives to ImageNet's."""
    keras.utils.set_random_seed(seed)
    model = keras.applications.MobileNetV2(
        (96, 96, 3), alpha=alpha, include_top=False, weights=None
    )
    write_keras_2(folder / backbone.FILE.format(alpha=alpha, size=size), model)
    return model


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
    whole = base.predict(pixels, verbose=0)
    assert whole.std() > 0
    x = pixels
    for piece in backbone.cut(base, "block_6_project_BN", "block_14_add", "block_16_project_BN"):
        x = piece.predict(x, verbose=0)
    np.testing.assert_allclose(x, whole, rtol=1e-4, atol=1e-5)


def test_training_a_piece_trains_the_whole(base):
    _, suffix = backbone.cut(base, "block_14_add")
    kernel = suffix.get_layer("Conv_1").kernel
    assert kernel is base.get_layer("Conv_1").kernel


def test_top_of_twenty_layers_begins_after_block_14(base):
    assert base.layers[-21].name == "block_14_add"


@pytest.mark.parametrize(
    ("name", "message"), [("block_14_expand", "shortcut goes around"), ("block_99", "no layer")]
)
def test_a_cut_that_is_none_is_refused(base, name, message):
    with pytest.raises(ValueError, match=message):
        backbone.cut(base, name)


def test_model_scales_pixels_to_the_range_of_imagenet(base):
    scaled = keras.Model(base.input, base.get_layer("scale").output)
    extremes = np.stack([np.zeros((28, 28, 3)), np.full((28, 28, 3), 255)]).astype(np.uint8)
    assert scaled.predict(extremes, verbose=0)[:, 0, 0, 0].tolist() == [-1, 1]


def test_same_numbers_as_keras_applications(empty_cache, pixels):
    reference = put_weights(empty_cache, 0.35, 96, seed=3)
    model, origin = backbone.mobilenet_v2(0.35, source_size=28)
    assert origin == "ImageNet, width 0.35, trained at 96 px"
    resized = keras.layers.Resizing(96, 96)(pixels.astype("float32"))
    expected = reference.predict(
        keras.applications.mobilenet_v2.preprocess_input(np.array(resized)), verbose=0
    )
    np.testing.assert_allclose(model.predict(pixels, verbose=0), expected, rtol=1e-3, atol=1e-3)


def test_weights_of_another_input_size_serve_and_it_is_said(empty_cache, capsys):
    put_weights(empty_cache, 0.35, 224, seed=4)
    _, origin = backbone.mobilenet_v2(0.35)
    assert origin == "ImageNet, width 0.35, trained at 224 px"
    assert origin in capsys.readouterr().out


def test_without_weights_and_network_random_is_said_loudly(empty_cache, capsys):
    _, origin = backbone.mobilenet_v2(0.35)
    assert origin.startswith("RANDOM")
    assert "RANDOM" in capsys.readouterr().out


def test_weights_are_fetched_once_into_keras_cache(empty_cache, monkeypatch):
    asked = []

    def get_file(name, url, cache_dir, cache_subdir):
        asked.append(url)
        (cache_dir / cache_subdir / name).write_bytes(b"weights")

    monkeypatch.setattr(backbone, "online", lambda host: True)
    monkeypatch.setattr(backbone.keras.utils, "get_file", get_file)
    for _ in range(2):
        path, _ = backbone.imagenet_weights(0.35, 96)
    assert asked == [backbone.FOLDER + path.name]


def test_broken_weights_file_is_named(empty_cache):
    put_weights(empty_cache, 0.35, 96, seed=5)
    path = empty_cache / backbone.FILE.format(alpha=0.35, size=96)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(ValueError, match=rf"{path.name} cannot be read .*: delete it"):
        backbone.mobilenet_v2(0.35)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0.4}, "not for 0.4"),
        ({"size": 28}, "32 px or more"),
        ({"weights": "random"}, "must be"),
    ],
)
def test_wrong_parameters_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        backbone.mobilenet_v2(**arguments)


def test_unfreezing_leaves_batch_norm_frozen(base):
    backbone.unfreeze_top(base, 20)
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


def profiled_flops(model):
    """FLOPs of each kind of operation for one picture, by TensorFlow's own profiler."""
    import tensorflow as tf

    picture = tf.TensorSpec((1, *model.input.shape[1:]))
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(picture).graph
    profiler = tf.compat.v1.profiler
    options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation())
    node = profiler.profile(graph, cmd="op", options=options.with_empty_output().build())
    flops = {}
    while node.children:  # a chain, one operation each
        (node,) = node.children
        flops[node.name] = node.float_ops
    return flops


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("MobileNetV2", {"input_shape": (96, 96, 3), "alpha": 0.35}),
        ("MobileNetV2", {"input_shape": (128, 128, 3)}),
        ("EfficientNetB0", {"input_shape": (96, 96, 3)}),
        ("ResNet50V2", {"input_shape": (96, 96, 3)}),
    ],
)
def test_macs_are_half_of_the_flops_that_tensorflow_counts(name, arguments):
    model = backbone.BACKBONES[name].build(weights=None, **arguments)
    flops = profiled_flops(model)
    counted = [flops.get(kind, 0) for kind in ("Conv2D", "DepthwiseConv2dNative", "MatMul")]
    assert 2 * backbone.macs(model) == sum(counted) > 0


@pytest.mark.parametrize(
    ("name", "macs", "parameters"),
    [
        ("MobileNetV2", 300e6, 3.5e6),  # arXiv:1801.04381, table 4, whose parameters are 3.4e6
        ("EfficientNetB0", 0.39e9, 5.3e6),  # arXiv:1905.11946, table 2
        # arXiv:1512.03385, table 1, and keras.io/api/applications. No paper has Keras's second
        # version, which halves the picture one block earlier and so spends less.
        ("ResNet50", 3.8e9, 25.6e6),
    ],
)
def test_macs_and_parameters_are_the_published_ones(name, macs, parameters):
    model = getattr(keras.applications, name)(weights=None)  # 224 px, 1,000 classes
    assert backbone.macs(model) == pytest.approx(macs, rel=0.02)
    assert model.count_params() == pytest.approx(parameters, rel=0.02)


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


# --- where ImageNet's weights cannot be had ------------------------------------------------------


def lesions_of(source, split, image_id):
    table = pd.DataFrame({"image_id": [image_id], "split": [split], "dx": ["nv"]})
    return Lesions(np.zeros((1, 28, 28, 3), np.uint8), table, source)


def a_training_image():
    return predict.load_model()[1]["training_images"][0]


@pytest.mark.parametrize(
    ("source", "split"), [("synthetic", "test"), ("folder", "train"), ("kaggle", "train")]
)
def test_the_shipped_layers_stand_in(empty_cache, source, split, capsys):
    lesions = lesions_of(source, split, a_training_image())
    model, origin = backbone.mobilenet_v2(0.35, lesions=lesions)
    assert origin.startswith("SHIPPED") and origin in capsys.readouterr().out
    shipped = predict.load_model()[0].get_layer("one_view")
    for name in ("Conv1", "block_16_project_BN"):
        for a, b in zip(
            model.get_layer(name).get_weights(), shipped.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_the_shipped_layers_are_refused_where_they_know_the_answers(empty_cache, split):
    lesions = lesions_of("folder", split, a_training_image())
    with pytest.raises(ValueError, match="trained on 1 of the pictures that are to judge here"):
        backbone.mobilenet_v2(0.35, lesions=lesions)


def test_another_width_stays_random(empty_cache):
    lesions = lesions_of("folder", "train", "new")
    assert backbone.mobilenet_v2(1.0, lesions=lesions)[1].startswith("RANDOM")
    assert backbone.mobilenet_v2(0.35)[1].startswith("RANDOM")


# --- the registry ---------------------------------------------------------------------------------

every_backbone = pytest.mark.parametrize("name", backbone.BACKBONES)


@every_backbone
def test_each_backbone_takes_pixels_and_is_cut_before_its_last_two_blocks(name, pixels):
    keras.utils.set_random_seed(0)
    model = backbone.from_registry(name, 28, 64, weights=None)
    whole = model.predict(pixels, verbose=0)
    assert whole.shape[:3] == (4, 2, 2) and np.isfinite(whole).all() and whole.std() > 0
    frozen, top = backbone.cut(model, backbone.BACKBONES[name].frozen_end)
    pieces = top.predict(frozen.predict(pixels, verbose=0), verbose=0)
    np.testing.assert_allclose(pieces, whole, rtol=1e-4, atol=1e-5 * whole.std())
    assert backbone.macs(frozen) + backbone.macs(top) == backbone.macs(model)


def put_published(folder, name):
    """Random weights where Keras caches ImageNet's of a backbone."""
    keras.utils.set_random_seed(6)
    entry = backbone.BACKBONES[name]
    model = entry.build(input_shape=(64, 64, 3), include_top=False, weights=None)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):  # as in EfficientNet's file
            numbers = ([0.485, 0.456, 0.406], backbone.DEVIATIONS, 0)
            layer.set_weights([np.array(number) for number in numbers])
    path = folder / entry.url.rpartition("/")[2]
    write_keras_2(path, model)
    return path


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("MobileNetV2", "mobilenet_v2"),
        ("EfficientNetB0", "efficientnet"),
        ("ResNet50V2", "resnet_v2"),
    ],
)
def test_each_backbone_computes_what_keras_applications_does(
    empty_cache, pixels, monkeypatch, name, module
):
    path = put_published(empty_cache, name)
    asked = []

    def get_file(file, url, **_):
        asked.append(url)
        return str(path)

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", get_file)
    entry = backbone.BACKBONES[name]
    reference = entry.build(input_shape=(224, 224, 3), include_top=False, weights="imagenet")
    assert asked == [entry.url]
    resized = np.array(keras.layers.Resizing(224, 224)(pixels[:2].astype("float32")))
    prepared = getattr(keras.applications, module).preprocess_input(resized.copy())
    expected = reference.predict(prepared, verbose=0)
    features = backbone.from_registry(name).predict(pixels[:2], verbose=0)
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-3 * expected.std())


@every_backbone
def test_without_weights_and_network_no_backbone_is_made(empty_cache, name):
    with pytest.raises(ConnectionError, match=f"ImageNet weights of {name} cannot be had: "):
        backbone.from_registry(name)


def test_weights_of_a_backbone_are_fetched_into_keras_cache(empty_cache, monkeypatch):
    monkeypatch.setattr(backbone, "online", lambda host: host == backbone.HOST)
    monkeypatch.setattr(
        backbone.keras.utils,
        "get_file",
        lambda name, url, cache_dir, cache_subdir: put_published(
            Path(cache_dir, cache_subdir), "EfficientNetB0"
        ),
    )
    backbone.from_registry("EfficientNetB0", size=32)
    assert (empty_cache / "efficientnetb0_notop.h5").exists()


def test_broken_weights_of_a_backbone_are_named(empty_cache):
    path = put_published(empty_cache, "EfficientNetB0")
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(ValueError, match=rf"{path.name} cannot be read .*: delete it"):
        backbone.from_registry("EfficientNetB0", size=32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "VGG16"}, "no backbone 'VGG16'; there are MobileNetV2, EfficientNetB0, ResNet5"),
        ({"name": "ResNet50V2", "size": 28}, "32 px or more"),
        ({"name": "ResNet50V2", "weights": "random"}, "must be"),
    ],
)
def test_a_wrong_choice_of_backbone_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        backbone.from_registry(**arguments)
