"""Records: JSON of what a lesson or an experiment found, with all that is needed to repeat it."""

import json
import platform
import time
from importlib.metadata import version

import numpy as np

from utils import settings, splits
from utils.evaluation import Estimate

COMMITTED = settings.ROOT / "results"  # from real lesions only
PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "pandas", "pillow")
# What the one-cell project claimed, and the confusion matrix that its README printed.
CLAIM = {"accuracy": 0.852, "precision": 0.83, "sensitivity": 0.79, "f1": 0.81}
CLAIMED_CONFUSION = np.array([[167, 23], [18, 42]])


def record(name, evaluations, lesions, probability, seed, parameters, weights, headline="roc_auc"):
    """Write what a lesson found on its test set as JSON.

    Parameters
    ----------
    name : str
        File name without ``.json``, beginning with the lesson's.
    evaluations : list of utils.evaluation.Evaluation
        The lesson's model first, then the baselines.
    lesions : utils.data.Lesions
        All three sets, with ``group`` and ``split`` in the table.
    probability : array of float, shape (n_test,)
        The model's, one each test image.
    seed : int
    parameters : dict
        What the learner could set.
    weights : str
        Where the backbone's weights come from.
    headline : str
        The metric to show first.

    Returns
    -------
    Path
        Of the file.
    """
    test = lesions.subset("test")
    findings = {
        "seed": seed,
        "weights": weights,
        "models": {e.name: _as_json(e) for e in evaluations},
        "test": {
            "image_id": test.table["image_id"].tolist(),
            "group": test.table["group"].tolist(),
            "melanoma": test.melanoma.tolist(),
            "probability": [round(float(p), 6) for p in probability],
        },
    }
    first = (headline, evaluations[0].metrics[headline])
    return keep(name, lesions.source, lesions.table, parameters, findings, first)


def _as_json(e):
    kept = vars(e) | {"confusion": e.confusion.tolist()}
    del kept["name"]
    return kept


def keep(name, source, table, parameters, findings, headline=None):
    """Write any findings of a lesson as JSON, with what is needed to repeat them.

    Parameters
    ----------
    name : str
        File name without ``.json``, beginning with the lesson's.
    source : str
        ``lesions.source``.
    table : DataFrame
        With ``image_id`` and ``split``: its fingerprint is kept.
    parameters, findings : dict
        An ``Estimate`` may stand anywhere inside.
    headline : (str, Estimate), optional
        Name and value of the number that the table at the end of a run shows.

    Returns
    -------
    Path
        Of the file.
    """
    content = {}
    if headline:
        kept = headline[1].to_json()
        kept.pop("seeds", None)
        content["headline"] = {"name": headline[0]} | kept
    content |= _origin(source, parameters, split_fingerprint=splits.fingerprint(table))
    path = settings.make_folder(settings.results()) / f"{name}.json"
    settings.write_json(path, content | findings)
    return path


def commit(name, findings, source, parameters, started, **origin):
    """Write what an experiment found to the committed records, ``results/NAME.json``.

    Parameters
    ----------
    name : str
    findings, parameters : dict
        An ``Estimate`` may stand anywhere inside.
    source : str or None
        Where the lesions come from, as ``lesions.source``; None where no lesion plays a part.
    started : float
        ``time.monotonic()`` when the experiment began.
    **origin : object
        What else the numbers depend on, such as ``split_fingerprint`` and ``model_sha256``.

    Raises
    ------
    ValueError
        If the lesions are drawn.
    """
    if source == "synthetic":
        raise ValueError(
            f"results/{name}.json was not written: its lesions are drawn, and results/ holds "
            "numbers of real ones. Set HAM10K_DIR to a folder of HAM10000 (data/README.md)."
        )
    content = _origin(source, parameters, **origin) | {"seconds": time.monotonic() - started}
    settings.write_json(COMMITTED / f"{name}.json", content | findings)


def _origin(source, parameters, **more):
    """What every record begins with."""
    source = {} if source is None else {"source": source}
    return source | more | {"parameters": parameters, "versions": versions()}


def versions():
    """Versions of Python and of the packages that a result depends on, as a dict of str."""
    return {"python": platform.python_version()} | {p: version(p) for p in PACKAGES}


def committed(name):
    """What ``results/<name>.json`` holds, numbers with an interval as Estimates.

    Returns
    -------
    dict or None
        None if there is no such file.
    """
    path = COMMITTED / f"{name}.json"
    if not path.exists():
        return None
    return json.loads(path.read_text(encoding="utf-8"), object_hook=_estimate)


def _estimate(kept):
    own = {"value", "low", "high"} <= kept.keys() and "name" not in kept  # no headline
    return Estimate.from_json(kept) if own else kept
