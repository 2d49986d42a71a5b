"""Exercises of lesson 04, training and fine-tuning."""

import numpy as np

from utils.exercises.registry import Hint, exercise, near, number, refuse


@exercise(
    "04.1",
    hint="There are two dense layers. Count the weights and the biases of each.",
    given={"inputs": 1280, "neurons": 128},
    right=164097,
    wrong=[
        (163968, "the last one included"),
        (164096, "last neuron has a bias"),
        (163840, "second layer"),
        (163969, "second layer is missing"),
        (1409, "a product"),
        (5, "inputs times outputs"),
    ],
)
def _parameters_of_a_head(answer, inputs, neurons):
    first = inputs * neurons
    refuse(
        answer,
        {
            "Each neuron has a bias too, the last one included.": first + neurons,
            "Nearly: the last neuron has a bias too.": first + 2 * neurons,
            "The second layer: one number for each of its inputs, and a bias.": first,
            "The second layer is missing: it turns all neurons into one.": first + neurons + 1,
            "Each input is joined to each neuron: that is a product.": inputs + neurons + 1,
        },
        tolerance=0,
    )
    if number(answer) != first + neurons + neurons + 1:
        raise Hint("Dense: inputs times outputs, and one bias for each output. There are two.")
    return "Few beside the base, and still more than 200 for each training image."


@exercise(
    "04.2",
    hint="How many seconds does each way take for all epochs?",
    given={"plain": 4.0, "frozen": 3.5, "epochs": 35},
    right=140 / 21,
    wrong=[
        (8, "leaves out the one pass"),
        (35, "the frozen part"),
        (21 / 140, "Upside down"),
        (0.875, "share"),
        (119, "saved"),
        (2, "divided by"),
    ],
)
def _times_faster(answer, plain, frozen, epochs):
    rest = plain - frozen
    slow, fast = epochs * plain, frozen + epochs * rest
    refuse(
        answer,
        {
            "That leaves out the one pass through the frozen layers.": plain / rest,
            "That is how many times longer the plain way takes for the frozen part.": epochs,
            "Upside down: how long is the plain way, measured in the other?": fast / slow,
            "That is the frozen part's share, not a speed.": frozen / plain,
            "Those are the seconds that are saved.": slow - fast,
        },
    )
    if not near(answer, slow / fast, 0.05):
        raise Hint("Seconds of the plain way, divided by: once the frozen part, then the rest.")
    return "The more epochs, the nearer it comes to the ratio of the two epochs."


def _run(val_auc, patience):
    for epoch in range(1, len(val_auc) + 1):
        if epoch - 1 - int(np.argmax(val_auc[:epoch])) == patience:
            return epoch
    return len(val_auc)


@exercise(
    "04.3",
    hint="Keep two numbers from epoch to epoch: the best so far, and how long ago it was.",
    blank=lambda val_auc, patience: ...,
    right=_run,
    wrong=[
        (lambda v, p: 5, "the best epoch"),
        (lambda v, p: p + 1, "Start waiting anew"),
        (lambda v, p: len(v), "cannot know"),
        (lambda v, p: _run(v, p) - 1, "one too early"),
        (lambda v, p: 1, "epoch 5 is the best"),
        (lambda v, p: 8 if p == 3 else 4, "no improvement"),
        (lambda v, p: {9: 8, 4: 3, 2: 1}[len(v)], "all epochs"),
    ],
)
def _epochs_run(answer):
    rises, patience = [0.6, 0.7, 0.7, 0.69, 0.8, 0.75, 0.79, 0.78, 0.9], 3
    ran = number(answer(rises, patience))
    if ran == 5:
        raise Hint("That is the best epoch. It takes `patience` more to notice that it was.")
    if ran == 4:
        raise Hint("Start waiting anew whenever there is a new best.")
    if ran == 9:
        raise Hint("It cannot know that epoch 9 would be better: it stops before.")
    if ran == 7:
        raise Hint(
            "Counted from 0, or stopped one too early: `patience` epochs without a new best."
        )
    if ran != 8:
        raise Hint(f"For {rises} and a patience of 3, epoch 5 is the best so far, then it waits.")
    if number(answer([0.5, 0.5, 0.5, 0.6], 2)) != 3:
        raise Hint("The same value again is no improvement.")
    if number(answer([0.5, 0.6], 3)) != 2:
        raise Hint("If patience never runs out, all epochs are run.")
    return "Patience is a bet on how long a plateau may last."


@exercise(
    "04.4",
    hint="After n steps, momentum ** n of the old value is left.",
    given={"momentum": 0.999},
    right=693,
    wrong=[
        (500, "what is *left*"),
        (1000, "0.37"),
        (692, "round up"),
        (692.8, "round up"),
        (7, "logarithms"),
    ],
)
def _steps_to_half(answer, momentum):
    answer, right = number(answer), np.ceil(np.log(0.5) / np.log(momentum))
    if answer == round(0.5 / (1 - momentum)):
        raise Hint("Each step gives up a thousandth of what is *left*, not of the beginning.")
    if answer == round(1 / (1 - momentum)):
        raise Hint("After so many steps a share of 1/e is left, 0.37.")
    if right - 1 <= answer < right:
        raise Hint("Nearly: round up to a whole step, then half is given up.")
    if answer != right:
        raise Hint("Solve momentum ** n = 0.5 for n: take logarithms.")
    return f"At 19 steps an epoch that is {right / 19:.0f} epochs."
