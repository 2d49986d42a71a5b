import json
import os

import numpy as np
import pytest
from PIL import Image

from utils import predict
from utils.data import fit
from utils.quiet import keras


def redness():
    """A model that says how red a picture is."""
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
def picture():
    pixels = np.random.RandomState(0).randint(0, 256, (40, 60, 3)).astype(np.uint8)
    pixels[:, 30:] = (220, 30, 10)
    return pixels


def test_same_number_for_a_path_an_image_and_arrays(model, picture, tmp_path):
    Image.fromarray(picture).save(tmp_path / "a.png")
    expected = redness().predict(fit(Image.fromarray(picture), 28)[None], verbose=0)[0, 0]
    same = [
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        Image.fromarray(picture),
        picture,
        picture.astype(np.int64),
        picture / 255,
        (picture / 255).astype(np.float32),
        np.dstack([picture, np.full((40, 60), 255, np.uint8)]),
    ]
    p = predict.melanoma_probability(same, model)
    assert p.shape == (8,) and p.dtype == np.float32
    np.testing.assert_allclose(p, expected, atol=1e-6)
    for one in same:
        np.testing.assert_allclose(predict.melanoma_probability(one, model), [expected], atol=1e-6)
    batch = np.stack([picture] * 3)
    np.testing.assert_allclose(predict.melanoma_probability(batch, model), [expected] * 3)
    many = predict.melanoma_probability([picture] * 9, model)  # goes another way
    np.testing.assert_allclose(many, [expected] * 9, atol=1e-6)


def test_label_follows_the_threshold_and_confidence_is_of_the_label(model):
    red, blue = (np.full((9, 9, 3), c, np.uint8) for c in ((255, 0, 0), (0, 0, 255)))
    assert predict.predict_skin_cancer(red, model) == ("melanoma", pytest.approx(0.9526, abs=1e-3))
    assert predict.predict_skin_cancer(blue, model) == ("benign", pytest.approx(0.9526, abs=1e-3))
    between = np.full((9, 9, 3), (104, 0, 0), np.uint8)  # .65 over, then .55 under the threshold
    assert predict.predict_skin_cancer(between, model).label == "melanoma"
    label, confidence = predict.predict_skin_cancer(np.full((9, 9, 3), (77, 0, 0), np.uint8), model)
    assert label == "benign" and confidence < 0.5


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (5000, 1), (30, 40, 1), (28, 28, 3)])
def test_any_size_and_grey(model, shape):
    assert 0 < predict.melanoma_probability(np.zeros(shape, np.uint8), model)[0] < 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_images_of_every_ordinary_mode(mode):
    assert predict.read_image(Image.new("RGB", (9, 5), "white").convert(mode)).mode == "RGB"


def test_transparent_becomes_white_and_exif_turns_upright(tmp_path):
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert predict.read_image(clear).getpixel((0, 0)) == (255, 255, 255)
    turned = Image.new("RGB", (4, 8), "blue")
    exif = turned.getexif()
    exif[0x0112] = 6  # rotated by 90 degrees
    turned.save(tmp_path / "turned.jpg", exif=exif)
    assert predict.read_image(tmp_path / "turned.jpg").size == (8, 4)


