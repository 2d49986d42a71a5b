import copy
import json
import os
import pickle
import zipfile
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from utils import augmentation, decision, models, predict
from utils.images import read, square
from utils.quiet import keras

FACTS = {"threshold": 0.5, "source": "folder"}


def redness():
    """A model that says how red an image is."""
    pixels = keras.Input((28, 28, 3))
    x = keras.layers.Rescaling(1 / 255)(pixels)
    x = keras.layers.GlobalAveragePooling2D()(x)
    dense = keras.layers.Dense(1, activation="sigmoid")
    model = keras.Model(pixels, dense(x))
    dense.set_weights([np.array([[4.0], [-1], [-2]]), np.array([-1.0])])
    return model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "red.keras"
    predict.save_model(redness(), {"threshold": 0.6, "source": "synthetic"}, path)
    return path


@pytest.fixture
def image():
    pixels = np.random.RandomState(0).randint(0, 256, (40, 60, 3)).astype(np.uint8)
    pixels[:, 30:] = (220, 30, 10)
    return pixels


# --- answers


def test_same_number_for_a_path_an_image_and_arrays(model, image, tmp_path):
    Image.fromarray(image).save(tmp_path / "a.png")
    expected = redness().predict(square(Image.fromarray(image), 28)[None], verbose=0)[0, 0]
    same = [
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        Image.fromarray(image),
        image,
        image.astype(np.int64),
        image / 255,
        (image / 255).astype(np.float32),
        np.dstack([image, np.full((40, 60), 255, np.uint8)]),
    ]
    p = predict.melanoma_probability(same, model)
    assert p.shape == (8,) and p.dtype == np.float32
    np.testing.assert_allclose(p, expected, atol=1e-6)
    for one in same:
        np.testing.assert_allclose(predict.melanoma_probability(one, model), [expected], atol=1e-6)
    batch = np.stack([image] * 3)
    np.testing.assert_allclose(predict.melanoma_probability(batch, model), [expected] * 3)
    many = predict.melanoma_probability([image] * 9, model)  # goes another way
    np.testing.assert_allclose(many, [expected] * 9, atol=1e-6)


def test_label_follows_the_threshold_and_confidence_is_of_the_label(model):
    red, blue = (np.full((9, 9, 3), c, np.uint8) for c in ((255, 0, 0), (0, 0, 255)))
    assert predict.predict_skin_cancer(red, model) == ("melanoma", pytest.approx(0.9526, abs=1e-3))
    assert predict.predict_skin_cancer(blue, model) == ("benign", pytest.approx(0.9526, abs=1e-3))
    between = np.full((9, 9, 3), (104, 0, 0), np.uint8)  # .65 over, then .55 under the threshold
    assert predict.predict_skin_cancer(between, model).label == "melanoma"
    answer = predict.predict_skin_cancer(np.full((9, 9, 3), (77, 0, 0), np.uint8), model)
    label, confidence = answer
    assert label == "benign" and confidence < 0.5
    assert answer.probability == pytest.approx(1 - confidence)
    assert answer.threshold == predict.load_model(model)[1]["threshold"] > answer.probability
    assert copy.deepcopy(answer).threshold == pickle.loads(pickle.dumps(answer)).threshold
    assert repr(answer).startswith("Prediction(label='benign', confidence=0.4")
    assert "threshold=0.6" in repr(answer) and "decision" not in repr(answer)
    refused = repr(decision.Prediction(0.123456, 0.0911, "refused"))
    assert (
        "decision='refused'" in refused and len(repr(answer)) <= 90
    )  # what JupyterLab shows whole


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (5000, 1), (30, 40, 1), (28, 28, 3)])
def test_any_size_and_grey(model, shape):
    assert 0 < predict.melanoma_probability(np.zeros(shape, np.uint8), model)[0] < 1


