import matplotlib
import numpy as np
import pytest

from utils import evaluation, plots, results

matplotlib.use("agg")


@pytest.fixture
def test_part():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 4 == 0
    p = np.clip(0.6 * y + 0.5 * rng.uniform(size=40), 0, 1)
    return y.astype(int), p


@pytest.fixture
def figures(test_part):
    y, p = test_part
    judged = evaluation.evaluate("MobileNetV2", y, p, np.arange(40), 0.5, n_resamples=20)
    history = {"loss": [3, 2], "val_loss": [4, 3], "auc": [0.6, 0.7], "val_auc": [0.5, 0.6]}
    images = np.zeros((40, 28, 28, 3), np.uint8)

    def draw(source):
        return {
            "curves": plots.training_curves([history, history], source),
            "confusion": plots.confusion(judged, source),
            "roc": plots.roc_and_precision_recall(y, {"MobileNetV2": p}, source),
            "samples": plots.sample_predictions(images, y, p, 0.3, source),
        }

    yield draw
    plots.plt.close("all")


def heading(figure):
    return figure.get_suptitle() or figure.axes[0].get_title()


@pytest.mark.parametrize("kind", ["curves", "confusion", "roc", "samples"])
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


def test_confusion_shows_all_four_counts(figures, test_part):
    y, p = test_part
    shown = [int(text.get_text()) for text in figures("folder")["confusion"].axes[0].texts]
    assert shown == [
        int(((y == truth) & ((p >= 0.5) == said)).sum()) for truth in (0, 1) for said in (0, 1)
    ]


def test_sample_predictions_disclaim_and_mark_what_is_wrong(figures, test_part):
    y, p = test_part
    figure = figures("folder")["samples"]
    assert plots.DISCLAIMER in heading(figure)
    wrong = ["WRONG" in ax.get_title() for ax in figure.axes]
    assert wrong == [bool((p[i] >= 0.3) != y[i]) for i in range(10)] and any(wrong)


def test_saved_figures_are_small(figures, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_RESULTS_DIR", str(tmp_path))
    for name, figure in figures("folder").items():
        results.save_figure(figure, name)
        assert 1000 < (tmp_path / f"{name}.png").stat().st_size < 100_000