BAD = {
    "NaN": (np.full((4, 4, 3), np.nan), "NaN or infinite"),
    "infinite": (np.full((4, 4, 3), np.inf), "NaN or infinite"),
    "float above 1": (np.full((4, 4, 3), 200.0), "must lie in .0, 1.; this one goes from 200"),
    "negative float": (np.full((4, 4), -0.1), "must lie in"),
    "negative": (np.full((4, 4, 3), -1), r"must lie in 0\.\.255; this one goes from -1"),
    "above 255": (np.full((4, 4, 3), 256), r"must lie in 0\.\.255"),
    "one axis": (np.zeros(9, np.uint8), r"not \(9,\)"),
    "five axes": (np.zeros((1, 2, 2, 2, 3), np.uint8), "has shape"),
    "two channels": (np.zeros((4, 4, 2), np.uint8), r"not \(4, 4, 2\)"),
    "empty": (np.zeros((0, 4, 3), np.uint8), "is empty"),
    "no images": (np.zeros((0, 4, 4, 3), np.uint8), "There is no image to predict"),
    "no list": ([], "There is no image to predict"),
    "complex": (np.zeros((4, 4), complex), "integers or floats, not complex"),
    "text array": (np.array([["a"]]), "integers or floats"),
    "truth values": (np.ones((4, 4), bool), "integers or floats, not bool"),
    "None": ([None], "not NoneType"),
    "16 bits": (Image.new("I;16", (4, 4)), "mode I;16"),
    "float image": (Image.new("F", (4, 4)), "mode F"),
    "no pixels": (Image.new("RGB", (0, 4)), "is empty"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_picture_is_refused_in_a_sentence(model, name):
    picture, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        predict.melanoma_probability(picture, model)


def test_files_that_are_no_picture_are_refused(model, tmp_path):
    path = tmp_path / "mole.jpg"
    for missing in (path, tmp_path):
        with pytest.raises(FileNotFoundError, match="There is no image file"):
            predict.predict_skin_cancer(missing, model)
    path.write_text("not a picture")
    with pytest.raises(ValueError, match=r"mole.jpg is not an image"):
        predict.predict_skin_cancer(path, model)
    Image.effect_noise((90, 90), 90).save(path)
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(ValueError, match=r"mole.jpg is broken or truncated"):
        predict.predict_skin_cancer(path, model)


def test_a_decompression_bomb_is_refused(model, tmp_path, monkeypatch):
    bomb = np.zeros((30, 30, 3), np.uint8)
    Image.fromarray(bomb).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    for picture in (tmp_path / "bomb.png", bomb, Image.fromarray(bomb)):
        with pytest.raises(ValueError, match="more than 400 pixels"):
            predict.predict_skin_cancer(picture, model)


# --- the model's files


def test_a_model_that_is_not_there_or_broken_is_said(model, tmp_path, picture):
    path = tmp_path / "m.keras"
    with pytest.raises(FileNotFoundError, match=r"no trained model .*m.keras: run lesson 00"):
        predict.predict_skin_cancer(picture, path)
    path.write_bytes(model.read_bytes()[:500])
    with pytest.raises(FileNotFoundError, match=r"no trained model .*m.json"):
        predict.predict_skin_cancer(picture, path)
    path.with_suffix(".json").write_text('{"threshold": 0.5}')
    with pytest.raises(ValueError, match="is broken: train it again"):
        predict.predict_skin_cancer(picture, path)
    path.write_bytes(model.read_bytes())
    path.with_suffix(".json").write_text('{"threshold"')
    with pytest.raises(ValueError, match="is broken: train it again"):
        predict.predict_skin_cancer(picture, path)


@pytest.mark.parametrize(
    ("facts", "name"), [({"threshold": 0.5}, "m.keras"), ({"threshold": 1, "source": ""}, "m.h5")]
)
def test_a_model_is_saved_with_its_facts_only(tmp_path, facts, name):
    with pytest.raises(ValueError, match=r"needs a name in .keras and facts"):
        predict.save_model(redness(), facts, tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_model_trained_anew_is_loaded_anew_and_a_failed_save_keeps_the_old(
    tmp_path, picture, monkeypatch
):
    path, facts = tmp_path / "m.keras", {"threshold": 0.5, "source": "folder"}
    model = redness()
    predict.save_model(model, facts, path)
    before = predict.melanoma_probability(picture, path)
    model.layers[-1].set_weights([np.zeros((3, 1)), np.zeros(1)])
    predict.save_model(model, facts, path)
    os.utime(path, (1e9, 1e9))
    assert predict.melanoma_probability(picture, path)[0] == 0.5 != before[0]
    assert json.loads(path.with_suffix(".json").read_text()) == facts

    def save(to):
        to.write_bytes(b"half")
        raise OSError("disk full")

    kept = path.read_bytes()
    monkeypatch.setattr(model, "save", save)
    with pytest.raises(OSError, match="disk full"):
        predict.save_model(model, facts, path)
    assert path.read_bytes() == kept and sorted(os.listdir(tmp_path)) == ["m.json", "m.keras"]
