"""Exercises of the lesson better_models."""

import numpy as np

from utils.evaluation import Estimate
from utils.exercises.registry import Hint, answered, exercise, near, number, refuse


def _schedule(fall, start=0):
    """A straight line up from ``start``, then ``fall(share done)`` of the peak."""

    def rate(step, steps, warm_up, peak):
        if step < warm_up:
            return peak * max(start, step / warm_up)
        return peak * fall((step - warm_up) / (steps - warm_up))

    return rate


def _cosine_from_the_start(step, steps, warm_up, peak):
    if step < warm_up:
        return peak * step / warm_up
    return peak * (1 + np.cos(np.pi * step / steps)) / 2


@exercise(
    "better_models.1",
    hint="First find how much of the way down is done, from 0 at the peak to 1 at the end.",
    blank=lambda step, steps, warm_up, peak: ...,
    right=_schedule(lambda done: np.cos(np.pi / 2 * done) ** 2),
    wrong=[
        (_schedule(lambda d: (1 + np.cos(np.pi * d)) / 2, start=1), "begins at the bottom"),
        (lambda step, steps, warm_up, peak: peak * step**2 / warm_up**2, "middle of the warm"),
        (_cosine_from_the_start, "count the cosine"),
        (_schedule(lambda d: np.cos(np.pi * d)), "lift it by 1"),
        (_schedule(lambda d: 1 - d), "straight line"),
        (_schedule(lambda d: np.cos(np.pi * d / 2)), "quarter of a cosine"),
        (_schedule(lambda d: (1 - d) ** 2), "(1 + cos"),
    ],
)
def _rate(answer):
    given = {"steps": 110, "warm_up": 10, "peak": 0.001}
    found = {s: 1000 * number(answer(s, **given)) for s in (0, 5, 10, 35, 60, 85, 109)}
    if near(found[0], 1, 1e-6):
        raise Hint("Before step 0 the rate is 0: warm-up begins at the bottom.")
    if not near(found[5], 0.5, 1e-6):
        raise Hint(f"In the middle of the warm-up it is half the peak, not {found[5] / 1000:g}.")
    if not near(found[10], 1, 1e-6):
        raise Hint("At step `warm_up` it is at its peak: count the cosine's steps from there.")
    if near(found[60], 0, 1e-6):
        raise Hint("Half a cosine goes from 1 to -1: lift it by 1 and halve it, to end at 0.")
    if near(found[35], 0.75, 1e-6):
        raise Hint("That is a straight line down. A half cosine stays high for longer.")
    if near(found[35], np.cos(np.pi / 8), 1e-3):
        raise Hint("That is a quarter of a cosine: in the middle it should be at half the peak.")
    wanted = (1 + np.cos(np.pi * (np.array([35, 60, 85, 109]) - 10) / 100)) / 2
    if not np.allclose([found[s] for s in (35, 60, 85, 109)], wanted):
        raise Hint("(1 + cos(pi * done)) / 2, where done goes from 0 at the peak to 1 at the end.")
    return "The last steps are tiny, so the last epoch is about as good as any."


@exercise(
    "better_models.2",
    hint="Count on paper: what do a mirror and quarter turns make of the letter F?",
    blank=lambda image: ...,
    right=lambda image: [
        view[::r, ::c]
        for view in (image, image.transpose(1, 0, 2))
        for r, c in ((1, 1), (1, -1), (-1, 1), (-1, -1))
    ],
    wrong=[
        (lambda image: [image[:2]], "keep a square"),
        (lambda image: [image, 0 * image], "changes none"),
        (lambda image: [image, image[:, :, ::-1]], "axis is colour"),
        (lambda image: [image, image[::-1], image[::-1]], "occur twice"),
        (lambda image: [image[::-1]], "itself is missing"),
        (lambda image: [np.rot90(image, k) for k in range(4)], "You have 4"),
        (
            lambda image: [np.rot90(view, k) for view in (image[::-1], image) for k in range(4)],
            "itself first",
        ),
    ],
)
def _views(answer):
    image = np.arange(4 * 4 * 3).reshape(4, 4, 3)
    found = [np.asarray(v) for v in answered(answer(image.copy()))]
    if any(v.shape != image.shape for v in found):
        raise Hint("Each view has the shape of the image: flips and turns keep a square.")
    if any(not np.array_equal(np.sort(v, axis=None), np.arange(48)) for v in found):
        raise Hint("A view moves pixels and changes none.")
    pixels = set(map(tuple, image.reshape(-1, 3)))
    if any(set(map(tuple, v.reshape(-1, 3))) != pixels for v in found):
        raise Hint("The last axis is colour: turn and flip the first two only.")
    different = {v.tobytes() for v in found}
    if len(different) < len(found):
        raise Hint(f"Some occur twice: {len(found)} images, {len(different)} different ones.")
    if image.tobytes() not in different:
        raise Hint("The image itself is missing.")
    if len(found) < 8:
        raise Hint(
            f"You have {len(found)}. Mirror the image, and turn the mirrored one by quarters too."
        )
    if not np.array_equal(found[0], image):
        raise Hint("All are there: put the image itself first.")
    return "Eight: four turns, and four of the mirrored image. More flips give the same again."


