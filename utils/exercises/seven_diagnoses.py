"""Exercises of the lesson seven_diagnoses."""

import numpy as np

from utils import data
from utils.exercises.registry import Hint, answered, exercise, near, number, refuse, refuse_array
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
    hint="One output for each diagnosis, and an activation that makes them add up to 1. The labels "
    "are whole numbers, not vectors.",
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


def _balanced(matrix):
    matrix = np.asarray(matrix)
    return (matrix.diagonal() / matrix.sum(axis=1)).mean()


@exercise(
    "seven_diagnoses.2",
    hint="Each row is one truth. Which share of a row lies on the diagonal? Then take the mean.",
    blank=lambda matrix: ...,
    right=_balanced,
    wrong=[
        (lambda matrix: np.trace(matrix) / np.sum(matrix), "the accuracy"),
        (lambda m: (np.diagonal(m) / np.sum(m, axis=0)).mean(), "columns"),
        (lambda m: np.diagonal(m) / np.sum(m, axis=1), "one number"),
        (lambda m: np.diagonal(m).mean(), "counts"),
        (lambda m: None, "return"),
    ],
)
def _balanced_accuracy(answer):
    matrix = np.array([[90, 8, 2], [6, 12, 2], [1, 4, 5]])
    found = answered(answer(matrix.copy()))
    refuse(
        found,
        {
            "That is the accuracy: the large class decides. Take the share in each row first.": (
                matrix.trace() / matrix.sum()
            ),
            "You divided by the columns, what the model says. Divide by the rows, the truth.": (
                (matrix.diagonal() / matrix.sum(axis=0)).mean()
            ),
            "Those are counts: divide each by the sum of its row.": matrix.diagonal().mean(),
        },
        1e-4,
    )
    if not near(found, _balanced(matrix), 1e-6):
        raise Hint("Divide the diagonal by the sums of the rows, then take the mean.")
    return "Each diagnosis counts the same, whether it has 10 images or 1,000."


def _cheapest(p, costs):
    return (p @ costs).argmin(axis=1)


@exercise(
    "seven_diagnoses.3",
    hint="The expected cost of a call is the sum over the truths: probability times cost. It is a "
    "matrix product.",
    blank=lambda p, costs: ...,
    right=_cheapest,
    wrong=[
        (lambda p, costs: p.argmax(axis=1), "likeliest"),
        (lambda p, costs: (p @ costs.T).argmin(axis=1), "turned"),
        (lambda p, costs: (p @ costs).argmax(axis=1), "most expensive"),
        (lambda p, costs: p @ costs, "a whole number for each image"),
        (lambda p, costs: None, "return"),
    ],
)
def _decide(answer):
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 40)
    costs = np.array([[0, 1, 2], [8, 0, 1], [20, 5, 0]])
    found = np.asarray(answered(answer(p.copy(), costs.copy())))
    if found.shape != (40,) or found.dtype.kind not in "iu":
        raise Hint("Give a whole number for each image: the call with the lowest expected cost.")
    typical = {
        "That is the likeliest diagnosis: the costs are not used.": p.argmax(1),
        "The costs are turned: a row is one truth, a column one call.": (p @ costs.T).argmin(1),
        "Those are the most expensive calls.": (p @ costs).argmax(1),
    }
    refuse_array(found, typical.items())
    if not np.array_equal(found, _cheapest(p, costs)):
        raise Hint("`p @ costs` has shape (n, calls): which column is the lowest in each row?")
    changed = (found != p.argmax(1)).mean()
    return f"With these costs it changes {changed:.0%} of the decisions."


@exercise(
    "seven_diagnoses.4",
    hint="The seven diagnoses exclude each other. Which rule holds for the probability of one of "
    "several?",
    blank=lambda p: ...,
    right=lambda p: p[:, [0, 1, 6]].sum(axis=1),
    wrong=[
        (lambda p: p[:, 6], "melanoma alone"),
        (lambda p: p[:, [0, 1, 6]].max(axis=1), "add them up"),
        (lambda p: p[:, :3].sum(axis=1), "data.DX"),
        (lambda p: 1 - p[:, [0, 1, 6]].sum(axis=1), "harmless"),
        (lambda p: p[:, [0, 1, 6]], "one number for each image"),
        (lambda p: None, "return"),
    ],
)
def _cancer(answer):
    p = np.random.default_rng(2).dirichlet(np.ones(7), 12)
    found = np.asarray(answered(answer(p.copy())), float)
    if found.shape != (12,):
        raise Hint("Give one number for each image: shape (n,).")
    three = p[:, [data.DX.index(name) for name in ("akiec", "bcc", "mel")]]
    typical = {
        "That is melanoma alone.": p[:, 6],
        "One of the three is enough: add them up, since they exclude each other.": three.max(1),
        "Look at the order of the columns: `data.DX`.": p[:, :3].sum(1),
        "That is the probability of a harmless lesion.": 1 - three.sum(1),
    }
    refuse_array(found, typical.items())
    if not np.allclose(found, three.sum(1)):
        raise Hint("Take the columns of akiec, bcc and mel, in the order of `data.DX`.")
    return f"For the first image it is {number(found[0]):.2f}."
