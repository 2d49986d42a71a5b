"""The learner's own guesses, kept beside the results and compared with what came out.

A lesson asks for a number before the code that gives it; its last cell shows all guesses so far.
Without a guess nothing is printed or drawn."""

import json
import math
import textwrap
from numbers import Real

import numpy as np
import pandas as pd

from utils import plots, settings


def guess(what, value):
    """Keep a guess, made before the result is seen.

    Nothing is kept while it is ``...``, nor, and then a sentence says so, if it is no finite
    number: a guess never stops a notebook.

    Parameters
    ----------
    what : str
        What is guessed; ``outcome`` uses the same words.
    value : float
        Any finite number: a share, a gain, a factor, a status.

    Raises
    ------
    ValueError
        If the file of guesses is damaged.
    """
    if value is ...:
        return
    number = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
    try:
        kept = float(value) if number else math.nan
    except OverflowError:  # a whole number of hundreds of digits
        kept = math.nan
    if not math.isfinite(kept):
        _say(f"Not kept ({what}): write a number, such as 0.85 for 85 %, not {value!r}.")
        return
    _keep(what, guess=kept)
    _say(f"Kept: you predict {_short(kept)} ({what}).")


def outcome(what, result, source=None):
    """Keep what came out, and print it beside the guess if there is one.

    Parameters
    ----------
    what : str
        As for ``guess``.
    result : float or utils.evaluation.Estimate
    source : str, optional
        Of the lesions that it came from: what came from "synthetic" ones is called SYNTHETIC.

    Raises
    ------
    ValueError
        As ``guess``.
    """
    value = float(getattr(result, "value", result))
    low, high = getattr(result, "low", None), getattr(result, "high", None)
    entry = _keep(what, value=value, low=low, high=high, source=source)
    if "guess" in entry:
        off = abs(entry["guess"] - value)
        said = f"you predicted {_short(entry['guess'])}"
        said += "" if math.isnan(off) else f", off by {_short(off)}"
        came = f"{result:.2f}" if low is not None else _short(value)
        if abs(value) <= 1 < abs(entry["guess"]):
            said += ". If you meant a percentage: 85 % is 0.85 here"
        _say(f"{plots.title(what, source)}: {came}; {said}.")


def show():
    """Draw all guesses beside what came out; nothing where there is none.

    Raises
    ------
    ValueError
        As ``guess``.
    """
    known = table().dropna(subset=["guess", "value"])
    sources = {what: entry.get("source") for what, entry in _read().items()}
    if len(known):
        plots.predictions(known.rename(index=lambda what: plots.title(what, sources[what])))


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


def _short(value):
    """A number as people write it: a status without decimals, a share with two, a small gain."""
    if 0 < abs(value) < 0.1:
        return f"{value:.2g}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"


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
