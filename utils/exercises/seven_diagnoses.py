"""Exercises of the lesson seven_diagnoses."""

import numpy as np
import pandas as pd

from utils import data
from utils.exercises.registry import Hint, answered, exercise, parts, refuse_array
from utils.quiet import keras


def _head(units=7, activation="softmax", loss="sparse_categorical_crossentropy"):
    def build(n_features):
        head = keras.Sequential([keras.Input((n_features,))])
        head.add(keras.layers.Dense(units, activation=activation))
        if loss:
            head.compile("adam", loss)
        return head

    return build


@exercise(
    "seven_diagnoses.1",
    hint="One output for each diagnosis, and an activation that makes them add up to 1. For labels "
    "that are whole numbers, not vectors, Keras calls the cross-entropy sparse.",
    cases=lambda: {
        "blank": lambda n_features: ...,
        "right": _head(),
        "wrong": [
            (_head(units=1), "7 outputs"),
            (_head(activation="sigmoid"), "add up to 1"),
            (_head(activation=None), "add up to 1"),
            (_head(loss=None), "compile"),
            (_head(loss="categorical_crossentropy"), "whole numbers"),
            (_head(loss="binary_crossentropy"), "two answers"),
            (lambda n_features: 7, "a Keras model"),
        ],
    },
)
def _seven_head(answer):
    head = answered(answer(20))
    if not isinstance(head, keras.Model):
        raise Hint(f"Return a Keras model, not {type(head).__name__}.")
    found = np.asarray(head(np.random.default_rng(0).normal(size=(8, 20)).astype("float32")))
    if found.shape != (8, 7):
        raise Hint(f"It needs 7 outputs for each image; of 8 images it makes {found.shape}.")
    sums = found.sum(axis=1)
    if not np.allclose(sums, 1, atol=1e-3):
        raise Hint("The seven outputs must add up to 1: which activation does that?")
    loss = getattr(head, "loss", None)
    if loss is None:
        raise Hint("Call `compile`, with an optimizer and a loss.")
    name = loss if isinstance(loss, str) else getattr(loss, "name", "")
    if "binary" in name:
        raise Hint("That loss is for two answers.")
    if "sparse" not in name:
        raise Hint("The labels are whole numbers from 0 to 6: this loss wants vectors of 0 and 1.")
    return f"It learns {head.count_params():,} numbers from 20 features."


THREE = ["akiec", "bcc", "mel"]


def _some_probabilities(n, seed=2):
    rng = np.random.default_rng(seed)
    p = pd.DataFrame(rng.dirichlet(np.ones(7), n), columns=list(data.DX))
    return p, pd.Series(rng.permutation(np.resize(data.DX, n)), name="dx")