GAINS = {
    "clear": Estimate(0.03, 0.02, 0.04),
    "narrow": Estimate(0.008, 0.004, 0.014),
    "just": Estimate(0.02, 0.002, 0.04),
    "inconclusive": Estimate(0.01, -0.01, 0.03),
    "loss": Estimate(-0.02, -0.03, -0.01),
}


@exercise(
    "better_models.3",
    hint="How far is the lower end from the value? Make that distance longer, then look at zero.",
    given={"gains": GAINS},
    right={"clear", "narrow"},
    wrong=[
        ({"clear", "narrow", "just"}, "That is the rule for one comparison"),
        ({"clear"}, "is missing"),
        ({"clear", "narrow", "loss"}, "below zero"),
        ({"clear", "narrow", "inconclusive"}, "holds zero already"),
        ({"clear", "narrow", "x"}, "no rung"),
        ("clear", "set of names"),
    ],
)
def _still_shown(answer, gains):
    answer = answered(answer)
    if not isinstance(answer, set | list | tuple):
        raise Hint('Give a set of names, such as {"augmentation"}.')
    answer = set(answer)
    if unknown := answer - set(gains):
        raise Hint(f"There is no rung {min(map(str, unknown))!r}.")
    right = {n for n, e in gains.items() if e.value - 1.43 * (e.value - e.low) > 0}
    single = {n for n, e in gains.items() if e.low > 0}
    if losses := {n for n in answer if gains[n].high < 0}:
        raise Hint(f"The gain of {min(losses)!r} lies below zero.")
    if answer == single != right:
        raise Hint("That is the rule for one comparison: make the intervals wider first.")
    if unclear := answer - single:
        raise Hint(f"The interval of {min(unclear)!r} holds zero already.")
    if too_many := answer - right:
        raise Hint(f"The wider interval of {min(too_many)!r} holds zero.")
    if missing := right - answer:
        raise Hint(f"{len(missing)} is missing: the lower end is value - 1.43 * (value - low).")
    return f"{len(right)} of {len(gains)} gains pass the strict rule."


@exercise(
    "better_models.4",
    hint="A weight multiplies the odds of every answer. Which odds does a threshold stand for?",
    given={"weight": 4},
    right=0.8,
    wrong=[
        (0.5, "Nothing moved"),
        (0.2, "other way"),
        (4, "Those are the odds"),
        (2, "not the probability"),
        (0.125, "use the odds"),
        (0.9, "odds of 1"),
    ],
)
def _same_decisions(answer, weight):
    refuse(
        answer,
        {
            "Nothing moved: but the weight made every answer larger.": 0.5,
            "The other way: weighted answers are larger, so the threshold must be higher.": (
                1 / (1 + weight)
            ),
            "Those are the odds: turn them into a probability.": weight,
            "The odds grow by the weight, not the probability: that would be above 1.": weight / 2,
            "You divided the probability: use the odds, p / (1 - p).": 0.5 / weight,
        },
    )
    if not near(answer, weight / (1 + weight)):
        raise Hint("A threshold of 0.5 means odds of 1. What are they after the weight?")
    return "A weight is a moved threshold that costs a training."
