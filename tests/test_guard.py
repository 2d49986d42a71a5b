"""The guard: its distance is scikit-learn's, and a small model refuses what is not red."""

import numpy as np
import pytest
from sklearn.covariance import EmpiricalCovariance

from utils import decision, guard, predict
from utils.quiet import keras


def with_one_view(size=12, inside=8):
    """A model that says how red an image is, and holds its network as the shipped one does."""
    pixels = keras.Input((inside, inside, 3))
    maps = keras.layers.Rescaling(1 / 255, name="maps")(pixels)
    dense = keras.layers.Dense(1, activation="sigmoid")
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    one_view = keras.Model(pixels, dense(pooled), name="one_view")
    dense.set_weights([np.array([[8.0], [0], [0]]), np.array([-4.0])])
    outside = keras.Input((size, size, 3))
    return keras.Model(outside, one_view(keras.layers.Resizing(inside, inside)(outside)))


def plain(*colours, size=12):
    return np.stack([np.full((size, size, 3), colour, np.uint8) for colour in colours])


def test_distance_is_scikit_learns():
    rng = np.random.default_rng(0)
    train, new = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 3)), rng.normal(size=(9, 3))
    expected = EmpiricalCovariance().fit(train).mahalanobis(new)
    np.testing.assert_allclose(decision.distance(new, **guard.fit(train)) ** 2, expected)


def test_features_are_means_of_channels_whatever_the_number_of_images():
    images = plain(*[(n % 256, 10, 20) for n in range(450)])
    found = guard.features(with_one_view(), "maps", images)
    np.testing.assert_allclose(found * 255, images[:, 0, 0], atol=1e-3)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """Saved, with a guard that knows dark reds."""
    rng = np.random.default_rng(0)
    reds = plain(*[(rng.integers(60, 200), *rng.integers(20, 60, 2)) for _ in range(60)])
    fitted = guard.fit(guard.features(with_one_view(), "maps", reds))
    limits = {name: array.tolist() for name, array in fitted.items()}
    facts = {"threshold": 0.5, "source": "synthetic"}
    facts["guard"] = limits | {"layer": "maps", "limit": 4.0}
    path = tmp_path_factory.mktemp("guarded") / "red.keras"
    predict.save_model(with_one_view(), facts, path)
    return path


@pytest.mark.parametrize(
    ("colour", "expected", "label"),
    [
        ((190, 40, 40), "melanoma", "melanoma"),
        ((70, 40, 40), "benign", "benign"),
        ((130, 40, 40), "melanoma", "melanoma"),
        ((122, 40, 40), "benign", "benign"),
        ((130, 200, 40), "refused", "melanoma"),  # though the probability is high
        ((255, 255, 255), "refused", "melanoma"),
    ],
)
def test_three_decisions(guarded, colour, expected, label):
    found = predict.predict_skin_cancer(plain(colour, size=30)[0], guarded)
    assert (found.decision, found.label) == (expected, label)


def test_many_images_are_decided_as_each_by_itself(guarded):
    colours = [(red, grey, grey) for red in range(60, 200, 7) for grey in (20, 40, 90)]
    images = plain(*colours)
    model, facts = predict.load_model(guarded)
    far = guard.distances(model, facts["guard"], images)
    found = decision.decide(predict.melanoma_probability(images, model), far, facts)
    assert set(found) == {"refused", "melanoma", "benign"}
    alone = [predict.predict_skin_cancer(image, guarded).decision for image in images]
    assert alone == found.tolist()


def test_a_model_without_limits_always_answers(tmp_path):
    path = tmp_path / "red.keras"
    predict.save_model(with_one_view(), {"threshold": 0.5, "source": "synthetic"}, path)
    for colour, label in (((255, 255, 255), "melanoma"), ((0, 200, 0), "benign")):
        found = predict.predict_skin_cancer(plain(colour)[0], path)
        assert found.decision == found.label == label
