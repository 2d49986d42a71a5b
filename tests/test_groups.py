"""For whom the shipped model works: what is recorded, on answers made by hand."""

import numpy as np
import pandas as pd
import pytest

from course import groups
from utils import evaluation, predict, results, shifts
from utils.data import Lesions


def people(n=400, seed=0):
    """Age says much, the site nothing; the probability says something."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(20, 90, n)
    melanoma = (rng.random(n) < np.where(age > 60, 0.7, 0.1)).astype(int)
    return pd.DataFrame(
        {
            "age": np.where(rng.random(n) < 0.05, np.nan, age),
            "sex": rng.choice(["female", "male"], n),
            "localization": rng.choice(["back", "face"], n),
            "dx_type": np.where(melanoma == 1, "histo", rng.choice(["histo", "follow_up"], n)),
            "melanoma": melanoma,
            "probability": np.clip(rng.normal(0.3 + 0.2 * melanoma, 0.15), 0, 1),
            "group": np.arange(n),
        }
    )


def test_what_helps_beside_the_image_is_found(few_resamples):
    found = groups.beside(people(), people(seed=1))
    alone = found["image alone"]["roc_auc"]
    table = people(seed=1)  # the order of the log-odds is that of the probabilities
    expected = evaluation.roc_auc(table["melanoma"], table["probability"].clip(1e-5, 1 - 1e-5))
    assert alone["value"]["value"] == pytest.approx(expected)
    assert alone["gain"] == {"value": 0, "low": 0, "high": 0}
    assert found["image and age"]["roc_auc"]["gain"]["low"] > 0
    assert found["image and way of confirmation"]["average_precision"]["gain"]["low"] > 0
    assert 0.75 < found["age, sex and site alone"]["roc_auc"]["value"]["value"] < 0.95


def test_a_site_that_was_never_seen_is_no_reason_to_stop():
    other = people(seed=2).assign(localization="ear", sex="unknown")
    p = groups.fitted(people(), ["age", "sex", "localization"])(other)
    assert p.shape == (400,) and np.isfinite(p).all()


def test_shifts_are_paired_with_the_images_as_they_were(few_resamples):
    rng = np.random.default_rng(3)
    dx = np.array(["nv", "mel"] * 30)
    table = pd.DataFrame({"dx": dx, "group": np.arange(60)})
    images = rng.integers(150, 200, (60, 16, 16, 3), dtype=np.uint8)
    images[dx == "mel"] -= 40
    test = Lesions(images, table, "synthetic")

    def darkness(images):
        return 1 - images.mean(axis=(1, 2, 3)) / 255

    found = groups.shifted(test, darkness, darkness(images))
    assert found["unchanged"]["roc_auc"] == 1
    assert [row["severity"] for row in found["darker"]] == list(shifts.SEVERITIES)
    assert found["darker"][3]["change"]["value"] == 0  # all darker: the order stays
    assert found["darker"][3]["mean_probability"] > found["unchanged"]["mean_probability"] + 0.2


def test_the_record_is_that_of_the_shipped_model():
    found, facts = results.committed(groups.NAME), predict.load_model()[1]
    assert found["model_sha256"] == facts["model_sha256"]
    assert found["threshold"] == facts["threshold"]
    test = pd.DataFrame(found["test"])
    assert len(test) == 1999 and test["melanoma"].sum() == 221
    shipped = results.committed("shipped_model")["shipped"]["roc_auc"]
    ours = evaluation.roc_auc(test["melanoma"], test["probability"])
    assert ours == pytest.approx(shipped.value, abs=0.002)
