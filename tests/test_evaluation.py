import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from utils import evaluation
from utils.data import Lesions


def scores(n=400, shift=1.5, seed=0):
    """Labels, and probabilities that tell them apart by ``shift`` standard deviations."""
    rng = np.random.default_rng(seed)
    y = (np.arange(n) % 4 == 0).astype(int)
    return y, 1 / (1 + np.exp(-(rng.normal(size=n) + shift * y - 1)))


def test_metrics_of_the_original_projects_matrix():
    y = np.repeat([0, 0, 1, 1], [167, 23, 18, 42])
    called = np.repeat([0.0, 1.0, 0.0, 1.0], [167, 23, 18, 42])
    m = evaluation.metrics(y, called, 0.5)
    assert [round(m[k], 3) for k in ("accuracy", "precision", "sensitivity", "f1")] == [
        0.836,
        0.646,
        0.700,
        0.672,
    ]


def test_constant_answer_has_undefined_precision_and_auc_one_half():
    y = np.array([0, 0, 0, 1])
    m = evaluation.metrics(y, np.full(4, 0.25), 0.5)
    assert np.isnan(m["precision"])
    assert m["accuracy"] == 0.75
    assert m["roc_auc"] == 0.5


def test_threshold_at_cost_one_has_the_best_accuracy():
    y, p = scores()
    chosen = evaluation.choose_threshold(y, p)
    best = max(accuracy_score(y, p >= t) for t in np.linspace(0, 1, 2001))
    assert accuracy_score(y, p >= chosen) >= best


def test_dearer_misses_lower_the_threshold():
    y, p = scores()
    thresholds = [evaluation.choose_threshold(y, p, cost) for cost in (0.2, 1, 10)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert evaluation.metrics(y, p, thresholds[2])["sensitivity"] > 0.9


def test_threshold_of_a_constant_answer_calls_nothing():
    y = np.array([0, 0, 0, 1])
    assert evaluation.choose_threshold(y, np.full(4, 0.25)) > 0.25


def test_interval_covers_the_true_auc_about_as_often_as_it_says():
    truth = roc_auc_score(*scores(200_000))
    covered = 0
    for seed in range(40):
        y, p = scores(200, seed=seed + 1)
        e = evaluation.evaluate("x", y, p, np.arange(200), 0.5, n_resamples=150)
        low, high = e.intervals["roc_auc"]
        covered += low <= truth <= high
    assert covered >= 33  # fewer than 33 of 40 has a chance of 1 in 200 at 95 %


def test_photographs_of_one_lesion_do_not_narrow_the_interval():
    y, p = scores(100)
    alone = evaluation.evaluate("x", y, p, np.arange(100), 0.5, n_resamples=300)
    four = [np.repeat(a, 4) for a in (y, p, np.arange(100))]
    together = evaluation.evaluate("x", *four, 0.5, n_resamples=300)
    width = [np.diff(e.intervals["roc_auc"])[0] for e in (alone, together)]
    assert width[1] == pytest.approx(width[0], rel=0.25)
    assert (together.n_images, together.n_lesions) == (400, 100)
    pretended = evaluation.evaluate("x", *four[:2], np.arange(400), 0.5, n_resamples=300)
    assert np.diff(pretended.intervals["roc_auc"])[0] < 0.7 * width[0]


def test_every_resample_has_both_labels():
    y = np.array([1] + [0] * 9)
    for rows in evaluation.resampled_lesions(y, np.arange(10), 200):
        assert set(y[rows]) == {0, 1}


def test_mean_over_seeds_gives_mean_spread_and_interval():
    y, p = scores(200)
    worse = 0.5 * p + 0.5 * scores(200, seed=9)[1][::-1]
    both = evaluation.mean_over_seeds(y, [p, worse], np.arange(200), [0.5, 0.5], 200)
    auc = [roc_auc_score(y, q) for q in (p, worse)]
    got = both["roc_auc"]
    assert got["mean"] == pytest.approx(np.mean(auc))
    assert (got["min"], got["max"]) == (min(auc), max(auc))
    assert got["low"] < got["mean"] < got["high"]


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([0, 1], [0.1], "2 labels but 1 probabilities"),
        ([0, 0], [0.1, 0.2], "both must occur"),
        ([0, 1], [0.1, np.nan], "no NaN"),
        ([0, 1], [0.1, 1.2], "between 0 and 1"),
    ],
)
def test_bad_labels_and_probabilities_are_refused(y, p, message):
    with pytest.raises(ValueError, match=message):
        evaluation.evaluate("x", y, p, y, 0.5)
    with pytest.raises(ValueError, match=message):
        evaluation.choose_threshold(y, p)


def test_wrong_cost_and_groups_are_refused():
    with pytest.raises(ValueError, match="must be positive"):
        evaluation.choose_threshold([0, 1], [0.1, 0.9], cost_of_miss=0)
    with pytest.raises(ValueError, match="3 lesion groups"):
        evaluation.evaluate("x", [0, 1], [0.1, 0.9], [1, 2, 3], 0.5)


def test_calibration_error_of_a_toy():
    y = [0, 0, 0, 1, 1, 1, 0, 1]
    p = [0.05, 0.05, 0.05, 0.05, 0.9, 0.9, 0.9, 1.0]  # 1 of 4 where it says 0.05, 3 of 4 above
    by_hand = (abs(0.25 - 0.05) * 4 + abs(0.75 - 0.925) * 4) / 8
    assert evaluation.calibration_error(y, p) == pytest.approx(by_hand)
    assert evaluation.calibration_error(y[::-1], p[::-1]) == pytest.approx(by_hand)


def test_calibration_error_of_certain_answers():
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


@pytest.mark.parametrize(
    ("y", "p", "bins", "message"),
    [
        ([0, 1], [0.1], 10, "2 labels but 1 probabilities"),
        ([], [], 10, "0 labels"),
        ([0, 2], [0.1, 0.2], 10, "Labels must be 0"),
        ([0, 1], [0.1, np.nan], 10, "no NaN"),
        ([0, 1], [0.1, 1.2], 10, "between 0 and 1"),
        ([0, 1], [0.1, 0.2], 0, "at least one bin"),
    ],
)
def test_calibration_error_refuses(y, p, bins, message):
    with pytest.raises(ValueError, match=message):
        evaluation.calibration_error(y, p, bins)


def test_colour_features_of_a_known_picture():
    image = np.zeros((1, 16, 16, 3), np.uint8)
    image[0, 4:12, 4:12] = (100, 50, 20)
    features = evaluation.colour_features(image)[0]
    assert features[:3].tolist() == [25, 12.5, 5]
    assert features[3] == pytest.approx(np.sqrt(0.25 * 0.75) * 100)
    assert features[6:].tolist() == [100, 50, 20]


def test_simple_answers_stand_beside():
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    images = rng.integers(0, 100, (80, 28, 28, 3)).astype(np.uint8)
    images[y == 1] += 80
    table = pd.DataFrame({"dx": np.where(y, "mel", "nv")})
    lesions = Lesions(images, table, "synthetic")
    answers = evaluation.simple_answers(lesions, lesions)
    assert roc_auc_score(y, answers["nine colour numbers"][0]) > 0.99
    assert set(answers["constant answer"][0]) == {0.5}
