"""Exercises of the lesson your_project."""

import numpy as np
import pandas as pd

from utils.baselines import colour_baseline, colour_features
from utils.evaluation import Estimate, difference, roc_auc
from utils.exercises.registry import (
    Hint,
    answered,
    check_word,
    exercise,
    near,
    number,
    parts,
)

ROWS = [  # file, label, group
    ("a.png", "bcc", "1"),
    ("b.png", " BCC", "2"),
    ("c.png", "Nv ", "3"),
    ("d.png", None, "4"),
    ("e.png", "nv", "5"),
    ("e.png", "nv", "5"),
    ("f.png", "nv", "6"),
    ("f.png", "Bcc", "6"),
]
MESSY = pd.DataFrame(ROWS, columns=["file", "label", "group"])


def _clean(messy):
    found = messy.dropna(subset="label")
    found = found.assign(label=found["label"].str.strip().str.lower())
    labels = found.groupby("file")["label"].transform("nunique")
    return found[labels == 1].drop_duplicates("file")


def _no_strip(messy):
    found = messy.dropna(subset="label")
    found = found.assign(label=found["label"].str.lower())
    labels = found.groupby("file")["label"].transform("nunique")
    return found[labels == 1].drop_duplicates("file")


def _as_unknown(messy):
    return _clean(messy.assign(label=messy["label"].fillna("unknown")))


def _first_of_two(messy):
    found = messy.dropna(subset="label")
    found = found.assign(label=found["label"].str.strip().str.lower())
    return found.drop_duplicates("file")


def _twice(messy):
    found = messy.dropna(subset="label")
    found = found.assign(label=found["label"].str.strip().str.lower())
    labels = found.groupby("file")["label"].transform("nunique")
    return found[labels == 1]


@exercise(
    "your_project.1",
    hint="A column of text has .str with methods of its own: one removes blanks at both ends, one "
    "makes small letters. For the contradictions, count the different labels of each file.",
    blank=lambda messy: ...,
    right=_clean,
    wrong=[
        (lambda messy: messy, "no label"),
        (lambda messy: messy.dropna(subset="label"), "small letters"),
        (_no_strip, "small letters"),
        (_as_unknown, "no label"),
        (_first_of_two, "two different labels"),
        (_twice, "two rows"),
        (lambda messy: _clean(messy)[["file", "label"]], "column"),
        (lambda messy: _clean(messy)["label"], "DataFrame"),
        (lambda messy: _clean(messy).drop_duplicates("label"), "lost"),
        (lambda messy: None, "return"),
    ],
)
def _clean_labels(answer):
    found = answered(answer(MESSY.copy()))
    if not isinstance(found, pd.DataFrame):
        raise Hint(f"Return a DataFrame, not {type(found).__name__}.")
    if missing := set(MESSY) - set(found):
        raise Hint(f"Keep the column {min(missing)}.")
    if "d.png" in set(found["file"]):
        raise Hint("d.png has no label, and nobody can tell which it is: leave it out.")
    if odd := set(found["label"]) - {"bcc", "nv"}:
        raise Hint(f"The label {min(odd)!r} is left: small letters, and no blanks at the ends.")
    if "f.png" in set(found["file"]):
        raise Hint("f.png has two different labels, and one is wrong: leave out both of its rows.")
    if found["file"].duplicated().any():
        raise Hint("e.png has two rows that agree: keep one.")
    if lost := {"a.png", "b.png", "c.png", "e.png"} - set(found["file"]):
        raise Hint(f"{min(lost)} is lost, though its label is clear.")
    return "Four files with one clear label each. Count what you left out, and say so on the card."


def _validation(n=200):
    """Labels, groups and what a plain head says of ``n`` images."""
    rng = np.random.default_rng(0)
    y = (np.arange(n) % 10 == 0).astype(int)
    x = rng.normal(size=(n, 4)).astype("float32")
    x[:, 0] += 1.5 * y
    groups = np.arange(n) // 2
    return x, y, groups


def _head(bias=0.0, units=1, activation="sigmoid"):
    """A head whose first feature decides; ``bias`` raises all its scores."""
    from utils.quiet import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, activation)])
    kernel = np.zeros((4, units), "float32")
    kernel[0] = 1
    kernel[1] = 0.5 if bias else 0
    model.layers[0].set_weights([kernel, np.full(units, bias - 3, "float32")])
    return model


def _scores(model, x):
    return np.asarray(model.predict(x, verbose=0))[:, 0]


def _cases_of_weights():
    x, y, groups = _validation()
    plain, right = _head(), _head(3.0)
    ours, p = _scores(plain, x), _scores(right, x)
    gain = difference(roc_auc, y, p, ours, groups)
    word = "shown" if gain.low > 0 or gain.high < 0 else "inconclusive"
    other = {"shown": "inconclusive", "inconclusive": "shown"}[word]
    turned = Estimate(-gain.value, -gain.high, -gain.low)
    elsewhere = Estimate(gain.value + 0.2, gain.low + 0.2, gain.high + 0.2)
    return {
        "given": {"x": x, "y": y, "ours": ours},
        "blank": (..., ..., ...),
        "right": (right, gain, word),
        "wrong": [
            ((right, gain), "three things"),
            ((p, gain, word), "keras.Model"),
            ((_head(3.0, 2, "softmax"), gain, word), "one probability"),
            ((_head(3.0, activation=None), gain, word), "one probability"),
            ((plain, gain, word), "class_weight"),
            ((right, gain.value, word), "no interval"),
            ((right, turned, word), "weighted minus"),
            ((right, elsewhere, word), "validation"),
            ((right, gain, other), "where zero lies"),
            ((right, gain, "better"), "One of two words"),
        ],
    }


