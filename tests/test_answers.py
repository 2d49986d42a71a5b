"""The picture at the top of the README says what the model says, right or wrong."""

from collections import namedtuple

import pytest
from PIL import Image

from course.build import answers
from utils import lite, plots

Said = namedtuple("Said", "decision")


@pytest.mark.parametrize(
    ("decision", "counts"),
    [
        ("melanoma", "5 right, 5 wrong, 0 refused"),
        ("benign", "5 right, 5 wrong, 0 refused"),
        ("refused", "0 right, 0 wrong, 10 refused"),
    ],
)
def test_right_wrong_and_refused_are_counted_and_marked(tmp_path, monkeypatch, decision, counts):
    drawn = []
    gallery = plots.gallery
    monkeypatch.setattr(plots, "gallery", lambda *asked: drawn.append(asked) or gallery(*asked))
    monkeypatch.setattr(lite, "Shipped", lambda: lambda image: Said(decision))
    monkeypatch.setattr(answers, "PICTURE", tmp_path / "answers.png")
    answers.draw()
    ((images, titles, heading),) = drawn
    assert len(images) == len(titles) == 10 and counts in heading
    assert sum("✗" in title for title in titles) == int(counts.split(", ")[1][0])
    with Image.open(tmp_path / "answers.png") as picture:
        assert picture.width <= 900
