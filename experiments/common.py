"""What experiments share: parameters, the real images, and answers that are kept on disk."""

import os
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import joblib
import numpy as np
import yaml
from scipy.special import expit

from utils import data, digest, evaluation, models, results, settings, splits

PARAMETERS = settings.ROOT / "params.yaml"


def _all():
    return yaml.safe_load(PARAMETERS.read_text(encoding="utf-8"))


def parameters(name):
    """What params.yaml says of an experiment, as a dict."""
    return _all()[name]


@cache
def lesions(size, select=splits.full):
    """The real images of HAM10000 of one size with their split, as Lesions.

    Raises
    ------
    OSError
        If the folder of real images is not here.
    ValueError
        If it holds other images than those that the records come from.
    """
    _require_recorded("ham10000", "HAM10000")
    return data.load_lesions("folder", size, select)


@cache
def data_set(name, size):
    """Another data set, of ``data.SETS``, as ``data.load_set`` gives it.

    Raises
    ------
    OSError, ValueError
        As ``data.load_set``; also if it holds other images than those that the records come from.
    """
    _require_recorded(name, data.SETS[name].title)
    return data.load_set(name, size)


def _require_recorded(name, title):
    known, here = parameters("data")[name], data.fingerprint(name)
    if here != known:
        raise ValueError(
            f"These are other files of {title} ({here}) than those that the records come from "
            f"({known}): their numbers must not be mixed. Write {here} into params.yaml and run "
            "`python -m course refresh`, which makes all of them anew."
        )


def key(code, parameters, depends, data_sets=("ham10000",)):
    """A digest of all that an answer depends on: code, parameters, data, versions and the rest."""
    known = _all()["data"]
    here = {name: known[name] for name in data_sets}
    return digest.of([digest.of_code(*code), parameters, here, results.versions(), depends])


def kept(module, name, depends, make, data_sets=("ham10000",)):
    """An array that takes long to make, kept in runs/kept/ under all that it depends on.

    Parameters
    ----------
    module : str
        ``__name__`` of the experiment: its code and its parameters count.
    name : str
        For whoever looks at the folder.
    depends : object
        What else counts, such as a seed or the model's hash; JSON can hold it.
    make : callable
        Takes the path of a backup from which it may resume (it ends in ``.weights.h5``), and
        returns the array. The backup is removed afterwards.
    data_sets : tuple of str
        Those that it is made from, as params.yaml names them.

    Returns
    -------
    ndarray
    """
    experiment = module.removeprefix("experiments.")
    code = [Path(sys.modules[module].__file__)]
    found = key(code, _all().get(experiment.split(".")[-1]), depends, data_sets)
    folder = settings.make_folder(settings.runs() / "kept" / experiment)
    path = folder / f"{name.replace(': ', '-').replace(' ', '-')}-{found}.npy"
    if not path.exists():
        backup = path.with_suffix(".weights.h5")
        made = make(backup)
        settings.write_atomically(path, lambda p: np.save(p, made))
        backup.unlink(missing_ok=True)
    return np.load(path)


def commit(name, findings, lesions, used, started):
    """``results.commit`` of what was found on some Lesions: where from, and their split."""
    fingerprint = splits.fingerprint(lesions.table)
    results.commit(name, findings, lesions.source, used, started, split_fingerprint=fingerprint)


def in_parallel(function, arguments):
    """What ``function(*one)`` returns for each of ``arguments``, in ``$JOBS`` processes (1).

    joblib's backends carry it further, such as to a cluster: CONTRIBUTING.md."""
    jobs = int(os.environ.get("JOBS", "1"))
    return joblib.Parallel(n_jobs=jobs)(joblib.delayed(function)(*one) for one in arguments)


def over_draws(values):
    """Mean over the draws with its interval, for JSON, with the value of each draw.

    Draws share lesions, so the interval is a little too narrow.
    """
    found = evaluation.student(values)
    return replace(found, seeds=tuple(map(float, values))).to_json()


def melanoma_probability(model, images):
    """Of images by a model with several logits, shape (n,)."""
    logits = model.predict(images, batch_size=256, verbose=0)
    return expit(np.asarray(models.melanoma_logit(logits))[:, 0])
