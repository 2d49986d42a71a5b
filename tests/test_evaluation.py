"""Metrics, thresholds, intervals and baselines."""

import json
import math
from functools import partial

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from utils import evaluation
from utils.evaluation import Estimate


def scores(n=400, shift=1.5, seed=0):
    """Labels, and probabilities that tell them apart by ``shift`` standard deviations."""
    rng = np.random.default_rng(seed)
    y = (np.arange(n) % 4 == 0).astype(int)
    return y, 1 / (1 + np.exp(-(rng.normal(size=n) + shift * y - 1)))


def separation(y, p):
    return p[y == 1].mean() - p[y == 0].mean()


# --- a number with its interval ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimate", "form", "text"),
    [
        (Estimate(0.8749, 0.8149, 0.9249), ".2f", "0.87 [0.81, 0.92]"),
        (Estimate(0.8749, 0.8149, 0.9249), "", "0.875 [0.815, 0.925]"),
        (Estimate(0.0123, -0.01, 0.03, (0.01, 0.02)), "+.3f", "+0.012 [-0.010, +0.030]"),
        (Estimate(0.876, 0.8, 0.9), ".0%", "88% [80%, 90%]"),
        (Estimate(math.nan, math.nan, math.nan), ".2f", "undefined"),
        (Estimate(math.nan, 0.1, 0.2), "", "undefined"),
    ],
)
def test_an_estimate_formats_itself(estimate, form, text):
    assert format(estimate, form) == text
    if not form:
        assert f"{estimate}" == str(estimate) == text


def test_an_estimate_becomes_strict_json_and_comes_back():
    several = Estimate(np.float64(0.5), 0.25, 0.75, (0.25, math.nan, 0.75))
    kept = json.dumps(several.to_json(), allow_nan=False)
    assert kept == '{"value": 0.5, "low": 0.25, "high": 0.75, "seeds": [0.25, null, 0.75]}'
    assert repr(Estimate.from_json(json.loads(kept))) == repr(several).replace(
        "np.float64(0.5)", "0.5"
    )
    one = Estimate(0.5, 0.25, 0.75)
    assert one.to_json() == {"value": 0.5, "low": 0.25, "high": 0.75}
    assert Estimate.from_json(one.to_json()) == one
    undefined = Estimate(math.nan, math.nan, math.nan)
    assert undefined.to_json() == {"value": None, "low": None, "high": None}
    assert repr(Estimate.from_json(undefined.to_json())) == repr(undefined)


def test_any_measure_of_one_training_is_estimated():
    y, p = scores(80)
    e = evaluation.estimate(separation, y, p, np.arange(80), n_resamples=100)
    assert e.value == separation(y, p) and e.seeds == ()
    assert e.low < e.value < e.high
    # What no sample changes has no uncertainty.
    same = evaluation.estimate(lambda y, p: p.mean(), y, np.full(80, 0.3), np.arange(80), 50)
    assert (same.value, same.low, same.high) == pytest.approx((0.3, 0.3, 0.3))


def test_trainings_of_one_recipe_are_averaged_and_kept():
    y, p = scores(80)
    e = evaluation.estimate(separation, y, [p, 0.5 * p], np.arange(80), n_resamples=100)
    one = evaluation.estimate(separation, y, p, np.arange(80), n_resamples=100)
    assert e.seeds == pytest.approx((one.value, one.value / 2))
    # The mean of both is 3/4 of the first in every sample.
    assert (e.value, e.low, e.high) == pytest.approx(
        (0.75 * one.value, 0.75 * one.low, 0.75 * one.high)
    )


def test_a_difference_is_paired():
    y, p = scores(80)
    groups = np.arange(80)
    measure = lambda y, p: p.mean()  # noqa: E731
    alone = evaluation.estimate(measure, y, p, groups, 100)
    # The same amount on every image, so the same in every sample, however uncertain both are.
    d = evaluation.difference(measure, y, p + 0.1, p, groups, 100)
    assert (d.value, d.low, d.high) == pytest.approx((0.1, 0.1, 0.1)) and d.seeds == ()
    assert alone.high - alone.low > 0.05


