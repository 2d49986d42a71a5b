"""The learner's own predictions, kept beside the results and compared with what came out.

Every lesson asks for a number before the code that gives it; lesson 05 draws them all."""

import json
import math

import pandas as pd

from utils import results


def predict(what, guess):
    """Keep a guess, made before the result is seen.

    Nothing is kept, and a sentence says so, while the guess is ``...`` or is no number in [0, 1]:
    a prediction never stops a notebook.

    Parameters
    ----------
    what : str
        What is predicted; ``outcome`` uses the same words.
    guess : float
        A share or an area under a curve, in [0, 1].
    """
    if guess is ...:
        print(
            f"No prediction yet ({what}): replace the ... by a number from 0 to 1, or just go on."
        )
        return
    try:
        guess = float(guess)
    except (TypeError, ValueError):
        guess = math.nan
    if not 0 <= guess <= 1:
        print(f"Not kept ({what}): write a share from 0 to 1, such as 0.85 for 85 %.")
        return
    _keep(what, guess=guess)
    print(f"Kept: you predict {guess:.2f} ({what}).")


def outcome(what, value, low=None, high=None):
    """Keep what came out, and print it beside the guess.

    Parameters
    ----------
    what : str
        As for ``predict``.
    value : float
        In [0, 1].
    low, high : float, optional
        Its 95 % interval.
    """
    entry = _keep(what, value=value, low=low, high=high)
    interval = "" if low is None else f" [{low:.2f}, {high:.2f}]"
    guess = "you made no prediction"
    if "guess" in entry:
        guess = f"you predicted {entry['guess']:.2f}, off by {abs(entry['guess'] - value):.2f}"
    print(f"{what}: {value:.2f}{interval}; {guess}.")


def table():
    """All predictions and outcomes.

    Returns
    -------
    DataFrame
        Index: what was predicted, in the order of the lessons' runs; columns ``guess``, ``value``,
        ``low``, ``high`` (float, NaN where missing).
    """
    columns = ["guess", "value", "low", "high"]
    return pd.DataFrame.from_dict(_read(), orient="index", columns=columns, dtype=float)


def _path():
    return results.folder() / "predictions.json"


def _read():
    """Entries by what they predict.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    if not _path().exists():
        return {}
    try:
        return dict(json.loads(_path().read_text()))
    except ValueError as error:
        raise ValueError(f"{_path()} is damaged: delete it and predict again.") from error


def _keep(what, **values):
    entries = _read()
    new = {k: float(v) for k, v in values.items() if v is not None}
    entries[what] = entries.get(what, {}) | new
    results.write_json(_path(), entries)
    return entries[what]
