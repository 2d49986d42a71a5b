import pytest

from utils import ledger, plots


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_RESULTS_DIR", str(tmp_path))
    return tmp_path


def test_a_guess_is_kept_and_compared_with_what_came_out(capsys):
    ledger.predict("01 accuracy", 0.85)
    ledger.outcome("01 accuracy", 0.76, 0.7, 0.82)
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
    ("guess", "said"),
    [
        (..., "No prediction yet"),
        (85, "a share from 0 to 1"),
        (-0.1, "Not kept"),
        (float("nan"), "Not kept"),
        ("high", "Not kept"),
        (None, "Not kept"),
    ],
)
def test_a_guess_that_cannot_be_kept_is_said_and_stops_nothing(capsys, guess, said):
    ledger.predict("a", 0.5)
    ledger.predict("a", guess)
    assert said in capsys.readouterr().out
    assert ledger.table().loc["a", "guess"] == 0.5


def test_a_damaged_ledger_is_said_and_left_alone(own_folder):
    (own_folder / "predictions.json").write_text("{")
    with pytest.raises(ValueError, match="damaged: delete it"):
        ledger.outcome("a", 0.5)
    assert (own_folder / "predictions.json").read_text() == "{"