def test_trainings_are_paired_row_by_row_or_with_a_single_one():
    y = np.array([0, 1, 0, 1])
    a, b = [[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]], [[0.1] * 4, [0.2] * 4]
    measure = lambda y, p: p.mean()  # noqa: E731
    paired = evaluation.difference(measure, y, a, b, y, n_resamples=20)
    assert paired.seeds == pytest.approx((0.15, 0.45)) and paired.value == pytest.approx(0.3)
    single = evaluation.difference(measure, y, a, b[0], y, n_resamples=20)
    assert single.seeds == pytest.approx((0.15, 0.55)) and single.value == pytest.approx(0.35)
    with pytest.raises(ValueError, match="2 trainings cannot be paired with 3"):
        evaluation.difference(measure, y, a, [b[0]] * 3, y)


@pytest.mark.slow
def test_interval_covers_the_true_auc_about_as_often_as_it_says():
    truth = roc_auc_score(*scores(200_000))
    covered = 0
    for seed in range(40):
        y, p = scores(200, seed=seed + 1)
        e = evaluation.estimate(evaluation.roc_auc, y, p, np.arange(200), n_resamples=100)
        covered += e.low <= truth <= e.high
    assert covered >= 33  # fewer than 33 of 40 has a chance of 1 in 200 at 95 %


@pytest.mark.slow
def test_interval_of_a_difference_covers_the_truth_about_as_often_as_it_says():
    def two_models(n, seed):
        y, p = scores(n, seed=seed)
        noise = np.random.default_rng(seed + 10_000).normal(size=n)
        return y, p, 1 / (1 + np.exp(-(np.log(p / (1 - p)) + noise)))

    y, a, b = two_models(400_000, 0)
    truth, covered, excluded = separation(y, a) - separation(y, b), 0, 0
    for seed in range(1, 101):
        y, a, b = two_models(200, seed)
        d = evaluation.difference(separation, y, a, b, np.arange(200), n_resamples=150)
        covered += d.low <= truth <= d.high
        excluded += not d.low <= truth + 0.08 <= d.high
    assert covered >= 88  # fewer than 88 of 100 has a chance of 1 in 250 at 95 %
    assert excluded > 50  # and what is not the truth is not covered


def test_photographs_of_one_lesion_do_not_narrow_the_interval():
    y, p = scores(100)
    four = [np.repeat(a, 4) for a in (y, p, np.arange(100))]

    def width(*of):
        e = evaluation.estimate(separation, *of, n_resamples=300)
        return e.high - e.low

    alone = width(y, p, np.arange(100))
    assert width(*four) == pytest.approx(alone, rel=0.25)
    assert width(*four[:2], np.arange(400)) < 0.7 * alone  # pretended to be 400 lesions
    together = evaluation.evaluate("x", *four, 0.5, n_resamples=2)
    assert (together.n_images, together.n_lesions) == (400, 100)


def test_every_resample_has_both_labels_and_whole_lesions():
    y, groups = np.array([1, 1] + [0] * 8), np.array([0, 0, 1, 2, 3, 4, 5, 6, 7, 8])
    for rows in evaluation.resampled_lesions(y, groups, 200):
        assert set(y[rows]) == {0, 1}
        assert (rows == 0).sum() == (rows == 1).sum()


def test_one_label_alone_cannot_be_resampled():
    with pytest.raises(ValueError, match="Both labels must occur"):
        next(evaluation.resampled_lesions(np.zeros(5), np.arange(5)))


# --- metrics -------------------------------------------------------------------------------------


def test_metrics_of_the_original_projects_matrix():
    y = np.repeat([0, 0, 1, 1], [167, 23, 18, 42])
    called = np.repeat([0.0, 1.0, 0.0, 1.0], [167, 23, 18, 42])
    m = evaluation.metrics(y, called, 0.5)
    found = [round(m[k], 3) for k in ("accuracy", "precision", "sensitivity", "f1")]
    assert found == [0.836, 0.646, 0.700, 0.672]
    e = evaluation.evaluate("x", y, called, np.arange(250), 0.5, n_resamples=20)
    assert e.confusion.tolist() == [[167, 23], [18, 42]]
    assert round(e.metrics["specificity"].value, 3) == 0.879  # 167 of 190


