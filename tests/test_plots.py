"""Figures show what they are given, and say where it comes from."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

from utils import evaluation, plots, results
from utils.evaluation import Estimate

matplotlib.use("agg")


RUNGS = {
    "head": Estimate(0.8, 0.75, 0.85, (0.79, 0.81)),
    "all layers": Estimate(0.9, 0.88, 0.92),
}


@pytest.fixture
def test_set():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 4 == 0
    p = np.clip(0.6 * y + 0.5 * rng.uniform(size=40), 0, 1)
    return y.astype(int), p


@pytest.fixture
def figures(test_set):
    y, p = test_set
    judged = evaluation.evaluate("MobileNetV2", y, p, np.arange(40), 0.5, n_resamples=20)
    history = {"loss": [3, 2], "val_loss": [4, 3], "auc": [0.6, 0.7], "val_auc": [0.5, 0.6]}
    images = np.zeros((40, 28, 28, 3), np.uint8)

    def draw(source):
        return {
            "curves": plots.training_curves([history, history], source),
            "confusion": plots.confusion(judged, source),
            "roc": plots.roc_and_precision_recall(y, {"MobileNetV2": p}, source),
            "samples": plots.sample_predictions(images, y, p, 0.3, source),
            "ladder": plots.ladder(RUNGS, {"colour baseline": 0.81, "majority class": 0.5}, source),
        }

    yield draw
    plots.plt.close("all")


def heading(figure):
    return figure.get_suptitle() or figure.axes[0].get_title()


@pytest.mark.parametrize("kind", ["curves", "confusion", "roc", "samples", "ladder"])
def test_synthetic_is_said_in_the_title_and_only_then(figures, kind):
    assert heading(figures("synthetic")[kind]).startswith("SYNTHETIC")
    assert "SYNTHETIC" not in heading(figures("folder")[kind])


def test_curves_show_the_given_values_over_all_stages(figures):
    loss, auc = figures("folder")["curves"].axes
    assert [line.get_ydata()[:4].tolist() for line in loss.lines[:2]] == [
        [3, 2, 3, 2],
        [4, 3, 4, 3],
    ]
    assert loss.get_xlabel() and loss.get_ylabel() and auc.get_ylabel()


def test_confusion_shows_all_four_counts(figures, test_set):
    y, p = test_set
    shown = [
        int(text.get_text().split("\n")[0]) for text in figures("folder")["confusion"].axes[0].texts
    ]
    assert shown == [
        int(((y == truth) & ((p >= 0.5) == said)).sum()) for truth in (0, 1) for said in (0, 1)
    ]


def test_sample_predictions_disclaim_and_mark_what_is_wrong(figures, test_set):
    y, p = test_set
    figure = figures("folder")["samples"]
    assert plots.DISCLAIMER in heading(figure)
    wrong = ["WRONG" in ax.get_title() for ax in figure.axes]
    assert wrong == [bool((p[i] >= 0.3) != y[i]) for i in range(10)] and any(wrong)


def test_the_ladder_shows_each_rung_with_interval_and_seeds_and_the_baselines(figures):
    figure = figures("folder")["ladder"]
    (ax,) = figure.axes
    drawn = [(line.get_xdata(), line.get_ydata()) for line in ax.lines]
    drawn = [(list(np.atleast_1d(x)), list(np.atleast_1d(y))) for x, y in drawn]
    assert drawn == [
        ([0.75, 0.85], [0, 0]),
        ([0.79, 0.81], [0, 0]),
        ([0.8], [0]),
        ([0.88, 0.92], [1, 1]),
        ([], []),
        ([0.9], [1]),
        ([0.81, 0.81], [0, 1]),  # the baselines, over the whole height
        ([0.5, 0.5], [0, 1]),
    ]
    assert [text.get_text() for text in ax.texts] == ["0.800", "0.900"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["head", "all layers"]
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["colour baseline, 0.810", "majority class, 0.500"]


def test_guesses_stand_beside_outcomes():
    table = pd.DataFrame(
        {"guess": [0.9, np.nan], "value": [0.8, 0.6], "low": [0.7, 0.5], "high": [0.85, 0.7]},
        index=["accuracy", "AUC"],
    )
    (ax,) = plots.predictions(table).axes
    outcome, guess = ax.lines
    assert outcome.get_xdata().tolist() == [0.8, 0.6] and guess.get_xdata()[0] == 0.9
    assert np.isnan(guess.get_xdata()[1])
    intervals = [[tuple(end) for end in line] for line in ax.collections[0].get_segments()]
    assert intervals == [[(0.7, 0), (0.85, 0)], [(0.5, 1), (0.7, 1)]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["accuracy", "AUC"]
    plots.plt.close("all")


def test_saved_figures_are_small(figures, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_RESULTS_DIR", str(tmp_path))
    for name, figure in figures("folder").items():
        results.save_figure(figure, name)
        assert 1000 < (tmp_path / f"{name}.png").stat().st_size < 100_000
