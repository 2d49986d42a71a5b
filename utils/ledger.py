"""The learner's own guesses, kept beside the results and compared with what came out.

A lesson asks for a number before the code that gives it; its last cell shows all guesses so far.
Without a guess nothing is printed or drawn."""

import json
import math
import textwrap

import pandas as pd

from utils import plots, settings


def guess(what, value):
    """Keep a guess, made before the result is seen.

    Nothing is kept while it is ``...``, nor, and then a sentence says so, if it is no number in
    [0, 1]: a guess never stops a notebook.

    Parameters
    ----------
    what : str
        What is guessed; ``outcome`` uses the same words.
    value : float
        A share or an area under a curve, in [0, 1].

    Raises
    ------
    ValueError
        If the file of guesses is damaged.
    """
    if value is ...:
        return
    try:
        value = float(value)
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value <= 1:
        _say(f"Not kept ({what}): write a share from 0 to 1, such as 0.85 for 85 %.")
        return
    _keep(what, guess=value)
    _say(f"Kept: you predict {value:.2f} ({what}).")


def outcome(what, result):
    """Keep what came out, and print it beside the guess if there is one.

    Parameters
    ----------
    what : str
        As for ``guess``.
    result : float or utils.evaluation.Estimate
        In [0, 1].

    Raises
    ------
    ValueError
        As ``guess``.
    """
    value = float(getattr(result, "value", result))
    low, high = getattr(result, "low", None), getattr(result, "high", None)
    entry = _keep(what, value=value, low=low, high=high)
    if "guess" in entry:
        off = abs(entry["guess"] - value)
        said = f"you predicted {entry['guess']:.2f}" + (
            "" if math.isnan(off) else f", off by {off:.2f}"
        )
        _say(f"{what}: {result:.2f}; {said}.")


def show():
    """Draw all guesses beside what came out; nothing where there is none.

    Raises
    ------
    ValueError
        As ``guess``.
    """
    known = table().dropna(subset=["guess", "value"])
    if len(known):
        plots.predictions(known)


def table():
    """All guesses and outcomes.

    Returns
    -------
    DataFrame
        Index: what was guessed, in the order of the lessons' runs; columns ``guess``, ``value``,
        ``low``, ``high`` (float, NaN where missing).
    """
    columns = ["guess", "value", "low", "high"]
    return pd.DataFrame.from_dict(_read(), orient="index", columns=columns, dtype=float)


def _say(text):
    # JupyterLab breaks longer lines inside a word.
    print(textwrap.fill(text, 90, break_on_hyphens=False))


def _path():
    return settings.results() / "predictions.json"


def _read():
    if not _path().exists():
        return {}
    try:
        return dict(json.loads(_path().read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"{_path()} is damaged: delete it and guess again.") from error


def _keep(what, **values):
    entries = _read()
    entries[what] = entries.get(what, {}) | values
    settings.make_folder(settings.results())
    settings.write_json(_path(), entries)
    return entries[what]