def test_majority_class_has_undefined_precision_and_auc_one_half():
    y = np.array([0, 0, 0, 1])
    m = evaluation.metrics(y, np.full(4, 0.25), 0.5)
    assert np.isnan(m["precision"])
    assert m["accuracy"] == 0.75
    assert m["roc_auc"] == 0.5
    e = evaluation.evaluate("x", y, np.full(4, 0.25), y, 0.5, n_resamples=20)
    assert f"{e.metrics['precision']}" == "undefined"


def test_sensitivity_at_specificity_by_hand():
    benign = [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95]
    y = [0] * 10 + [1] * 4
    p = [*benign, 0.2, 0.86, 0.9, 0.97]
    # One false alarm of ten is allowed: above 0.85 there are three of the four melanomas.
    assert evaluation.sensitivity_at_specificity(y, p) == 0.75
    assert evaluation.sensitivity_at_specificity(y, p, 1.0) == 0.25
    assert evaluation.sensitivity_at_specificity(y, p, 0.8) == 0.75
    assert evaluation.sensitivity_at_specificity(y, p, 0.0) == 1.0


def test_ranking_by_hand():
    y = np.array([0, 0, 1, 1])
    first, second = [0.1, 0.4, 0.35, 0.8], [0.1, 0.2, 0.3, 0.4]
    found = evaluation.ranking(y, [first, second], np.arange(4), n_resamples=20)
    # First: 3 of 4 pairs in order; precision 1 at recall 1/2, 2/3 at recall 1.
    expected = {
        "roc_auc": (0.75, 1.0),
        "average_precision": (0.5 * 1 + 0.5 * 2 / 3, 1.0),
        "sensitivity_at_specificity_90": (0.5, 1.0),
    }
    assert found.keys() == expected.keys()
    for name, seeds in expected.items():
        assert found[name].seeds == pytest.approx(seeds), name
        assert found[name].value == pytest.approx(sum(seeds) / 2), name


def test_seeds_are_averaged_each_at_its_own_threshold():
    y, p = np.array([0, 0, 1, 1]), [[0.1, 0.6, 0.7, 0.8], [0.1, 0.2, 0.3, 0.4]]
    found = evaluation.evaluate_seeds(y, p, np.arange(4), [0.5, 0.35], n_resamples=50)
    assert found.keys() == set(evaluation.METRICS)
    assert found["sensitivity"].seeds == (1.0, 0.5) and found["sensitivity"].value == 0.75
    assert found["specificity"].seeds == (0.5, 1.0) and found["specificity"].value == 0.75
    assert found["accuracy"].low < 0.75 < found["accuracy"].high
    with pytest.raises(ValueError):
        evaluation.evaluate_seeds(y, p, np.arange(4), [0.5])


def test_a_table_has_a_row_a_metric_and_a_column_a_model():
    def judged(name, value):
        metrics = {m: Estimate(value, value - 0.1, value + 0.1) for m in evaluation.METRICS}
        metrics["precision"] = Estimate(math.nan, math.nan, math.nan)
        return evaluation.Evaluation(name, metrics, np.zeros((2, 2), int), 0.5, 4, 4)

    table = evaluation.as_table([judged("net", 0.75), judged("colours", 0.5)])
    assert table.to_csv().splitlines() == [
        "95 % interval by lesion,net,colours",
        '''accuracy,"0.750 [0.650, 0.850]","0.500 [0.400, 0.600]"''',
        "precision,undefined,undefined",
        '''sensitivity,"0.750 [0.650, 0.850]","0.500 [0.400, 0.600]"''',
        '''specificity,"0.750 [0.650, 0.850]","0.500 [0.400, 0.600]"''',
        '''f1,"0.750 [0.650, 0.850]","0.500 [0.400, 0.600]"''',
        '''roc_auc,"0.750 [0.650, 0.850]","0.500 [0.400, 0.600]"''',
        '''average_precision,"0.750 [0.650, 0.850]","0.500 [0.400, 0.600]"''',
    ]


# --- the threshold -------------------------------------------------------------------------------


def test_threshold_by_hand():
    y, p = [0, 1, 0, 1], [0.125, 0.375, 0.625, 0.875]
    # One error at 0.25 (an alarm) and at 0.75 (a miss): of equally cheap ones the lowest.
    assert evaluation.choose_threshold(y, p) == 0.25
    assert evaluation.choose_threshold(y, p, 0.5) == 0.75
    assert evaluation.choose_threshold([1, 1, 0, 0], p, 3) == 0.125  # everything
    assert evaluation.choose_threshold([1, 0, 0, 0], p, 1) == 1.0  # nothing
    assert evaluation.choose_threshold([0, 0, 0, 1], [0.25] * 4) > 0.25  # as the majority class


