import pytest

from utils import ledger, plots
from utils.evaluation import Estimate


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_RESULTS_DIR", str(tmp_path / "results"))
    return tmp_path / "results"


def test_a_guess_is_kept_and_compared_with_what_came_out(capsys):
    ledger.guess("01 accuracy", 0.85)
    ledger.outcome("01 accuracy", Estimate(0.76, 0.7, 0.82))
    ledger.outcome("01 AUC", 0.8)
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "Kept: you predict 0.85 (01 accuracy)."
    assert out[1] == "01 accuracy: 0.76 [0.70, 0.82]; you predicted 0.85, off by 0.09."
    assert out[2] == "01 AUC: 0.80; you made no prediction."
    table = ledger.table()
    assert table.index.tolist() == ["01 accuracy", "01 AUC"]
    assert table.loc["01 accuracy"].tolist() == [0.85, 0.76, 0.7, 0.82]
    assert table.loc["01 AUC"].isna().tolist() == [True, False, True, True]
    axes = plots.predictions(table).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == table.index.tolist()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (..., "No prediction yet"),
        (85, "a share from 0 to 1"),
        (-0.1, "Not kept"),
        (float("nan"), "Not kept"),
        ("high", "Not kept"),
        (None, "Not kept"),
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


def test_an_undefined_outcome_is_kept_as_missing(capsys):
    nan = float("nan")
    ledger.outcome("a", Estimate(nan, nan, nan))
    assert capsys.readouterr().out == "a: undefined; you made no prediction.\n"
    assert ledger.table().loc["a"].isna().all()


def test_a_damaged_ledger_is_said_and_left_alone(own_folder):
    own_folder.mkdir()
    (own_folder / "predictions.json").write_text("{")
    with pytest.raises(ValueError, match="damaged: delete it"):
        ledger.outcome("a", 0.5)
    assert (own_folder / "predictions.json").read_text() == "{"
