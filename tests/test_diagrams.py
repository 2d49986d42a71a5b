from itertools import combinations

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from utils import diagrams

matplotlib.use("agg")
STAGES = ("head", "last 20 layers", "all layers")
DRAWN = [(name, ()) for name in diagrams.ALT if name != "frozen_and_trainable"]
DRAWN += [("frozen_and_trainable", (stage,)) for stage in STAGES]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def texts(figure):
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def said(figure):
    return [text.get_text() for text in texts(figure)]


@pytest.mark.parametrize(("name", "arguments"), DRAWN)
def test_diagram_fits_its_page_and_can_be_read(name, arguments):
    figure = getattr(diagrams, name)(*arguments)
    assert isinstance(figure, Figure)
    assert figure.get_figwidth() <= 8
    figure.draw_without_rendering()
    page = figure.bbox.padded(-0.08 * figure.dpi)
    boxes = {text: text.get_window_extent() for text in texts(figure)}
    assert boxes
    for text, box in boxes.items():
        assert text.get_fontsize() >= 9, text
        assert page.x0 <= box.x0 and box.x1 <= page.x1, text
        assert page.y0 <= box.y0 and box.y1 <= page.y1, text
    for (one, a), (other, b) in combinations(boxes.items(), 2):
        assert not a.overlaps(b), (one, other)


def test_every_diagram_has_an_alternative_text():
    drawn = {name for name, value in vars(diagrams).items() if hasattr(value, "__wrapped__")}
    assert set(diagrams.ALT) == drawn
    assert len(drawn) >= 14
    for name, text in diagrams.ALT.items():
        assert 80 < len(text) < 320, name
        assert text.endswith(".") and "``" not in text and "\n" not in text, name


def test_a_theme_of_the_notebook_changes_nothing():
    plain = said_with_fonts(diagrams.confusion_matrix())
    with plt.rc_context({"font.size": 20, "font.family": "monospace", "text.color": "red"}):
        assert said_with_fonts(diagrams.confusion_matrix()) == plain
        assert plt.rcParams["font.size"] == 20


def said_with_fonts(figure):
    return [
        (t.get_text(), t.get_fontsize(), t.get_fontname(), t.get_color()) for t in texts(figure)
    ]


def test_prevalence_counts_its_alarms():
    words = said(diagrams.prevalence())
    assert "216 of 368 alarms are true: 59 %" in words
    assert "54 of 242 alarms are true: 22 %" in words
    words = said(diagrams.prevalence(shares=(0.5, 0.1), sensitivity=0.8, specificity=0.9))
    assert "400 of 450 alarms are true: 89 %" in words
    assert "80 of 170 alarms are true: 47 %" in words


def test_channels_follow_their_arguments():
    assert said(diagrams.inverted_residual(channels=16, factor=4)).count("64") == 2


@pytest.mark.parametrize("stage", STAGES)
def test_frozen_and_trainable_layers_are_all_layers(stage):
    words = " ".join(said(diagrams.frozen_and_trainable(stage)))
    found = {"head": "frozen: 154", "last 20 layers": "frozen: 134", "all layers": "all 154"}
    assert found[stage] in words


def test_the_strip_has_the_shapes_of_mobilenet():
    from utils.quiet import keras

    base = keras.applications.MobileNetV2((96, 96, 3), 0.35, include_top=False, weights=None)
    shapes = {layer.output.shape[1:] for layer in base.layers}
    words = [text.split()[0].replace(",", "") for text in said(diagrams.mobilenet_strip())]
    found = [
        (int(side), int(side), int(n)) for side, n in zip(words[:14:2], words[1:14:2], strict=True)
    ]
    assert set(found) <= shapes and found[0] == (96, 96, 3) and found[-1] == (3, 3, 1280)


def test_a_higher_momentum_moves_the_averages_less():
    assert "1/1,000 of the way" in said(diagrams.batchnorm())
    assert "1/10 of the way" in said(diagrams.batchnorm(momentum=0.9))


def test_only_known_stages_can_be_drawn():
    with pytest.raises(KeyError):
        diagrams.frozen_and_trainable("tail")


def test_the_invented_models_show_what_the_figure_says():
    _, (a, b) = diagrams.resampled_aucs()
    low, high = np.quantile(a - b, (0.025, 0.975))
    assert low > 0
    assert np.quantile(b, 0.975) > a.mean() > np.quantile(b, 0.5)
    assert high - low < 0.5 * np.ptp(np.quantile(a, (0.025, 0.975)))