def test_threshold_is_the_cheapest_of_all_that_differ():
    rng = np.random.default_rng(0)
    for digits, cost in ((1, 1), (2, 5.0), (16, 0.2)) * 20:
        y = np.r_[0, 1, rng.integers(0, 2, 28)]
        p = rng.random(30).round(digits)
        steps = np.unique(p)
        candidates = [steps[0], *(steps[1:] + steps[:-1]) / 2, 1.0 if steps[-1] < 1 else 2.0]
        costs = [cost * (y & (p < t)).sum() + ((1 - y) & (p >= t)).sum() for t in candidates]
        expected = candidates[int(np.argmin(costs))]
        chosen = evaluation.choose_threshold(y, p, cost)
        assert chosen == expected or (expected == 2 and not (p >= chosen).any())


def test_nothing_can_be_called_where_a_probability_is_one():
    p = np.array([1.0, 1.0, 1.0, 0.2], np.float32)
    chosen = evaluation.choose_threshold([0, 0, 0, 1], p)
    assert not (p >= chosen).any() and not (p.astype(float) >= chosen).any()
    assert chosen == pytest.approx(1)


def test_threshold_tells_neighbours_in_single_precision_apart():
    p = np.array([0.5, np.nextafter(np.float32(0.5), np.float32(1))], np.float32)
    assert (p >= evaluation.choose_threshold([0, 1], p)).tolist() == [False, True]


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([0, 1], [0.1], "2 labels but 1 probabilities"),
        ([0, 0], [0.1, 0.2], "both must occur"),
        ([0, 2], [0.1, 0.2], "must be 0"),
        ([0, 1], [0.1, np.nan], "no NaN"),
        ([0, 1], [0.1, 1.2], "between 0 and 1"),
    ],
)
def test_bad_labels_and_probabilities_are_refused(y, p, message):
    with pytest.raises(ValueError, match=message):
        evaluation.evaluate("x", y, p, y, 0.5)
    with pytest.raises(ValueError, match=message):
        evaluation.evaluate_seeds(y, [p], y, [0.5])
    with pytest.raises(ValueError, match=message):
        evaluation.choose_threshold(y, p)
    if "both" not in message:
        with pytest.raises(ValueError, match=message):
            evaluation.calibration_error(y, p)
    if "between" not in message:  # an estimate may be of any score
        with pytest.raises(ValueError, match=message):
            evaluation.estimate(roc_auc_score, y, p, y)
        with pytest.raises(ValueError, match=message):
            evaluation.difference(roc_auc_score, y, np.full(len(y), 0.5), p, y)


def test_wrong_cost_and_groups_are_refused():
    with pytest.raises(ValueError, match="must be positive"):
        evaluation.choose_threshold([0, 1], [0.1, 0.9], cost_of_miss=0)
    with pytest.raises(ValueError, match="3 lesion groups"):
        evaluation.evaluate("x", [0, 1], [0.1, 0.9], [1, 2, 3], 0.5)


# --- calibration ---------------------------------------------------------------------------------


def test_slope_and_intercept_find_what_was_done_to_perfect_probabilities():
    rng = np.random.default_rng(0)
    p = expit(rng.normal(-1, 1.5, 40_000))
    y = (rng.random(len(p)) < p).astype(int)
    assert evaluation.calibration_slope(y, p) == pytest.approx(1, abs=0.04)
    assert evaluation.calibration_intercept(y, p) == pytest.approx(0, abs=0.04)
    assert evaluation.calibration_slope(y, expit(2 * logit(p))) == pytest.approx(0.5, abs=0.02)
    assert evaluation.calibration_intercept(y, expit(logit(p) + 1)) == pytest.approx(-1, abs=0.04)
    assert np.isfinite(evaluation.calibration_slope([0, 1, 0, 1], [0.0, 1.0, 0.4, 0.3]))