@exercise(
    "seven_diagnoses.2",
    hint="Two methods of pandas are enough: one asks of each value whether it is in a list, the "
    "other adds up columns.",
    blank=lambda p, dx: ...,
    right=lambda p, dx: (dx.isin(THREE).astype(int), p[THREE].sum(axis=1)),
    wrong=[
        (lambda p, dx: p[THREE].sum(axis=1), "Return two"),
        (lambda p, dx: (p[THREE].sum(axis=1), dx.isin(THREE)), "truth comes first"),
        (lambda p, dx: (dx == "mel", p["mel"]), "melanoma alone"),
        (lambda p, dx: (dx.isin(["akiec", "bcc"]), p[["akiec", "bcc"]].sum(axis=1)), "too"),
        (lambda p, dx: (dx.isin(THREE), p["mel"]), "probability of melanoma alone"),
        (lambda p, dx: (dx.isin(THREE), p[THREE].max(axis=1)), "add them up"),
        (lambda p, dx: (dx.isin(THREE), 1 - p[THREE].sum(axis=1)), "harmless"),
        (lambda p, dx: (dx.isin(THREE), p[THREE]), "one number for each image"),
        (lambda p, dx: (dx.isin(THREE), p[THREE].sum()), "one number for each image"),
        (lambda p, dx: None, "return"),
    ],
)
def _second_question(answer):
    p, dx = _some_probabilities(21)
    given = answered(answer(p.copy(), dx.copy()))
    truth, score = parts(given, 2, "Return two columns: the truth, and the probability.")
    truth, score = np.asarray(truth, float), np.asarray(score, float)
    if truth.shape != (21,) or score.shape != (21,):
        raise Hint("Both columns have one number for each image.")
    wanted, three = dx.isin(THREE).to_numpy(), p[THREE]
    if np.array_equal(score, wanted) and not np.array_equal(truth, wanted):
        raise Hint("The truth comes first, then the probability.")
    if np.array_equal(truth, dx == "mel"):
        raise Hint("That is the truth of melanoma alone: three diagnoses count.")
    if np.array_equal(truth, dx.isin(["akiec", "bcc"])):
        raise Hint("A melanoma is a cancer too.")
    if not np.array_equal(truth, wanted):
        raise Hint("The truth is 1 where `dx` is one of the three, else 0.")
    typical = {
        "That is the probability of melanoma alone.": p["mel"],
        "One of the three is enough: add them up, since they exclude each other.": three.max(
            axis=1
        ),
        "That is the probability of a harmless lesion.": 1 - three.sum(axis=1),
    }
    refuse_array(score, typical.items())
    if not np.allclose(score, three.sum(axis=1)):
        raise Hint("Take the columns of the three by their names, and add them up in each row.")
    return f"Of the first image it says {score[0]:.2f}, and the truth is {truth[0]:.0f}."


@exercise(
    "seven_diagnoses.3",
    hint="Probabilities times costs, added up over the diagnoses, is a product of two tables. What "
    "is asked for is a name in each row.",
    blank=lambda p, costs: ...,
    right=lambda p, costs: (p @ costs).idxmin(axis=1),
    wrong=[
        (lambda p, costs: p.idxmax(axis=1), "a call, not a diagnosis"),
        (lambda p, costs: p @ costs, "one name for each image"),
        (lambda p, costs: (p @ costs).min(axis=1), "name of the call"),
        (lambda p, costs: (p @ costs).to_numpy().argmin(axis=1), "name of the call"),
        (lambda p, costs: (p @ costs).idxmin(axis=0), "one name for each image"),
        (lambda p, costs: (p @ costs).idxmax(axis=1), "most expensive"),
        (lambda p, costs: costs.loc[p.idxmax(axis=1)].idxmin(axis=1), "likeliest diagnosis"),
        (lambda p, costs: None, "return"),
    ],
)
def _cheapest_call(answer):
    p, _ = _some_probabilities(40, seed=0)
    costs = pd.DataFrame({"wait": 0, "look": 1, "cut": 3}, index=list(data.DX))
    costs.loc[["mel", "bcc"]] = [[20, 6, 0], [8, 2, 1]]
    found = np.asarray(answered(answer(p.copy(), costs.copy())))
    if found.shape != (40,):
        raise Hint("Return one name for each image: look along the rows.")
    if not set(found) <= set(costs.columns):
        if set(found) <= set(data.DX):
            raise Hint("Return the name of a call, not a diagnosis.")
        raise Hint("Return the name of the call, not its number or its cost.")
    expected = p @ costs
    if np.array_equal(found, expected.idxmax(axis=1)):
        raise Hint("Those are the most expensive calls.")
    if np.array_equal(found, costs.loc[p.idxmax(axis=1)].idxmin(axis=1)):
        raise Hint("That is the cheapest call for the likeliest diagnosis: use all probabilities.")
    if not np.array_equal(found, expected.idxmin(axis=1)):
        raise Hint("`p @ costs` has a column for each call: which is the lowest in each row?")
    changed = (found != costs.loc[p.idxmax(axis=1)].idxmin(axis=1).to_numpy()).mean()
    return f"In the test here it changes {changed:.0%} of the calls for the likeliest diagnosis."
