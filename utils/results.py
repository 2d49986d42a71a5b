"""Results as JSON, and the parts of the README that are rendered from them."""

import json
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

import numpy as np

from utils import evaluation, splits
from utils.data import write_atomically

ROOT = Path(__file__).parents[1]
COMMITTED = ROOT / "results"
PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "pandas", "pillow")
# What the one-cell project claimed, and the confusion matrix that its README printed.
CLAIM = {"accuracy": 0.852, "precision": 0.83, "sensitivity": 0.79, "f1": 0.81}
CLAIMED_CONFUSION = np.array([[167, 23], [18, 42]])
SHIPPED_MODEL = "shipped_model"  # written by utils/shipped.py


def folder():
    """Where results go: ``$COURSE_RESULTS_DIR``, else ``runs/results`` in the course's folder.

    The committed ``results/`` holds only what ``python -m utils.course results`` wrote.
    """
    path = Path(os.environ.get("COURSE_RESULTS_DIR", ROOT / "runs" / "results"))
    path.mkdir(parents=True, exist_ok=True)
    return path


def record(name, evaluations, lesions, probability, seed, parameters, weights, headline="roc_auc"):
    """Write what a lesson found on its test part as JSON.

    Parameters
    ----------
    name : str
        File name without ``.json``, beginning with the lesson's.
    evaluations : list of utils.evaluation.Evaluation
        The lesson's model first, then what stands beside it.
    lesions : utils.data.Lesions
        All parts, with ``group`` and ``split`` in the table.
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
    test, first = lesions.part("test"), evaluations[0]
    low, high = first.intervals[headline]
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
    shown = {"name": headline, "value": first.values[headline], "low": low, "high": high}
    return keep(name, lesions.source, lesions.table, parameters, findings, shown)


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
        Numbers with an interval as ``{"value": ..., "interval": [low, high]}``.
    headline : dict, optional
        ``name``, ``value``, ``low`` and ``high`` of the figure that the course's table shows.

    Returns
    -------
    Path
        Of the file.
    """
    content = {
        "source": source,
        "split_fingerprint": splits.fingerprint(table),
        "parameters": parameters,
        "versions": versions(),
    }
    path = folder() / f"{name}.json"
    write_json(path, ({"headline": headline} if headline else {}) | content | findings)
    return path


def versions():
    """Versions of Python and of the packages that a result depends on, as a dict of str."""
    return {"python": platform.python_version()} | {p: version(p) for p in PACKAGES}


def _as_json(e):
    return {
        "metrics": {m: {"value": e.values[m], "interval": e.intervals[m]} for m in e.values},
        "confusion": e.confusion.tolist(),
        "threshold": e.threshold,
        "n_images": e.n_images,
        "n_lesions": e.n_lesions,
    }


def write_json(path, content):
    """Write JSON whole or not at all; NaN, which JSON does not know, becomes null."""
    text = json.dumps(json.loads(json.dumps(content), parse_constant=lambda _: None), indent=1)
    text = re.sub(r"\[[^\[\]{}]*\]", lambda m: " ".join(m[0].split()), text)  # a list on one line
    write_atomically(path, lambda p: p.write_text(text + "\n"))


def save_figure(figure, name):
    """Save a figure without patient images as PNG beside the results."""
    write_atomically(folder() / f"{name}.png", lambda p: figure.savefig(p, dpi=80, format="png"))


