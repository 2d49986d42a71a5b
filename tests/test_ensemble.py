"""Several trainings together: judged by hand, and what is on record."""

import numpy as np
import pandas as pd
import pytest

from experiments import ensemble
from utils import data, results


def test_two_trainings_that_err_apart_are_right_together(few_resamples):
    truth = np.array([*data.DX] * 12)
    right = np.eye(7)[np.arange(len(truth)) % 7]
    errs = np.arange(len(truth)) % 4
    wrong = np.roll(right, 1, axis=1)
    one, two = (np.where((errs == k)[:, None], 0.4 * right + 0.6 * wrong, right) for k in (0, 2))
    table = pd.DataFrame({"dx": truth, "group": np.arange(len(truth))})
    found = ensemble.judge(table, [one, two], np.ones(7))["balanced_accuracy"]
    assert [single["value"] for single in found["single"]] == pytest.approx([0.75, 0.75])
    assert found["together"]["value"] == 1
    assert found["together minus the shipped one"]["low"] > 0.1


def test_the_first_of_the_recorded_trainings_is_the_shipped_model():
    found = results.committed("ensemble")
    assert len(found["balanced_accuracy"]["single"]) == len(found["seeds"]) == 3
    seven = results.committed("seven_diagnoses")["balanced_accuracy"]["equal shares"]
    assert found["balanced_accuracy"]["single"][0] == seven