@exercise(
    "your_project.2",
    hint="Build a fresh head in the same way, or it goes on from the trained one. Only the call of "
    "fit gets a new argument, a dict from class to weight. Then score the validation images.",
    cases=_cases_of_weights,
)
def _weighted_head(answer, x, y, ours):
    from utils.quiet import keras  # here: other lessons' checks do without

    model, gain, word = parts(answer, 3, "Give three things: (weighted, gain, word).")
    if not isinstance(model, keras.Model):
        raise Hint(f"`weighted` is a keras.Model, not {type(model).__name__}.")
    p = np.asarray(model.predict(x, verbose=0))
    if p.shape != (len(y), 1) or p.min() < 0 or p.max() > 1:
        raise Hint("The head ends with one probability: Dense(1) with a sigmoid.")
    p = p[:, 0]
    if p.mean() < 1.5 * np.mean(ours):
        raise Hint(
            f"Its scores are {p.mean():.2f} on average, where ours are {np.mean(ours):.2f}: with "
            "positives that count more they rise. Did fit get class_weight?"
        )
    if not isinstance(gain, Estimate):
        raise Hint("That has no interval: evaluation.difference gives one.")
    right = roc_auc(y, p) - roc_auc(y, ours)
    if near(gain.value, -right, 1e-6) and not near(right, 0, 1e-6):
        raise Hint("The other way round: weighted minus ours.")
    if not near(gain.value, right, 1e-4):
        raise Hint(
            f"On the validation images the AUC of your head minus ours is {right:+.4f}, not "
            f"{gain.value:+.4f}."
        )
    check_word(word, gain)
    alarms = [np.mean(q[np.asarray(y) == 0] >= 0.5) for q in (ours, p)]
    return (
        f"At 0.5 it raises false alarms for {alarms[1]:.0%} of the others, ours for "
        f"{alarms[0]:.0%}. Weights move the scores; a threshold does that without a training."
    )


def _labelled(n=300):
    """Coloured squares of three labels in two sets, as table and pixels."""
    rng = np.random.default_rng(1)
    labels = np.array(["bcc", "nv", "vasc"])[np.arange(n) % 3]
    table = pd.DataFrame({"label": labels, "positive": (labels == "bcc").astype(int)})
    table["split"] = np.where(np.arange(n) % 2, "train", "validation")
    pixels = rng.integers(0, 150, (n, 16, 16, 3)).astype("uint8")
    shift = rng.integers(0, 12, n)[:, None, None]
    pixels[..., 0] += (shift * (labels == "vasc")[:, None, None]).astype("uint8")
    pixels[..., 2] += (shift * (labels == "nv")[:, None, None] // 2).astype("uint8")
    return table, pixels


def _auc_of(question, table, pixels, learned="train", asked="validation"):
    y = (table["label"] == question).to_numpy(int)
    train, validation = ((table["split"] == name).to_numpy() for name in (learned, asked))
    trees = colour_baseline(pixels[train], y[train])
    p = trees.predict_proba(colour_features(pixels[validation]))[:, 1]
    return float(roc_auc(y[validation], p))


def _another(table, pixels):
    """The course's own: the rarest label that is not asked already."""
    others = table.loc[table["positive"] == 0, "label"]
    question = "vasc" if "vasc" in set(others) else others.value_counts().index[-1]
    return question, _auc_of(question, table, pixels)


def _cases_of_questions():
    table, pixels = _labelled()
    question, auc = _another(table, pixels)
    seen = _auc_of(question, table, pixels, asked="train")
    return {
        "given": {"table": table, "pixels": pixels},
        "blank": (..., ...),
        "wrong": [
            (auc, "two things"),
            (("mole", auc), "No image"),
            (("bcc", auc), "asked already"),
            ((question, seen), "training images"),
            ((question, _auc_of("bcc", table, pixels)), "old labels"),
            ((question, 0.2), "Not what"),
            ((question, "high"), "one number"),
        ],
    }


@exercise(
    "your_project.3",
    hint="Which rows have the new label? That is the new truth, for all rows of the table. The "
    "split stays. Then train trees as for our colour baseline, and score the validation images.",
    cases=_cases_of_questions,
    solution=_another,
)
def _another_question(answer, table, pixels):
    question, auc = parts(answer, 2, "Give two things: (question, auc).")
    labels = table["label"].value_counts()
    if question not in labels:
        raise Hint(f"No image has the label {question!r}; there are {', '.join(labels.index)}.")
    if (table.loc[table["label"] == question, "positive"] == 1).any():
        raise Hint("That is asked already: take another label.")
    auc, right = number(auc), _auc_of(question, table, pixels)
    if near(auc, right, 0.01):
        return (
            f"{question} against everything else: colours alone reach {right:.2f}. A network for "
            "this question has to beat that."
        )
    if near(auc, _auc_of(question, table, pixels, asked="train"), 0.01):
        raise Hint("That is the AUC on the training images, which the trees have seen.")
    (old,) = table.loc[table["positive"] == 1, "label"].unique()
    if near(auc, _auc_of(old, table, pixels), 0.005):
        raise Hint(f"That is the AUC for {old}: the trees got the old labels.")
    raise Hint("Not what colours reach on validation. Are train and validation those of `split`?")