def test_what_is_no_image_is_refused_in_a_sentence(model, image, tmp_path):
    for empty in ([], np.zeros((0, 4, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="There is no image to predict"):
            predict.melanoma_probability(empty, model)
    with pytest.raises(ValueError, match="NaN or infinite"):
        predict.melanoma_probability([image, np.full((4, 4, 3), np.nan)], model)
    with pytest.raises(FileNotFoundError, match="There is no image file"):
        predict.predict_skin_cancer(tmp_path / "mole.jpg", model)


def pooled(size, channels=3):
    pixels = keras.Input((size, size, channels))
    return pixels, keras.layers.GlobalAveragePooling2D()(pixels)


def logit():
    pixels, x = pooled(28)
    return keras.Model(pixels, keras.layers.Dense(1)(x))


def seven():
    pixels, x = pooled(28)
    return keras.Model(pixels, keras.layers.Dense(7, activation="softmax")(x))


def any_size():
    pixels, x = pooled(None)
    return keras.Model(pixels, keras.layers.Dense(1, activation="sigmoid")(x))


def grey():
    pixels, x = pooled(28, 1)
    return keras.Model(pixels, keras.layers.Dense(1, activation="sigmoid")(x))


def no_image():
    x = keras.Input((9,))
    return keras.Model(x, keras.layers.Dense(1, activation="sigmoid")(x))


ONE_PROBABILITY, SQUARE = "with one probability", "square colour images of a fixed size"
UNFIT = {
    "logit": (logit, rf"{ONE_PROBABILITY}.*shape \(None, 1\) and activation linear"),
    "seven": (seven, rf"{ONE_PROBABILITY}.*shape \(None, 7\) and activation softmax"),
    "any size": (any_size, rf"{SQUARE}.*\(None, None, None, 3\)"),
    "grey": (grey, rf"{SQUARE}.*\(None, 28, 28, 1\)"),
    "no image": (no_image, SQUARE),
    "not built": (lambda: keras.Sequential([keras.layers.Dense(1)]), SQUARE),
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_model_that_gives_no_probability_of_an_image_is_not_saved(tmp_path, name):
    build, message = UNFIT[name]
    with pytest.raises(ValueError, match=message):
        predict.save_model(build(), FACTS, tmp_path / "m.keras")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", UNFIT)
def test_nor_does_it_predict(tmp_path, image, name):
    keras.utils.set_random_seed(0)
    built = UNFIT[name][0]()
    if name == "not built":
        with pytest.raises(ValueError, match=SQUARE):
            predict.melanoma_probability(image, built)
        return
    path = tmp_path / "m.keras"  # as an earlier version of the course saved it
    built.save(path)
    path.with_suffix(".json").write_text(json.dumps(FACTS))
    for model in (built, path):
        with pytest.raises(ValueError, match=f"{ONE_PROBABILITY}|{SQUARE}"):
            predict.melanoma_probability(image, model)


def test_a_sigmoid_may_stand_alone_or_in_a_model_inside(tmp_path, image):
    sigmoid = keras.Sequential([keras.Input((1,)), keras.layers.Activation("sigmoid")])
    inner = logit()
    for end in (keras.layers.Activation("sigmoid"), sigmoid):
        predict.save_model(keras.Sequential([inner, end]), FACTS, tmp_path / "m.keras")
        assert 0 <= predict.melanoma_probability(image, tmp_path / "m.keras")[0] <= 1


def test_a_model_with_the_courses_own_layer_is_saved_and_loaded(tmp_path, image):
    pixels = keras.Input((64, 64, 3))
    x = augmentation.RandomView(32, seed=3)(pixels)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(x))
    own = keras.Model(pixels, keras.layers.Dense(1, activation="sigmoid")(x))
    predict.save_model(own, FACTS, tmp_path / "own.keras")
    once, twice = (predict.melanoma_probability(image, tmp_path / "own.keras") for _ in range(2))
    expected = own.predict(square(read(image), 64)[None], verbose=0)[0]
    np.testing.assert_array_equal(once, twice)
    np.testing.assert_allclose(once, expected, rtol=1e-5)


# --- the model's files


def test_a_model_that_is_not_there_or_broken_is_said(model, tmp_path, image):
    path = tmp_path / "m.keras"
    with pytest.raises(
        FileNotFoundError, match=r"no trained model .*m.keras: run the lesson quickstart"
    ):
        predict.predict_skin_cancer(image, path)
    path.write_bytes(model.read_bytes()[:500])
    with pytest.raises(FileNotFoundError, match=r"no trained model .*m.json"):
        predict.predict_skin_cancer(image, path)
    path.with_suffix(".json").write_text('{"threshold": 0.5}')
    with pytest.raises(ValueError, match="is broken: train it again"):
        predict.predict_skin_cancer(image, path)
    path.write_bytes(model.read_bytes())
    path.with_suffix(".json").write_text('{"threshold"')
    with pytest.raises(ValueError, match="is broken: train it again"):
        predict.predict_skin_cancer(image, path)


@pytest.mark.parametrize(
    ("facts", "name", "message"),
    [
        ({"threshold": 0.5}, "m.keras", "needs a name in .keras and facts"),
        (FACTS, "m.h5", "needs a name in .keras and facts"),
        (FACTS | {"threshold": float("nan")}, "m.keras", "must be a number, not nan"),
        (FACTS | {"threshold": "0.5"}, "m.keras", "must be a number, not '0.5'"),
    ],
)
def test_a_model_is_saved_with_its_facts_only(tmp_path, facts, name, message):
    with pytest.raises(ValueError, match=message):
        predict.save_model(redness(), facts, tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_what_lesson_00_trained_lies_among_its_results(tmp_path, monkeypatch, image):
    monkeypatch.setenv("COURSE_RESULTS_DIR", str(tmp_path / "results"))
    predict.save_model(redness(), FACTS | {"threshold": np.float32(0.25)})
    assert sorted(os.listdir(tmp_path / "results")) == [
        "melanoma_mobilenetv2.json",
        "melanoma_mobilenetv2.keras",
    ]
    assert predict.load_model(predict.trained())[1]["threshold"] == 0.25


def test_a_model_trained_anew_is_loaded_anew_and_a_failed_save_keeps_the_old(
    tmp_path, image, monkeypatch
):
    path = tmp_path / "m.keras"
    model = redness()
    predict.save_model(model, FACTS, path)
    before = predict.melanoma_probability(image, path)
    model.layers[-1].set_weights([np.zeros((3, 1)), np.zeros(1)])
    predict.save_model(model, FACTS, path)
    os.utime(path, (1e9, 1e9))
    assert predict.melanoma_probability(image, path)[0] == 0.5 != before[0]
    assert FACTS.items() < json.loads(path.with_suffix(".json").read_text()).items()

    def save(to):
        to.write_bytes(b"half")
        raise OSError("disk full")

    kept = path.read_bytes(), path.with_suffix(".json").read_bytes()
    monkeypatch.setattr(model, "save", save)
    with pytest.raises(OSError, match="disk full"):
        predict.save_model(model, FACTS | {"threshold": 0.7}, path)
    assert (path.read_bytes(), path.with_suffix(".json").read_bytes()) == kept
    assert sorted(os.listdir(tmp_path)) == ["m.json", "m.keras"]


def test_a_threshold_edited_in_the_json_counts_at_once(tmp_path):
    path, red = tmp_path / "m.keras", np.full((9, 9, 3), (255, 0, 0), np.uint8)
    predict.save_model(redness(), FACTS, path)
    assert predict.predict_skin_cancer(red, path).label == "melanoma"
    facts = path.with_suffix(".json")
    state = facts.stat()
    facts.write_text(facts.read_text().replace("0.5", "1.5"))
    os.utime(facts, ns=(state.st_atime_ns, state.st_mtime_ns))  # within one tick of the clock
    assert predict.predict_skin_cancer(red, path).label == "benign"
    for wrong in ("null", '"high"', "NaN"):
        facts.write_text('{"threshold": ' + wrong + "}")
        with pytest.raises(ValueError, match=r"train it again. .*must be a number"):
            predict.predict_skin_cancer(red, path)


def test_a_model_of_another_keras_is_no_broken_one(tmp_path, image):
    """As one is that was trained in Colab: what its layers are called with is not known here."""
    path = tmp_path / "m.keras"
    predict.save_model(redness(), FACTS, path)
    with zipfile.ZipFile(path) as file:
        content = {name: file.read(name) for name in file.namelist()}
    config = json.loads(content["config.json"])
    config["config"]["layers"][-1]["config"]["a_later_word"] = None
    later = json.dumps(json.loads(content["metadata.json"]) | {"keras_version": "99.1.0"})

    def write(**changed):
        with zipfile.ZipFile(path, "w") as file:
            for name, one in (content | {f"{n}.json": c for n, c in changed.items()}).items():
                file.writestr(name, one)
        path.with_suffix(".json").write_text(json.dumps(FACTS))

    write(config=json.dumps(config), metadata=later)
    with pytest.raises(
        ValueError, match=r"saved by Keras 99.1.0, and Keras \d.* cannot"
    ) as refused:
        predict.predict_skin_cancer(image, path)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300 + len(str(path))
    write(config=json.dumps(config))  # by this very Keras
    with pytest.raises(ValueError, match="is broken: train it again") as refused:
        predict.predict_skin_cancer(image, path)
    assert "\n" not in str(refused.value)
    write(metadata=later)  # and readable
    assert 0 <= predict.melanoma_probability(image, path)[0] <= 1


def test_files_of_two_trainings_are_told_apart(tmp_path, image):
    """As two runs leave them that write at the same time."""
    for name in ("a", "b"):
        predict.save_model(redness(), FACTS, tmp_path / f"{name}.keras")
    (tmp_path / "b.json").replace(tmp_path / "a.json")
    with pytest.raises(ValueError, match=r"a.keras is broken: train it again. .*another training"):
        predict.predict_skin_cancer(image, tmp_path / "a.keras")


# --- the shipped model


def noise(n=1, shape=(150, 200, 3)):
    return np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8)


@contextmanager
def keras_set_to(policy, floatx, image_data_format):
    config = keras.config
    try:
        config.set_floatx(floatx)
        config.set_image_data_format(image_data_format)
        config.set_dtype_policy(policy)
        yield
        after = config.dtype_policy().name, config.floatx(), config.image_data_format()
        assert after == (policy, floatx, image_data_format)
    finally:
        config.set_floatx("float32")
        config.set_image_data_format("channels_last")
        config.set_dtype_policy("float32")


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings_of_the_caller",
    [
        ("mixed_bfloat16", "float32", "channels_last"),
        ("float64", "float64", "channels_last"),
        ("float16", "float16", "channels_first"),
    ],
)
def test_settings_of_the_caller_change_no_answer(settings_of_the_caller):
    expected = predict.melanoma_probability(noise(3))
    before = predict.predict_skin_cancer(noise()[0]).decision
    predict._load.cache_clear()
    with keras_set_to(*settings_of_the_caller):
        for _ in ("built", "already there"):
            p = predict.melanoma_probability(noise(3))
            assert p.dtype == np.float32
            np.testing.assert_allclose(p, expected, rtol=1e-5)
            assert predict.predict_skin_cancer(noise()[0]).decision == before


def test_a_predictor_is_built_and_asked_in_float32_whatever_is_set():
    pixels, x = pooled(14)
    trained = keras.Model(pixels, keras.layers.Dense(7)(x))
    with keras_set_to("mixed_bfloat16", "float32", "channels_last"):
        predictor = models.as_predictor(trained, 16, 1.5)
        p = predict.melanoma_probability(noise(), predictor)
    assert {layer.compute_dtype for layer in predictor.layers} == {"float32"}
    np.testing.assert_array_equal(p, predict.melanoma_probability(noise(), predictor))


def test_the_shipped_files_belong_to_each_other():
    files = [json.loads(path.read_text()) for path in decision.files_beside(predict.SHIPPED)]
    model, facts = predict.load_model()
    assert facts == files[0] | files[1] | files[2] and len(facts["model_sha256"]) == 64
    assert predict.SHIPPED.stat().st_size < 4_000_000
    assert model.input.shape == (None, 128, 128, 3) and model.output.shape == (None, 1)
    assert model.get_layer("temperature").scale == pytest.approx(1 / facts["temperature"])


@pytest.mark.slow
def test_the_shipped_file_needs_no_description_of_layers_by_another_keras(monkeypatch, capsys):
    def log_odds(model):  # before the temperature, which stands in a file of its own
        return keras.Model(model.input, model.get_layer("temperature").input)(images)

    images = noise()[:1, :128, :128].astype(np.float32)
    whole = keras.models.load_model(predict.SHIPPED, compile=False)  # by the Keras that wrote it
    whole.trainable = False
    predict._load.cache_clear()
    monkeypatch.setattr(keras.models, "load_model", None)
    found = log_odds(predict.load_model()[0])
    np.testing.assert_allclose(found, log_odds(whole), rtol=1e-4)
    assert capsys.readouterr().out == ""


def test_a_broken_shipped_file_is_said(tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(predict.SHIPPED.read_bytes()[:5000])
    path.with_suffix(".json").write_bytes(predict.SHIPPED.with_suffix(".json").read_bytes())
    with pytest.raises(ValueError, match="is broken: train it again"):
        predict.load_model(path)


def test_calling_a_loaded_model_predicts_and_changes_nothing(tmp_path):
    """Resizing, called without ``training``, would switch BatchNorm after it to training."""
    pixels = keras.Input((32, 32, 3))
    x = keras.layers.BatchNormalization()(keras.layers.Resizing(16, 16)(pixels))
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(pixels, keras.layers.Dense(1, activation="sigmoid")(x))
    predict.save_model(model, FACTS, tmp_path / "m.keras")
    loaded, _ = predict.load_model(tmp_path / "m.keras")
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3)).astype("float32")
    before = [weight.copy() for weight in loaded.get_weights()]
    expected = loaded.predict(images, verbose=0)
    np.testing.assert_allclose(np.asarray(loaded(images)), expected, atol=1e-5)
    for weight, kept in zip(loaded.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


# --- decisions


LIMITS = {
    "threshold": 0.2,
    "guard": {"layer": "pooled", "mean": [0.0] * 3, "precision": np.eye(3).tolist(), "limit": 9.0},
}


@pytest.mark.parametrize(
    ("p", "distance", "expected"),
    [
        (0.05, 1, "benign"),
        (0.2, 1, "melanoma"),
        (0.9, 9.1, "refused"),
        (0.05, None, "benign"),
    ],
)
def test_one_rule_decides(p, distance, expected):
    far = None if distance is None else [distance]
    assert decision.decide([p], far, LIMITS).tolist() == [expected]


def _with(path, end, **content):
    path.with_suffix(end).write_text(json.dumps(content))


@pytest.fixture
def red(model, tmp_path):
    """A copy of the model, and the hash by which files belong to it."""
    for file in (model, model.with_suffix(".json")):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    path = tmp_path / model.name
    return path, json.loads(path.with_suffix(".json").read_text())["model_sha256"]


def test_limits_and_calibration_are_used_if_they_were_made_for_the_model(red):
    path, own = red
    other = "0" * 64

    def loaded(calibrated, temperature, limited, found_at):
        _with(path, ".calibration.json", model_sha256=calibrated, temperature=temperature)
        _with(path, ".limits.json", **LIMITS, model_sha256=limited, temperature=found_at)
        facts = predict.load_model(path)[1]
        return facts.get("temperature"), facts["threshold"], "guard" in facts

    assert loaded(own, 2.0, own, 2.0) == (2.0, 0.2, True)
    without = 0.6, False  # as the model's own file says
    assert loaded(own, 3.0, own, 2.0) == (3.0, *without)
    assert loaded(own, 2.0, other, 2.0) == (2.0, *without)
    assert loaded(other, 2.0, own, 2.0) == (None, *without)


def test_a_learners_model_is_loaded_by_keras_whatever_else_its_facts_hold(tmp_path):
    facts = {"threshold": 0.5, "source": "folder", "source_size": 28, "alpha": 0.35}
    predict.save_model(redness(), facts, tmp_path / "own.keras")
    assert predict.load_model(tmp_path / "own.keras")[0].count_params() == 4
