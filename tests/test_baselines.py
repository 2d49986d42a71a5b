"""Simple baselines: colours alone, and the majority class."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from utils import baselines
from utils.data import Lesions


def test_colour_features_of_a_known_image():
    image = np.zeros((1, 16, 16, 3), np.uint8)
    image[0, 4:12, 4:12] = (100, 50, 20)
    features = baselines.colour_features(image)[0]
    assert features[:3].tolist() == [25, 12.5, 5]
    assert features[3] == pytest.approx(np.sqrt(0.25 * 0.75) * 100)
    assert features[6:].tolist() == [100, 50, 20]


def test_baselines_stand_beside():
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    images = rng.integers(0, 100, (80, 28, 28, 3)).astype(np.uint8)
    images[y == 1] += 80
    table = pd.DataFrame({"dx": np.where(y, "mel", "nv")})
    lesions = Lesions(images, table, "synthetic")
    found = baselines.baseline_probabilities(lesions, lesions)
    assert list(found) == ["colour baseline", "majority class"]
    assert roc_auc_score(y, found["colour baseline"][0]) > 0.99
    assert set(found["majority class"][0]) == {0.5}