def test_a_share_of_all_or_none_has_an_exact_interval_by_lesion():
    y, groups = np.r_[np.zeros(40), np.ones(10)], np.r_[np.arange(40), 100 + np.arange(10) // 2]
    found = evaluation.evaluate("", y, y * 1.0, groups, 0.5, n_resamples=20).metrics
    assert found["sensitivity"].low == pytest.approx(0.025 ** (1 / 5))  # five lesions, ten images
    assert found["specificity"].low == pytest.approx(0.025 ** (1 / 40))
    none = evaluation.evaluate("", y, 0 * y, groups, 0.5, n_resamples=20).metrics["sensitivity"]
    assert none.low == 0 and none.high == pytest.approx(1 - 0.025 ** (1 / 5))


def test_calibration_error_of_a_toy():
    y = [0, 0, 0, 1, 1, 1, 0, 1]
    p = [0.05, 0.05, 0.05, 0.05, 0.9, 0.9, 0.9, 1.0]  # 1 of 4 where it says 0.05, 3 of 4 above
    by_hand = (abs(0.25 - 0.05) * 4 + abs(0.75 - 0.925) * 4) / 8
    assert evaluation.calibration_error(y, p) == pytest.approx(by_hand)
    assert evaluation.calibration_error(y[::-1], p[::-1]) == pytest.approx(by_hand)
    assert evaluation.calibration_error([0, 1], [0.0, 1.0]) == 0
    assert evaluation.calibration_error([0, 1], [1.0, 0.0]) == 1
    assert evaluation.calibration_error([0, 0], [0.3, 0.3]) == pytest.approx(0.3)


def test_chance_makes_the_calibration_error_of_a_perfect_model_positive_and_shrinks_with_n():
    rng = np.random.default_rng(0)
    error = {}
    for n in (100, 10_000):
        p = rng.random(n)
        error[n] = evaluation.calibration_error(rng.random(n) < p, p)
    assert error[100] > 0.03 and error[10_000] < 0.02


def test_calibration_error_refuses_nothing_and_no_bins():
    with pytest.raises(ValueError, match="0 labels"):
        evaluation.calibration_error([], [])
    with pytest.raises(ValueError, match="at least one bin"):
        evaluation.calibration_error([0, 1], [0.1, 0.2], 0)


def test_roc_auc_is_scikit_learns_also_with_ties():
    rng = np.random.default_rng(0)
    for n in (2, 50, 51):
        y = rng.permutation(np.arange(n) % 2)
        for p in (rng.random(n), rng.integers(0, 4, n) / 4, np.full(n, 0.3)):
            assert evaluation.roc_auc(y, p) == pytest.approx(roc_auc_score(y, p), abs=1e-12)
    groups = np.arange(51)
    both = [evaluation.estimate(f, y, p, groups, 20) for f in (roc_auc_score, evaluation.roc_auc)]
    assert both[0] == both[1]


# --- seven diagnoses


def test_diagnoses_are_estimated_and_compared_in_pairs():
    """200 lesions: one model errs on every tenth image, the other also on every rare lesion."""
    truth = np.array((["nv"] * 6 + ["mel"] * 3 + ["df"]) * 20)
    groups = np.arange(200)
    good = np.where(groups % 7 == 0, "bkl", truth)
    poor = np.where(truth == "df", "nv", good)
    estimate = partial(evaluation.estimate_diagnoses, balanced_accuracy_score, n_resamples=100)
    found = estimate(truth, good, groups)
    shares = [(good[truth == dx] == dx).mean() for dx in ("nv", "mel", "df")]
    assert found.value == pytest.approx(np.mean(shares))
    assert found.low < found.value < found.high
    gain = estimate(truth, good, groups, minus=poor)
    assert gain.value == pytest.approx(shares[2] / 3)
    same = estimate(truth, good, groups, minus=good)
    assert (same.value, same.low, same.high) == (0, 0, 0)  # paired: the same images in each sample
    with pytest.raises(ValueError, match="200 true diagnoses but 200, 199 called"):
        estimate(truth, good, groups, minus=poor[:-1])


def test_a_diagnosis_that_a_sample_lacks_is_left_out(recwarn):
    truth = np.array(["nv"] * 10 + ["mel"] * 10 + ["df"])
    found = evaluation.estimate_diagnoses(
        balanced_accuracy_score, truth, truth, np.arange(21), n_resamples=50
    )
    assert (found.value, found.low, found.high) == (1, 1, 1) and not recwarn.list