def summarise_seeds(name):
    """Join ``name-seed*.json`` of the committed results into ``name.json``.

    Raises
    ------
    ValueError
        If there are none, or they differ in source, split, weights or anything set but the seed.
    """
    files = sorted(COMMITTED.glob(f"{name}-seed*.json"))
    runs = [json.loads(file.read_text()) for file in files]
    if not runs:
        raise ValueError(f"There is no {name}-seed*.json in {COMMITTED.name}/: run `make results`.")
    same = ("source", "split_fingerprint", "weights")
    if "synthetic" in [run["source"] for run in runs]:
        raise ValueError(f"{name} comes from synthetic lesions: results/ is for real ones only.")
    alike = {
        json.dumps(
            [
                [run[k] for k in same],
                run["test"]["image_id"],
                {k: v for k, v in run["parameters"].items() if k != "SEED"},
            ]
        )
        for run in runs
    }
    if len(alike) > 1:
        raise ValueError(f"The files {name}-seed*.json differ in more than the seed.")
    first, model = runs[0], next(iter(runs[0]["models"]))
    summary = evaluation.mean_over_seeds(
        first["test"]["melanoma"],
        [run["test"]["probability"] for run in runs],
        first["test"]["group"],
        [run["models"][model]["threshold"] for run in runs],
    )
    content = {k: first[k] for k in (*same, "versions")} | {
        "parameters": {k: v for k, v in first["parameters"].items() if k != "SEED"},
        "seeds": [run["seed"] for run in runs],
        "n_images": first["models"][model]["n_images"],
        "n_melanomas": sum(first["test"]["melanoma"]),
        "model": model,
        "over_seeds": summary,
        "beside": {k: v for k, v in first["models"].items() if k != model},
    }
    write_json(COMMITTED / f"{name}.json", content)


def results_table():
    """The README's table of results, Markdown, from the committed JSON files."""
    columns = ("accuracy", "roc_auc", "sensitivity", "specificity", "precision", "f1")
    tn, fp, fn, tp = CLAIMED_CONFUSION.ravel()
    own_matrix = {
        "accuracy": (tp + tn) / (tp + tn + fp + fn),
        "sensitivity": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "precision": tp / (tp + fp),
        "f1": 2 * tp / (2 * tp + fp + fn),
    }
    rows = [
        ("Original project: claimed", {k: f"{v:.3f}" for k, v in CLAIM.items()}),
        ("Original project: from its own matrix", {k: f"{v:.3f}" for k, v in own_matrix.items()}),
    ]
    summaries = [
        json.loads(f.read_text()) for f in sorted(COMMITTED.glob("00_quickstart-*px.json"))
    ]
    for name, beside in summaries[0]["beside"].items() if summaries else ():
        rows.append(
            (name, {k: _cell(v["value"], *v["interval"]) for k, v in beside["metrics"].items()})
        )
    for run in summaries:
        cells = {
            k: f"{_cell(v['mean'], v['low'], v['high'])}<br>seeds {v['min']:.3f}-{v['max']:.3f}"
            for k, v in run["over_seeds"].items()
        }
        what = "width {ALPHA}, pictures of {SIZE} px".format(**run["parameters"])
        rows.append((f"**{run['model']}**, {what}, mean of {len(run['seeds'])} seeds", cells))
    heads = [c.replace("roc_auc", "ROC AUC").replace("f1", "F1") for c in columns]
    lines = ["| | " + " | ".join(heads) + " |", "| --- |" + " --- |" * len(columns)]
    lines += [f"| {n} | " + " | ".join(c.get(k, "-") for k in columns) + " |" for n, c in rows]
    return "\n".join(lines)


