"""How the shipped model is judged on images from elsewhere."""

import numpy as np
import pandas as pd
import pytest

from experiments import elsewhere
from utils import evaluation

FACTS = {"threshold": 0.2, "guard": {"limit": 5.0}}


def table(n=400, seed=0):
    rng = np.random.default_rng(seed)
    melanoma = (np.arange(n) % 4 == 0).astype(int)
    p = 1 / (1 + np.exp(-(rng.normal(-1.5, 1, n) + 2 * melanoma)))
    return pd.DataFrame(
        {
            "melanoma": melanoma,
            "group": np.arange(n) // 2,
            "split": np.where(np.arange(n) < n // 2, "train", "test"),
            "shipped": p,
            "colours": 1 - p,
            "distance": np.where(np.arange(n) % 10 == 0, 9.0, 1.0),
        }
    )


@pytest.mark.usefixtures("few_resamples")
def test_a_set_is_judged_with_intervals_beside_the_colours():
    rows = table()
    found = elsewhere.judged(rows, {"shipped": 0.2, "colours": 0.5}, FACTS)
    assert (found["images"], found["melanomas"], found["groups"]) == (400, 100, 200)
    assert found["shipped"]["roc_auc"]["value"] == pytest.approx(
        1 - found["colours"]["roc_auc"]["value"]
    )
    assert found["over_colours"]["low"] > 0
    assert found["refused"] == pytest.approx(0.1)
    kept = rows[rows["distance"] < 5]
    missed = kept["melanoma"].eq(1) & (kept["shipped"] < 0.2)
    assert found["melanomas_called_benign"] == missed.sum()


def test_the_predictions_that_are_kept_give_the_same_judgement():
    rows = table()
    kept = pd.DataFrame(elsewhere.predictions(rows.assign(group=rows["group"].astype(str))))
    assert (kept["melanoma"] == rows["melanoma"]).all() and (kept["group"] == rows["group"]).all()
    assert np.abs(kept["probability"] - rows["shipped"]).max() <= 0.00005
    assert evaluation.roc_auc(kept["melanoma"], kept["probability"]) == pytest.approx(
        evaluation.roc_auc(rows["melanoma"], rows["shipped"]), abs=0.001
    )


def test_local_images_move_the_threshold_towards_what_was_asked_for():
    rows = table(4000)
    asked = {"local_images": 100, "draws": 20, "sensitivity": 0.9, "seed": 0}
    found = elsewhere.locally(rows, 0.9, asked)  # a threshold that finds nearly nothing here
    assert found["as it comes"]["sensitivity"] < 0.2
    after = found["after"]["sensitivity"]
    assert after["p5"] < 0.9 < after["p95"] + 0.05 and after["mean"] == pytest.approx(
        0.92, abs=0.04
    )
    assert found["after"]["slope"]["p5"] < 1 < found["after"]["slope"]["p95"]
