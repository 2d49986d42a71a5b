"""Limits of the shipped model: the rules by hand, the promise by simulation, the record."""

import math

import numpy as np
import pandas as pd
import pytest

from experiments import common, confidence, shipped_model
from utils import decision, other_images, predict, results
from utils.data import Lesions
from utils.evaluation import conformal_limit


def test_conformal_limit_is_the_rank_of_the_formula():
    scores = np.random.default_rng(0).permutation(np.arange(1, 20))
    assert conformal_limit(scores, 0.9) == 18  # ceil(20 * .9)
    assert conformal_limit(scores, 0.99) == math.inf  # 19 scores cannot promise that


def test_the_promise_holds_on_average_over_many_samples():
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(4000, 40))
    held = [new <= conformal_limit(rest, 0.8) for new, *rest in draws]
    assert np.mean(held) == pytest.approx(32 / 40, abs=0.02)


def test_the_threshold_finds_the_share_of_new_melanomas_that_was_asked_for():
    rng = np.random.default_rng(2)
    draws = rng.beta(4, 2, (4000, 40))
    y = np.r_[np.zeros(3), np.ones(39)]
    found = [
        new >= shipped_model.threshold_for_sensitivity(y, [0.9, 0.9, 0.9, *rest], 0.9)
        for new, *rest in draws
    ]
    assert np.mean(found) == pytest.approx(0.9, abs=0.015)


def lesions(n=400):
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"group": np.arange(n) // 2, "dx": rng.choice(["nv", "mel"], n)})
    test = Lesions(np.zeros((n, 2, 2, 3), np.uint8), table, "synthetic")
    return test, np.where(test.melanoma == 1, rng.beta(3, 2, n), rng.beta(2, 3, n))


def test_decisions_are_shares_that_add_up(few_resamples):
    test, p = lesions()
    facts = {"threshold": 0.5, "guard": {"limit": 1}}
    found = confidence.decisions(test, p, np.arange(len(p)) % 100 / 99 + 0.005, facts)
    for kind in ("melanoma", "not melanoma"):
        assert sum(share["value"] for share in found[kind].values()) == pytest.approx(1)
    assert found["all"]["refused"] == 0.01
    said = decision.decide(p, np.arange(len(p)) % 100 / 99 + 0.005, facts)
    assert found["called_benign"] == (said == "benign").sum()
    assert found["melanomas_called_benign"] == ((said == "benign") & (test.melanoma == 1)).sum()


def test_risk_falls_with_the_coverage_and_begins_with_all(few_resamples):
    test, p = lesions()
    rows = confidence.risk_coverage(test, p, 0.5)
    assert rows[0]["error"] == pytest.approx(np.mean((p >= 0.5) != test.melanoma))
    assert rows[-1]["error"] < rows[0]["error"]
    assert rows[-1]["melanomas_missed"] < rows[0]["melanomas_missed"]


def test_a_limit_for_all_forgets_the_rare_class_and_its_own_does_not():
    rng = np.random.default_rng(4)
    y = (rng.random(3000) < 0.1).astype(int)
    p = np.where(y == 1, rng.beta(2, 2, 3000), rng.beta(1, 9, 3000))
    asked = common.parameters("confidence")
    found = confidence.coverage_over_splits(y, p, 0.9, asked)
    assert found["marginal"]["all"]["mean"] == pytest.approx(0.9, abs=0.01)
    assert found["marginal"]["melanoma"]["mean"] < 0.5
    assert found["by class"]["melanoma"]["mean"] == pytest.approx(0.9, abs=0.02)
    assert found["by class"]["not melanoma"]["mean"] == pytest.approx(0.9, abs=0.01)


def test_the_record_has_the_shipped_models_limits_and_keeps_its_promise():
    found, facts = results.committed("confidence"), predict.load_model()[1]
    assert found["layer"] == facts["guard"]["layer"]
    band = found["band"]
    assert band["one threshold at low"]["melanomas_missed"] == band["melanomas_missed"]
    assert band["one threshold at low"]["load"] == band["load"]
    assert set(found["other_images"]) == set(other_images.OTHER_IMAGES)
    for level, ways in found["conformal"].items():  # within two points
        assert abs(ways["marginal"]["all"]["mean"] - float(level)) < 0.02
        assert abs(ways["by class"]["melanoma"]["mean"] - float(level)) < 0.02