def speed_table():
    """The README's table of benchmarks/cached_prefix.py, Markdown."""
    path = COMMITTED / "cached_prefix.json"
    if not path.exists():
        return f"(not measured yet: there is no {path.name} in results/)"
    content = json.loads(path.read_text())
    lines = [
        f"| {content['processors']} CPU cores, {sum(content['epochs'])} epochs | plain | cached | "
        "times faster | test AUC, plain | test AUC, cached minus plain |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for width, both in content["widths"].items():
        plain, cached = (
            f"{both[way]['seconds']:.0f} s, {both[way]['peak_megabytes']:.0f} MB"
            for way in ("naive", "cached")
        )
        difference = _cell(both["difference"]["value"], *both["difference"]["interval"])
        lines.append(
            f"| width {width} | {plain} | {cached} | {both['times_faster']:.1f} "
            f"| {both['naive']['roc_auc']:.3f} | {difference} |"
        )
    return "\n".join(lines)


def shipped_table():
    """The shipped model's figures on the full test part, Markdown, for README and model card."""
    path = COMMITTED / f"{SHIPPED_MODEL}.json"
    if not path.exists():
        return f"(not measured yet: there is no {path.name} in results/)"
    content = json.loads(path.read_text())
    n = len(content["seeds"])
    names = {
        "single": f"**MobileNetV2**, one view, mean of {n} seeds",
        "eight views": f"**MobileNetV2**, eight symmetric views, mean of {n} seeds",
        "ensemble, eight views": f"**the {n} seeds together**, eight views",
    }
    lines = [
        "| full test part, natural prevalence | ROC AUC | average precision | sensitivity at 90 % "
        "specificity |",
        "| --- | --- | --- | --- |",
    ]
    for name, found in (content["beside"] | content["ways"]).items():
        measures = ("roc_auc", "average_precision", "sensitivity_at_specificity_90")
        cells = [as_text(found[m]) for m in measures]
        seeds = found["roc_auc"]["seeds"]
        if len(seeds) > 1:
            cells[0] += f"<br>seeds {min(seeds):.3f}-{max(seeds):.3f}"
        lines.append(f"| {names.get(name, name)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def as_text(found):
    """A figure with its interval, as they are kept in ``results/``: ``0.870 [0.810, 0.920]``."""
    value = found["mean"] if "mean" in found else found["value"]
    return _cell(value, *(found.get("interval") or (found["low"], found["high"])))


def _cell(value, low, high):
    return "undefined" if value is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def quote(text):
    """Text in which each ``{{ NAME: key.key }}`` became a figure of ``results/NAME.json``.

    A figure with an interval becomes ``0.87 [0.81, 0.92]``; ``{{ NAME: key | .0f }}`` gives
    another number of digits.

    Raises
    ------
    ValueError
        If there is no such file or key, or what stands there is no number or text.
    """

    def figure(match):
        name, keys, digits = match[1], match[2].split("."), match[3] or ".2f"
        try:
            found = json.loads((COMMITTED / f"{name}.json").read_text())
            for key in keys:
                found = found[int(key)] if isinstance(found, list) else found[key]
            if isinstance(found, str):
                return found
            if not isinstance(found, dict):
                return format(found, digits)
            low, high = found.get("interval") or (found["low"], found["high"])
            value = found["mean"] if "mean" in found else found["value"]
            return f"{value:{digits}} [{low:{digits}}, {high:{digits}}]"
        except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
            raise ValueError(f"{match[0]} cannot be filled in from results/: {error!r}") from error

    return re.sub(r"\{\{ ([\w.-]+): ([\w. -]+?)(?: \| (\S+))? \}\}", figure, text)


def render_readme(text, repository, branch):
    """The README with its rendered blocks brought up to date.

    A block stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``: ``badges`` and ``clone`` hold
    the repository's address, ``results``, ``shipped`` and ``speed`` the tables.

    Parameters
    ----------
    text : str
    repository : str
        ``owner/name``.
    branch : str

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If a block is missing.
    """
    colab = f"https://colab.research.google.com/github/{repository}/blob/{branch}"
    ci = f"https://github.com/{repository}/actions/workflows/ci.yml"
    blocks = {
        "badges": f"[![CI]({ci}/badge.svg)]({ci})\n"
        "[![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        f"({colab}/notebooks/00_quickstart.ipynb)",
        "clone": f"```bash\ngit clone https://github.com/{repository}\n"
        f"cd {repository.split('/')[1]}\n\nmake course\nmake test\n```",
        "results": results_table(),
        "speed": speed_table(),
        "shipped": shipped_table(),
    }
    for name, content in blocks.items():
        block = re.compile(rf"<!-- {name} -->\n.*?<!-- /{name} -->", re.DOTALL)
        if not block.search(text):
            raise ValueError(f"README.md has no block <!-- {name} --> ... <!-- /{name} -->.")
        rendered = f"<!-- {name} -->\n{content}\n<!-- /{name} -->"
        text = block.sub(lambda _, rendered=rendered: rendered, text)
    return text
