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
LADDER = "06_better_models-full-128px"  # of lesson 06, with its figure


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
        "metrics": e.as_dict(),
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


def committed(name):
    """What ``results/<name>.json`` holds, or None if it is not there."""
    path = COMMITTED / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


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
        what = "width {ALPHA}, pictures of {SIZE} px".format(**run["parameters"])
        what = f"**{run['model']}**, {what}, mean of {len(run['seeds'])} seeds"
        rows.append((what, _with_seeds(run["over_seeds"])))
    run = committed(SHIPPED_MODEL)
    if run:
        what = "**All layers learn**, the recipe of the shipped model (below), "
        n = len(run["mini_600"]["accuracy"]["seeds"])
        rows.append((f"{what}on the same 600, mean of {n} seeds", _with_seeds(run["mini_600"])))
        mini = {k: as_text(v) for k, v in run["mini"].items() if isinstance(v, dict)}
        rows.append(("**The shipped model** itself, trained on about 6,000", mini))
    heads = [c.replace("roc_auc", "ROC AUC").replace("f1", "F1") for c in columns]
    lines = ["| | " + " | ".join(heads) + " |", "| --- |" + " --- |" * len(columns)]
    lines += [f"| {n} | " + " | ".join(c.get(k, "-") for k in columns) + " |" for n, c in rows]
    return "\n".join(lines)


def _with_seeds(over_seeds):
    return {
        k: f"{_cell(v['mean'], v['low'], v['high'])}<br>seeds {v['min']:.3f}-{v['max']:.3f}"
        for k, v in over_seeds.items()
    }


def speed_table(content):
    """The README's table of benchmarks/cached_prefix.py, Markdown."""
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


def shipped_table(content):
    """The shipped model's figures on the full test part, Markdown, for README and model card."""
    n = len(content["seeds"])
    names = {
        "single": f"**MobileNetV2**, one view, mean of {n} seeds",
        "eight views": f"**MobileNetV2**, eight symmetric views, mean of {n} seeds",
        "corner views": f"**MobileNetV2**, four corners in eight symmetries, mean of {n} seeds",
        "ensemble": f"**the {n} seeds together**, four corners in eight symmetries",
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


def ladder_figure(content):
    """The README's figure of lesson 06's ladder and, in words, what it shows; Markdown."""
    rungs = content["rungs"]
    foot, top = content["ladder"][0], content["ladder"][-1]
    of = {name: as_text(found["roc_auc"]) for name, found in (rungs | content["beside"]).items()}
    words = (
        f"from {foot}, {of[foot]}, up to {top}, {of[top]}; nine colour numbers have "
        f"{of['nine colour numbers']}, the constant answer 0.500"
    )
    kinds = {"Clear of noise": [], "Within noise": [], "A loss": []}
    for name, found in rungs.items():
        if "gain" in found:
            low, high = found["gain"]["interval"]
            kind = "Clear of noise" if low > 0 else "A loss" if high < 0 else "Within noise"
            kinds[kind].append(f"{name} ({found['gain']['value']:+.3f} [{low:+.3f}, {high:+.3f}])")
    lines = [f"- {kind}: {'; '.join(names)}." for kind, names in kinds.items() if names]
    figure = f"![Test AUC of each rung: {words}](results/{LADDER}-ladder.png)"
    return "\n".join(
        [figure, "", f"Test AUC {words}. Each rung against the one below:", "", *lines]
    )


def streaming_table(content):
    """The README's table of benchmarks/streaming.py, Markdown."""
    lines = [
        "| pictures | MB that loading and training add | ms a picture, training | of it reading |",
        "| --- | --- | --- | --- |",
    ]
    for way, rows in content["ways"].items():
        for row in rows.values():
            lines.append(
                f"| {row['pictures']:,} {way} | {row['megabytes_over_start']:.0f} "
                f"| {row['ms_a_picture']:.1f} | {row['pipeline_ms_a_picture']:.2f} |"
            )
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

    return re.sub(r"\{\{ ([\w.-]+): ([\w. ,-]+?)(?: \| (\S+))? \}\}", figure, text)


def render_readme(text, repository, branch):
    """The README with its rendered blocks brought up to date.

    A block stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``: ``badges`` and ``clone`` hold
    the repository's address, the others what this module makes of ``results/``.

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
    }
    for name, table, file in (
        ("speed", speed_table, "cached_prefix"),
        ("shipped", shipped_table, SHIPPED_MODEL),
        ("ladder", ladder_figure, LADDER),
        ("streaming", streaming_table, "streaming"),
    ):
        content = committed(file)
        missing = f"(not measured yet: there is no {file}.json in results/)"
        blocks[name] = table(content) if content else missing
    for name, content in blocks.items():
        block = re.compile(rf"<!-- {name} -->\n.*?<!-- /{name} -->", re.DOTALL)
        if not block.search(text):
            raise ValueError(f"README.md has no block <!-- {name} --> ... <!-- /{name} -->.")
        rendered = f"<!-- {name} -->\n{content}\n<!-- /{name} -->"
        text = block.sub(lambda _, rendered=rendered: rendered, text)
    return text
