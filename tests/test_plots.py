"""Figures show what they are given, and say where it comes from."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

from utils import diagrams, plots
from utils.evaluation import Estimate

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    plots.plt.close("all")


def heading(figure):
    return figure.get_suptitle() or figure.axes[0].get_title()


def test_a_gallery_shows_each_image_below_its_title_and_nothing_else():
    images = [np.full((4, 4, 3), shade, np.uint8) for shade in range(7)]
    figure = plots.gallery(images, list("ABCDEFG"), "Seven lesions")
    assert heading(figure) == "Seven lesions" and len(figure.axes) == 10
    shown = [(ax.get_title(), int(i.get_array().max())) for ax in figure.axes for i in ax.images]
    assert shown == list(zip("ABCDEFG", range(7), strict=True))
    assert not any(ax.axison for ax in figure.axes)


def test_one_style_holds_for_every_figure_and_the_two_kinds_have_colours_of_their_own():
    assert {name: plots.plt.rcParams[name] for name in plots.STYLE} == plots.STYLE
    assert (
        min(
            size
            for name, size in plots.STYLE.items()
            if name.endswith("size") and name != "figure.figsize"
        )
        >= 9
    )
    figure, ax = plots.plt.subplots()
    ax.plot([0, 1])
    assert figure.get_layout_engine() is not None and figure.get_figwidth() <= 8
    assert ax.lines[0].get_color() == plots.PALETTE[0]
    assert {plots.MELANOMA, plots.OTHER} < set(plots.PALETTE)
    assert diagrams.RED == plots.MELANOMA and diagrams.BLUE == plots.OTHER


def test_the_ladder_shows_each_gain_with_its_interval_and_the_auc_reached():
    gains = {"layers": Estimate(0.02, 0.01, 0.03), "views": Estimate(0.0, -0.01, 0.01)}
    aucs = {name: Estimate(auc, 0, 1) for name, auc in (("layers", 0.8), ("views", 0.9))}
    (ax,) = plots.ladder(aucs, gains).axes
    drawn = [(np.atleast_1d(line.get_xdata()).tolist(), line.get_color()) for line in ax.lines]
    clear, unclear = plots.PALETTE[0], "#777777"
    assert drawn[:4] == [
        ([0.01, 0.03], clear),
        ([0.02], clear),
        ([-0.01, 0.01], unclear),
        ([0.0], unclear),
    ]
    assert [text.get_text() for text in ax.texts] == ["AUC 0.800", "AUC 0.900"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["layers", "views"]


def test_aucs_stand_at_their_number_of_melanomas():
    aucs = [Estimate(0.8, 0.75, 0.85), Estimate(0.9, 0.85, 0.95)]
    (ax,) = plots.auc_by_melanomas([60, 600], [600, 6000], aucs, "").axes
    drawn = [np.atleast_1d(line.get_xdata()).tolist() for line in ax.lines]
    assert drawn == [[60, 60], [60], [600, 600], [600]]
    assert ax.texts[1].get_text() == "6,000 images,\n600 melanoma lesions:\nAUC 0.900"


def test_guesses_stand_beside_outcomes():
    table = pd.DataFrame(
        {"guess": [0.9, np.nan], "value": [0.8, 0.6], "low": [0.7, 0.5], "high": [0.85, 0.7]},
        index=["accuracy", "AUC"],
    )
    axes = plots.predictions(table).axes
    drawn = [[line.get_xdata()[0] for line in ax.lines] for ax in axes]
    assert drawn[0] == [0.8, 0.9] and drawn[1][0] == 0.6 and np.isnan(drawn[1][1])
    intervals = [[tuple(end) for end in ax.collections[0].get_segments()[0]] for ax in axes]
    assert intervals == [[(0.7, 0), (0.85, 0)], [(0.5, 0), (0.7, 0)]]
    assert [ax.get_yticklabels()[0].get_text() for ax in axes] == ["accuracy", "AUC"]


def test_overlays_show_each_row_of_maps_on_its_images_and_on_one_scale():
    images = np.full((2, 4, 4, 3), 7, np.uint8)
    maps = np.zeros((2, 4, 4))
    maps[0, 1, 2], maps[1, 0, 0] = 4, 1
    figure = plots.overlays(images, {"one scale": maps, "half": maps / 2}, ["a", "b"], "Look")
    above, one_scale, half = np.reshape(figure.axes, (3, 2))
    assert [ax.get_title() for ax in above] == ["a", "b"] and heading(figure) == "Look"
    assert [row[0].get_ylabel() for row in (above, one_scale, half)] == [
        "image",
        "one scale",
        "half",
    ]
    for row, top in ((one_scale, 4), (half, 2)):
        for k, ax in enumerate(row):
            image, shade = ax.images
            np.testing.assert_array_equal(image.get_array(), images[k])
            np.testing.assert_array_equal(shade.get_array(), maps[k] * top / 4)
            assert shade.get_clim() == (0, top)
    assert all(len(ax.images) == 1 for ax in above)


def test_unit_values_show_shares_of_each_state():
    units = {"before": np.zeros((4, 3)), "after": np.full(8, 6.0)}
    figure = plots.unit_values(units, "stuck at 6", "synthetic")
    for ax in figure.axes:
        assert sum(bar.get_height() for bar in ax.patches) == pytest.approx(1)
    assert heading(figure) == "SYNTHETIC lesions: stuck at 6"


def test_intervals_stand_in_rows_from_the_top():
    first, second = Estimate(0.9, 0.8, 0.95), Estimate(0.6, 0.5, 0.7)
    found = {"network": [first, second], "colours": [second, second]}
    (ax,) = plots.intervals(found, ["home", "elsewhere"], "It falls", "AUC", 0.5).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["home", "elsewhere"]
    assert ax.get_yticks()[0] > ax.get_yticks()[1]
    network, colours = ax.containers
    assert network[0].get_xdata().tolist() == [0.9, 0.6]
    assert network[0].get_ydata()[0] > colours[0].get_ydata()[0]
    (low, _), (high, _) = network[2][0].get_segments()[0]
    assert (low, high) == pytest.approx((0.8, 0.95))


def test_width_and_resolution_has_a_line_for_each_width_and_names_each_input():
    grid = pd.DataFrame(
        {
            "width": [0.35, 0.35, 1.0],
            "input": [32, 96, 96],
            "MACs": [1e6, 1e7, 5e7],
            "auc": [0.8, 0.84, 0.81],
            "low": [0.78, 0.82, 0.79],
            "high": [0.82, 0.86, 0.83],
        }
    )
    (ax,) = plots.width_and_resolution(grid, 0.83).axes
    assert [text.get_text() for text in ax.texts] == ["32 px", "96 px", "96 px"]
    labels = {text.get_text() for text in ax.get_legend().get_texts()}
    assert labels == {"width 0.35", "width 1.0", "colour baseline"}
