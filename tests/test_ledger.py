import matplotlib.pyplot as plt
import pytest

from utils import ledger
from utils.evaluation import Estimate


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_RESULTS_DIR", str(tmp_path / "results"))
    yield tmp_path / "results"
    plt.close("all")


def test_a_guess_is_kept_and_compared_with_what_came_out(capsys):
    ledger.guess("01 accuracy", 0.85)
    ledger.outcome("01 accuracy", Estimate(0.76, 0.7, 0.82))
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "Kept: you predict 0.85 (01 accuracy)."
    assert out[1] == "01 accuracy: 0.76 [0.70, 0.82]; you predicted 0.85, off by 0.09."
    assert ledger.table().loc["01 accuracy"].tolist() == [0.85, 0.76, 0.7, 0.82]


def test_without_a_guess_nothing_is_said_or_drawn(capsys):
    ledger.show()
    ledger.guess("01 AUC", ...)
    ledger.outcome("01 AUC", 0.8)
    ledger.guess("02 AUC", 0.9)  # nothing came out yet
    capsys.readouterr()
    ledger.show()
    assert capsys.readouterr().out == "" and plt.get_fignums() == []
    assert ledger.table().loc["01 AUC"].isna().tolist() == [True, False, True, True]


def test_the_guesses_of_all_lessons_are_drawn_beside_what_came_out():
    for what, value in (("01 AUC", 0.8), ("02 share", 0.4), ("03 AUC", ...)):
        ledger.guess(what, value)
        ledger.outcome(what, 0.7)
    assert ledger.show() is None
    (number,) = plt.get_fignums()
    said = [ax.get_yticklabels()[0].get_text() for ax in plt.figure(number).axes]
    assert said == ["01 AUC", "02 share"]


def test_numbers_of_any_size_are_kept_and_each_has_its_own_scale(capsys):
    for what, guessed, came in (("status", 400, 413), ("gain", -0.02, 0.011), ("share", 0.3, 0.9)):
        ledger.guess(what, guessed)
        ledger.outcome(what, came)
    out = capsys.readouterr().out
    assert "you predict 400 (status)" in out and "status: 413; you predicted 400, off by 13." in out
    assert "gain: 0.011; you predicted -0.02, off by 0.031." in out
    ledger.show()
    spans = [ax.get_xlim() for ax in plt.gcf().axes]
    assert 398 < spans[0][0] < 400 and spans[2] == (-0.02, 1.02)
    assert spans[1][0] < -0.02 and spans[1][1] < 0.02


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "not nan"),
        (float("-inf"), "not -inf"),
        (10**400, "write a number"),
        (True, "not True"),
        ("high", "not 'high'"),
        (None, "not None"),
    ],
)
def test_a_guess_that_cannot_be_kept_is_said_and_stops_nothing(capsys, value, said):
    what = "02 validation pictures that training has seen, take and skip"
    ledger.guess(what, 0.5)
    ledger.guess(what, value)
    lines = capsys.readouterr().out.splitlines()
    assert said in " ".join(lines) and max(map(len, lines)) <= 90
    assert ledger.table().loc[what, "guess"] == 0.5


def test_an_outcome_of_another_run_replaces_the_last_one_whole():
    ledger.guess("a", 0.3)
    ledger.outcome("a", Estimate(0.5, 0.4, 0.6))
    ledger.outcome("a", 0.7)
    assert ledger.table().loc["a", ["guess", "value"]].tolist() == [0.3, 0.7]
    assert ledger.table().loc["a", ["low", "high"]].isna().all()


def test_what_came_from_drawn_lesions_is_called_so(capsys):
    for source, said in (("synthetic", "SYNTHETIC lesions: accuracy"), ("folder", "accuracy")):
        ledger.guess("accuracy", 0.8)
        ledger.outcome("accuracy", 0.7, source)
        assert capsys.readouterr().out.splitlines()[1].startswith(f"{said}: 0.70;")
        ledger.show()
        assert plt.gcf().axes[0].get_yticklabels()[0].get_text() == said


def test_a_percentage_is_asked_about_where_a_share_came_out(capsys):
    for came, asked in ((0.76, True), (9, False)):
        ledger.guess("a", 85)
        ledger.outcome("a", came)
        assert ("85 % is 0.85" in capsys.readouterr().out) == asked


def test_an_undefined_outcome_is_kept_as_missing(capsys):
    nan = float("nan")
    ledger.guess("a", 0.5)
    ledger.outcome("a", Estimate(nan, nan, nan))
    assert capsys.readouterr().out.splitlines()[1] == "a: undefined; you predicted 0.50."
    assert ledger.table().loc["a", ["value", "low", "high"]].isna().all()
    ledger.show()
    assert plt.get_fignums() == []


def test_a_damaged_ledger_is_said_and_left_alone(own_folder):
    own_folder.mkdir()
    (own_folder / "predictions.json").write_text("{")
    with pytest.raises(ValueError, match="damaged: delete it"):
        ledger.outcome("a", 0.5)
    assert (own_folder / "predictions.json").read_text() == "{"
