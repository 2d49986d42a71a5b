"""Seven diagnoses from the shipped model: what is recorded, on answers made by hand."""

import numpy as np
import pandas as pd
import pytest

from experiments import seven_diagnoses, shipped_model
from utils import data, predict


def test_likeliest_and_equal_shares_are_judged_by_hand(few_resamples):
    """A model that is sure of moles only: it calls a quarter of the rest right by their shares."""
    dx = np.array([*data.DX, "nv", "nv", "mel", "bcc"] * 10)
    table = pd.DataFrame({"dx": dx, "group": np.arange(len(dx))})
    p = np.full((len(dx), 7), 0.05)
    p[:, data.DX.index("nv")] = 0.6
    for row, name in zip(p, dx, strict=True):
        if name != "nv":
            row[[data.DX.index(name), data.DX.index("nv")]] = 0.3, 0.4
    shares = np.array([0.1, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1])
    found = seven_diagnoses.judge(table, p / p.sum(axis=1, keepdims=True), shares)
    assert found["images"] == {n: int((dx == n).sum()) for n in data.DX}
    assert found["balanced_accuracy"]["likeliest"]["value"] == pytest.approx(1 / 7)
    assert found["balanced_accuracy"]["equal shares"]["value"] == pytest.approx(1)
    assert found["accuracy"]["likeliest"] == pytest.approx((dx == "nv").mean())
    assert found["sensitivity"]["likeliest"]["mel"]["value"] == 0
    matrix = np.array(found["confusion"]["likeliest"])
    assert matrix[:, data.DX.index("nv")].sum() == matrix.sum() == len(dx)
    malignant = found["malignant"]
    assert malignant["images"] == np.isin(dx, seven_diagnoses.MALIGNANT).sum() == 50
    assert malignant["not_melanoma"] == 30
    assert malignant["roc_auc"]["value"] == 1
    assert malignant["gain"]["value"] == pytest.approx(
        1 - malignant["roc_auc_of_melanoma_probability"]["value"]
    )


def test_costs_of_rules_by_hand(few_resamples):
    """A melanoma costs 10 if it is left alone, a carcinoma 5, a keratosis 2; a doctor's look 1."""
    dx = np.array(["mel", "bcc", "akiec", "nv", "nv", "bkl"] * 10)
    p = np.zeros((6, 7))
    sure = [("mel", 0.05), ("bcc", 0.6), ("akiec", 0.3), ("mel", 0.2), ("nv", 1), ("bkl", 1)]
    for row, (name, share) in zip(p, sure, strict=True):
        row[data.DX.index(name)] = share
        row[data.DX.index("nv")] += 1 - share
    likeliest = np.asarray(data.DX)[p.argmax(1)]
    found = seven_diagnoses.costs_of_rules(
        np.tile(p, (10, 1)), dx, np.tile(likeliest, 10), np.arange(len(dx))
    )
    paid = {rule: cost["value"] for rule, cost in found["paid"].items()}
    # Leaves alone: the first, whose melanoma costs an expected 0.5, and the third (0.6), the last
    # two, which cost nothing; the fourth is sent (2 against 0.8).
    assert paid["lowest expected cost"] == pytest.approx((10 + 0 + 2 + 1 + 0 + 0) / 6)
    assert paid["likeliest"] == pytest.approx((10 + 0 + 2) / 6)
    assert paid["leave all alone"] == pytest.approx(17 / 6)
    assert paid["all to a doctor"] == pytest.approx(3 / 6)
    assert found["expected"] == pytest.approx((0.5 + 0.4 + 0.6 + 0.8) / 6)
    assert found["paid minus expected"]["value"] == pytest.approx(13 / 6 - 2.3 / 6)
    assert found["minus likeliest"]["value"] == pytest.approx(
        paid["lowest expected cost"] - paid["likeliest"]
    )


@pytest.mark.slow
def test_the_seven_probabilities_are_those_behind_the_shipped_models_own():
    """Their log-odds of melanoma, averaged over the views, are close to the shipped model's.

    Averaged logits are not averaged log-odds, so the two agree in the order of images and nearly
    in the value.
    """
    model, facts = predict.load_model()
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    images = images.repeat(16, axis=1).repeat(16, axis=2)  # 128 px
    p = shipped_model.seven_probabilities(model, images, batch=4)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    shipped = predict.melanoma_probability(images, model)
    ours, theirs = (np.log(x / (1 - x)) for x in (p[:, -1], shipped))
    np.testing.assert_allclose(ours, theirs * facts["temperature"], atol=0.5)
