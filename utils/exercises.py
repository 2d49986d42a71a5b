"""Exercises that check themselves: ``check("02.1", answer)`` says right, not yet, or not begun.

An exercise never stops a notebook. A check raises ``Hint`` with a sentence for whoever gave a
typical wrong answer, and returns the sentence that the right answer earns. For every exercise
tests/test_exercises.py tries the blank, each named wrong answer and the solution.
"""

import numpy as np

CHECKS = {}


class Hint(Exception):
    """Why an answer is not right yet, and what to think of next."""


class Blank(Exception):
    """Nothing is answered yet."""


def exercise(number):
    """Register a check: ``check(answer, **given)`` that raises ``Hint`` or returns a sentence."""

    def register(function):
        CHECKS[number] = function
        return function

    return register


def check(number, answer, /, **given):
    """Print whether an answer is right.

    Parameters
    ----------
    number : str
        Of the exercise, as ``"02.1"``.
    answer : object
        The learner's; ``...`` where nothing is answered yet. A function is called by its check.
    **given : object
        What the check compares with, such as the lesson's table.

    Raises
    ------
    KeyError
        If there is no such exercise.
    """
    print(f"Exercise {number}: {_judged(number, answer, given)}")


def solution(number, answer, /, **given):
    """As ``check``, for the folded solution that stands below an exercise."""
    print(f"Solution of {number}: {_judged(number, answer, given)}")


def _judged(number, answer, given):
    judge = CHECKS[number]
    try:
        return "right. " + judge(answered(answer), **given)
    except Blank:
        return "nothing answered yet. Replace the ... and run this cell again."
    except Hint as hint:
        return f"not yet. {hint}"
    except Exception as error:  # of the learner's own function
        return f"not yet. Your code stopped with {type(error).__name__}: {error}"


def answered(value):
    """The value, or ``Blank`` if it is still ``...``, or a ``Hint`` if it is None."""
    if value is ...:
        raise Blank
    if value is None:
        raise Hint("That is None: does your function end with `return`?")
    return value


def number(value):
    """The value as a float, or a ``Hint`` if it is not a single number."""
    try:
        return float(answered(value))
    except (TypeError, ValueError):
        raise Hint(f"The answer is one number, not {type(value).__name__}.") from None


def near(value, target, tolerance=0.005):
    """Whether two numbers agree to the second decimal."""
    return bool(abs(number(value) - target) <= tolerance)


# --- 00 quickstart -------------------------------------------------------------------------------


@exercise("00.1")
def _constant_accuracy(answer, melanomas, images):
    answer, benign = number(answer), 1 - melanomas / images
    if near(answer, 100 * benign, 0.5):
        raise Hint("Write it as a share between 0 and 1.")
    if near(answer, melanomas / images):
        raise Hint("That is how often it is wrong: it misses every melanoma.")
    if near(answer, 0.5):
        raise Hint("It does not toss a coin: it says benign every time. How often is that so?")
    if not near(answer, benign):
        raise Hint("Count the pictures for which the answer benign is right.")
    return "Without looking at a picture: an accuracy means nothing until this stands beside it."


@exercise("00.2")
def _sensitivity(answer, confusion):
    (tn, fp), (fn, tp) = np.asarray(confusion)
    answer = number(answer)
    for wrong, value in (
        ("That is the precision: of those called melanoma, how many are.", tp / (tp + fp)),
        ("That is the specificity: it belongs to the benign row.", tn / (tn + fp)),
        ("That is the accuracy, which mixes both rows.", (tn + tp) / (tn + fp + fn + tp)),
        ("That is the share that was missed. Who was found?", fn / (fn + tp)),
    ):
        if near(answer, value):
            raise Hint(wrong)
    if not near(answer, tp / (tp + fn)):
        raise Hint("Stay in the row of true melanomas: found, divided by all of them.")
    return f"Of {fn + tp} melanomas it finds {tp}: that is what a patient would ask first."


@exercise("00.3")
def _is_one_better(answer):
    if answer in ("MobileNetV2", "colours"):
        raise Hint(
            "Look at the intervals: each number lies well inside the other's. Would another 200 "
            "pictures have to give the same order?"
        )
    if answer != "neither":
        raise Hint('Answer "MobileNetV2", "colours" or "neither".')
    return "What lies within the noise of the test set is not a difference."


# --- 01 data loading -----------------------------------------------------------------------------


@exercise("01.1")
def _share_of_lesions(answer, table):
    answer = number(answer)
    share = (table.drop_duplicates("lesion_id")["dx"] == "mel").mean()
    if near(answer, (table["dx"] == "mel").mean()):
        raise Hint("That is the share of the photographs: some lesions have several.")
    if near(answer, 1 - share):
        raise Hint("That is the share of the benign lesions.")
    if answer > 1:
        raise Hint("Write it as a share between 0 and 1: divide by the number of lesions.")
    if not near(answer, share):
        raise Hint("Keep one row a lesion, then ask in how many of them dx is mel.")
    return "Melanomas are photographed more often than other lesions."


@exercise("01.2")
def _allowed_columns(answer):
    if isinstance(answer, str):
        raise Hint('Give a set of names, such as {"age"}.')
    answer = set(answer)
    if "dx" in answer:
        raise Hint("dx is what the model shall find out.")
    if "dx_type" in answer:
        raise Hint("dx_type says how the diagnosis was confirmed. When is that known?")
    if answer & {"lesion_id", "image_id"}:
        raise Hint("An id is a name: the next patient's lesion has another one.")
    missing = {"age", "sex", "localization"} - answer
    if missing:
        raise Hint(f"The doctor knows one more thing: what of {min(missing)}?")
    if answer != {"age", "sex", "localization"}:
        raise Hint("Take names of the list only.")
    return "The patient brings them along. All other columns come from, or after, the diagnosis."


@exercise("01.3")
def _middle_square(answer):
    for height, width in ((150, 200), (200, 150), (4, 9), (5, 5)):
        image = np.arange(height * width * 3).reshape(height, width, 3)
        found, side = np.asarray(answered(answer(image))), min(height, width)
        shape = f"from a picture of shape {image.shape}"
        if found.shape == image.shape and height != width:
            raise Hint(f"Nothing is cut {shape}.")
        if found.shape != (side, side, 3):
            raise Hint(f"The result has shape {found.shape} {shape}, not {(side, side, 3)}.")
        top, left = (height - side) // 2, (width - side) // 2
        if np.array_equal(found, image[:side, :side]) and (top or left):
            raise Hint("That is the top left corner. Where does the middle square begin?")
        if not np.array_equal(found, image[top : top + side, left : left + side]):
            raise Hint("The shape is right, but it is not the middle, or not the picture's pixels.")
    return "It keeps every pixel of the middle, and nothing is squashed."


@exercise("01.4")
def _pipeline(answer):
    answer = list(answer)
    names = ["augment", "batch", "cache", "prefetch", "shuffle"]
    if sorted(answer) != names:
        raise Hint(f"Use each of {', '.join(names)} once.")
    place = {name: answer.index(name) for name in names}
    if answer[-1] != "prefetch":
        raise Hint("prefetch prepares what the network gets next: nothing may come after it.")
    if place["shuffle"] < place["cache"]:
        raise Hint("What is cached is repeated: every epoch would come in the same order.")
    if place["augment"] < place["cache"]:
        raise Hint("What is cached is repeated: every epoch would see the same flips.")
    if place["batch"] < place["shuffle"]:
        raise Hint("Shuffling after batching moves whole batches: the same 32 stay together.")
    return "Decode once, mix anew in each epoch, flip, pack, and prepare ahead."


# --- 02 splitting --------------------------------------------------------------------------------


@exercise("02.1")
def _shared_lesions(answer):
    train, validation = ["a", "a", "b", "c", "d"], ["a", "c", "c", "e"]
    found = answered(answer(train, validation))
    if isinstance(found, (set, list, tuple)):
        raise Hint("Those are the lesions themselves: how many are they?")
    found = number(found)
    if found == 3:
        raise Hint("You counted pictures: a lesion photographed twice is still one lesion.")
    if found == 1:
        raise Hint("You counted the lesions that are *not* shared.")
    if found != 2 or number(answer(["x", "x"], ["y"])) != 0:
        raise Hint(f"For {train} and {validation} two lesions are in both, a and c.")
    return "A clean split answers 0."


@exercise("02.2")
def _groups_left(answer):
    answer = number(answer)
    if answer == 6:
        raise Hint("That is the number of names. Which of them mean the same lesion?")
    if answer == 4:
        raise Hint("A-C and D-E are joined: follow the third pair too.")
    if answer == 1:
        raise Hint("Nobody said anything about B and F.")
    if answer != 3:
        raise Hint("Draw six points and three lines: how many islands are there?")
    return "Togetherness is passed on along the lines."


@exercise("02.3")
def _validation_rows(answer):
    groups = np.array(list("aabcdddeefgghiij"))
    rows = np.asarray(answered(answer(groups, 4)))
    if rows.dtype != bool or rows.shape != groups.shape:
        raise Hint("Return one True or False for each picture: try np.isin.")
    if set(groups[rows]) & set(groups[~rows]):
        raise Hint("A group is in both parts: choose among the groups, not among the pictures.")
    if len(set(groups[rows])) != 4:
        n = len(set(groups[rows]))
        raise Hint(f"Of 4 groups that were asked for, {n} went to validation.")
    again = np.asarray(answer(groups[::-1], 4))
    if set(groups[::-1][again]) != set(groups[rows]):
        raise Hint(
            "In another order of the pictures other groups are chosen: sort the names first."
        )
    return "Whole groups only, and the order of the rows does not matter."


@exercise("02.4")
def _times_as_many(answer):
    answer = number(answer)
    if near(answer, 3):
        raise Hint("In the figure the width falls by half at four times the pictures, not at two.")
    if near(answer, 1 / 9) or near(answer, 1 / 3):
        raise Hint("A smaller interval needs more pictures, not fewer.")
    if near(answer, 3**0.5, 0.02):
        raise Hint("The other way round: the width falls with the root of the number.")
    if not near(answer, 9):
        raise Hint("Three times as narrow: what must be squared?")
    return "That is why medical studies are large, and why 200 pictures prove little."


# --- 03 MobileNetV2 ------------------------------------------------------------------------------


@exercise("03.1")
def _separable_parameters(answer, kernel, c_in, c_out):
    answer, depthwise, pointwise = number(answer), kernel**2 * c_in, c_in * c_out
    for wrong, *values in (
        ("That is a plain convolution.", depthwise * c_out, depthwise * c_out + c_out),
        ("That is the depthwise part alone: who mixes the channels?", depthwise, depthwise + c_out),
        (
            "That is the pointwise part alone: who looks at neighbours?",
            pointwise,
            pointwise + c_out,
        ),
        ("The two parts come one after the other: add them.", depthwise * pointwise),
        ("Nearly: what does each output channel add to its sum?", depthwise + pointwise),
        ("Only the pointwise part has biases here.", depthwise + c_in + pointwise + c_out),
    ):
        if answer in values:
            raise Hint(wrong)
    if answer != depthwise + pointwise + c_out:
        raise Hint("One kernel for each channel in, one number for each pair of channels, biases.")
    times = (depthwise * c_out + c_out) / answer
    return f"A plain convolution has {times:.1f} times as many."


@exercise("03.2")
def _strided_macs(answer, side, channels, kernel, stride):
    answer, numbers = number(answer), kernel**2 * channels
    right = (side // stride) ** 2 * numbers
    for wrong, value in (
        ("That is without the stride: at how many places is the kernel laid?", side**2 * numbers),
        ("Twice too many: both sides shrink, and a multiply-add is one step.", 2 * right),
        ("That is a plain convolution: here no channel sees another.", right * channels),
        ("Those are the parameters: each of them is used at every place.", numbers),
        ("You left the channels out: each has its own kernel.", right / channels),
    ):
        if answer == value:
            raise Hint(wrong)
    if answer != right:
        raise Hint("Places in the output, times kernel, times channels.")
    return "The stride saves as much as leaving out three kernels of four."


@exercise("03.3")
def _receptive_field(answer, kernels, strides):
    answer, right, early, jump = number(answer), 1, 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        right += (kernel - 1) * jump
        jump *= stride
        early += (kernel - 1) * jump
    for wrong, value in (
        ("That is without the strides.", 1 + sum(k - 1 for k in kernels)),
        (
            "Neighbouring kernels overlap: each layer adds a border, it does not add itself.",
            sum(kernels),
        ),
        ("Fields do not multiply: each layer adds a border on both sides.", np.prod(kernels)),
        ("A stride spreads the layers *after* it, not its own kernel.", early),
    ):
        if answer == value:
            raise Hint(wrong)
    if answer != right:
        raise Hint("Walk through the layers with two numbers: field and jump.")
    return "Strides early in a network widen the view of all later layers."


@exercise("03.4")
def _scaled_pixels(answer):
    pixels = np.array([[0, 51], [204, 255]], np.uint8)
    found = np.asarray(answered(answer(pixels)))
    if found.shape != pixels.shape:
        raise Hint(f"The result has shape {found.shape}, not {pixels.shape}: treat every pixel.")
    ranges = {
        "That is 0 to 1. Where does 0 have to go?": (0, 1),
        "That is -0.5 to 0.5: the middle is right, the range is half as wide.": (-0.5, 0.5),
        "The range is upside down: black must become -1.": (1, -1),
        "255 must become 1, not 2: subtract after dividing, or divide by half of 255.": (0, 2),
    }
    for wrong, (low, high) in ranges.items():
        if np.allclose(found, low + (high - low) * (pixels / 255)):
            raise Hint(wrong)
    right = pixels / 127.5 - 1
    if np.allclose(found, right):
        return "Black becomes -1, white 1: what the weights were trained with."
    if np.allclose(np.asarray(answer(pixels.astype(float)), float), right):
        raise Hint(
            "Right for floats, wrong for uint8, which wraps around after 255: convert first."
        )
    given, got = pixels.ravel().tolist(), np.round(found.astype(float).ravel(), 3).tolist()
    raise Hint(f"{given} became {got}. What should 0 and 255 become?")


# --- 04 training and fine-tuning ----------------------------------------------------------------


@exercise("04.1")
def _parameters_of_a_head(answer, inputs, neurons):
    answer, first = number(answer), inputs * neurons
    for wrong, value in (
        ("Each neuron has a bias too, the last one included.", first + neurons),
        ("Nearly: the last neuron has a bias too.", first + 2 * neurons),
        ("The second layer: one number for each of its inputs, and a bias.", first),
        ("The second layer is missing: it turns all neurons into one.", first + neurons + 1),
        ("Each input is joined to each neuron: that is a product.", inputs + neurons + 1),
    ):
        if answer == value:
            raise Hint(wrong)
    if answer != first + neurons + neurons + 1:
        raise Hint("Dense: inputs times outputs, and one bias for each output. There are two.")
    return "Few beside the base, and still more than 200 for each training picture."


@exercise("04.2")
def _times_faster(answer, plain, frozen, epochs):
    answer, rest = number(answer), plain - frozen
    for wrong, value in (
        ("That leaves out the one pass through the frozen layers.", plain / rest),
        ("That is how many times longer the plain way takes for the frozen part.", epochs),
        (
            "Upside down: how long is the plain way, measured in the other?",
            (frozen + epochs * rest) / (epochs * plain),
        ),
        ("That is the frozen part's share, not a speed.", frozen / plain),
        ("Those are the seconds that are saved.", epochs * plain - frozen - epochs * rest),
    ):
        if near(answer, value):
            raise Hint(wrong)
    if not near(answer, epochs * plain / (frozen + epochs * rest), 0.05):
        raise Hint("Seconds of the plain way, divided by: once the frozen part, then the rest.")
    return "The more epochs, the nearer it comes to the ratio of the two epochs."


@exercise("04.3")
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


@exercise("04.4")
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


# --- 05 evaluation -------------------------------------------------------------------------------


@exercise("05.1")
def _matrix_by_hand(answer):
    truth = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
    called = np.array([0, 0, 0, 1, 1, 0, 1, 1, 1, 0])
    found, right = np.asarray(answered(answer(truth, called))), np.array([[4, 2], [1, 3]])
    if found.shape != (2, 2):
        raise Hint(f"The result has shape {found.shape}, not (2, 2): two rows of two counts.")
    for wrong, value in (
        ("Rows and columns are exchanged: here the rows are the truth.", right.T),
        ("Melanoma stands first: here benign has the first row and column.", right[::-1, ::-1]),
        ("Only the rows are in the wrong order: truly benign comes first.", right[::-1]),
        ("Only the columns are in the wrong order: called benign comes first.", right[:, ::-1]),
        ("Those are shares: counts say how many pictures they rest on.", right / 10),
        ("Those are shares: counts say how many pictures they rest on.", right / [[6], [4]]),
    ):
        if np.allclose(found, value):
            raise Hint(wrong)
    if not np.array_equal(found, right):
        raise Hint(f"For truth {truth.tolist()} and called {called.tolist()}: count one cell.")
    return "All other measures at this threshold are made of these four counts."


@exercise("05.2")
def _break_even_cost(answer, careful, brisk):
    (missed, alarms), (missed_more, alarms_less) = careful, brisk
    more_alarms, fewer_missed = alarms - alarms_less, missed_more - missed
    answer, right = number(answer), more_alarms / fewer_missed
    for wrong, value in (
        ("Upside down: how many false alarms for one melanoma?", 1 / right),
        ("That is what all the melanomas together cost: share it among them.", more_alarms),
        ("That is within the careful threshold alone: what does it cost *more*?", alarms / missed),
        ("That is within the brisk threshold alone.", alarms_less / missed_more),
        ("You divided by all that the brisk one misses.", more_alarms / missed_more),
    ):
        if near(answer, value):
            raise Hint(wrong)
    if not near(answer, right):
        raise Hint("Set the two sums of costs equal, and solve for the cost of a miss.")
    return "Whoever finds a miss worse than that takes the careful threshold."


@exercise("05.3")
def _precision_at(answer, sensitivity, specificity, prevalence):
    answer = number(answer)
    hits, alarms = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    for wrong, value in (
        (
            "That is the sensitivity: it starts from the melanomas, not from the alarms.",
            sensitivity,
        ),
        (
            "That holds where every second lesion is a melanoma.",
            sensitivity / (sensitivity + 1 - specificity),
        ),
        ("Those are the true alarms: divide by all alarms.", hits),
        ("Those are all alarms: which share of them is true?", hits + alarms),
        ("That is the share of false alarms among the alarms.", alarms / (hits + alarms)),
        (
            "You let the specificity ring: the benign that ring are 1 minus it.",
            hits / (hits + specificity * (1 - prevalence)),
        ),
    ):
        if near(answer, value, 0.0005):
            raise Hint(wrong)
    if near(answer, 100 * hits / (hits + alarms), 0.05):
        raise Hint("Write it as a share between 0 and 1.")
    if not near(answer, hits / (hits + alarms), 0.0005):
        raise Hint("Imagine 10,000 people: how many true alarms, how many false ones?")
    return "Nearly all alarms are false, though the model is the same."


@exercise("05.4")
def _prior_shift(answer, says, before, after):
    answer = number(answer)
    odds = says / (1 - says) * (after / (1 - after)) / (before / (1 - before))
    back = says / (1 - says) * (before / (1 - before)) / (after / (1 - after))
    for wrong, value in (
        (
            "Scale the odds, not the probability: else some would come out above 1.",
            says * after / before,
        ),
        ("Those are the odds: turn them back into a probability.", odds),
        (
            "That is the other direction: rarer melanomas make a probability smaller.",
            back / (1 + back),
        ),
        ("Nothing changed: melanomas are rarer here than where it learned.", says),
        ("That is the prevalence: the picture has said something too.", after),
    ):
        if near(answer, value):
            raise Hint(wrong)
    if not near(answer, odds / (1 + odds)):
        raise Hint("Odds p / (1 - p); times new odds of the prevalence over old; back again.")
    return "The picture's evidence stays, what was known before it changes."


@exercise("05.5")
def _accuracy_of_the_claim(answer, melanomas, images, sensitivity, precision):
    found = sensitivity * melanomas
    alarms = found * (1 - precision) / precision
    answer, right = number(answer), 1 - (melanomas - found + alarms) / images
    if near(answer, 0.852, 0.001):
        raise Hint("That is what was claimed. What follows from the other two numbers?")
    if answer > 1:
        raise Hint("Write it as a share between 0 and 1: divide by the number of pictures.")
    for wrong, value in (
        (
            "That is the F1: it leaves out the benign lesions that are left in peace.",
            2 * sensitivity * precision / (sensitivity + precision),
        ),
        ("You forgot the false alarms.", 1 - (melanomas - found) / images),
        ("You forgot the missed melanomas.", 1 - alarms / images),
        (
            "False alarms: precision is of those *called* melanoma, not of the benign.",
            1 - (melanomas - found + (1 - precision) * (images - melanomas)) / images,
        ),
    ):
        if near(answer, value, 0.002):
            raise Hint(wrong)
    if not near(answer, right):
        raise Hint(
            "Melanomas found; from these and the precision the false alarms; then all wrong."
        )
    return "The claimed accuracy and the claimed precision and recall exclude each other."


@exercise("05.6")
def _is_a_better(answer):
    if answer == "nothing shown":
        raise Hint("The two intervals overlap, but on the same pictures luck strikes both alike.")
    if answer == "B":
        raise Hint("The difference is A minus B: what does its sign say?")
    if answer == "the recipe of A":
        raise Hint("One training of each was judged: who says the next seed gives the same?")
    if answer != "this A":
        raise Hint('Answer "this A", "the recipe of A", "B" or "nothing shown".')
    return "The trained model A, on lesions like these. Of its recipe only several seeds can tell."


# --- 06 better models ----------------------------------------------------------------------------


@exercise("06.1")
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


@exercise("06.2")
def _views(answer):
    image = np.arange(4 * 4 * 3).reshape(4, 4, 3)
    found = [np.asarray(v) for v in answered(answer(image.copy()))]
    if any(v.shape != image.shape for v in found):
        raise Hint("Each view has the shape of the picture: flips and turns keep a square.")
    if any(not np.array_equal(np.sort(v, axis=None), np.arange(48)) for v in found):
        raise Hint("A view moves pixels and changes none.")
    if any(
        set(map(tuple, v.reshape(-1, 3))) != set(map(tuple, image.reshape(-1, 3))) for v in found
    ):
        raise Hint("The last axis is colour: turn and flip the first two only.")
    different = {v.tobytes() for v in found}
    if len(different) < len(found):
        raise Hint(f"Some occur twice: {len(found)} pictures, {len(different)} different ones.")
    if image.tobytes() not in different:
        raise Hint("The picture itself is missing.")
    if len(found) < 8:
        raise Hint(
            f"You have {len(found)}. Mirror the picture, and turn the mirrored one by quarters too."
        )
    if not np.array_equal(found[0], image):
        raise Hint("All are there: put the picture itself first.")
    return "Eight: four turns, and four of the mirrored picture. More flips give the same again."


@exercise("06.3")
def _same_decisions(answer, weight):
    answer, right = number(answer), weight / (1 + weight)
    for wrong, value in (
        ("Nothing moved: but the weight made every answer larger.", 0.5),
        (
            "The other way: weighted answers are larger, so the bar must be higher.",
            1 / (1 + weight),
        ),
        ("Those are the odds: turn them into a probability.", weight),
        ("The odds grow by the weight, not the probability: that would be above 1.", 0.5 * weight),
        ("You divided the probability: use the odds, p / (1 - p).", 0.5 / weight),
    ):
        if near(answer, value):
            raise Hint(wrong)
    if not near(answer, right):
        raise Hint("A threshold of 0.5 means odds of 1. What are they after the weight?")
    return "A weight is a moved threshold, paid for with a training."


@exercise("06.4")
def _power_law(answer, low, high, doublings):
    answer, shrinks = number(answer), (1 - high) / (1 - low)
    right = 1 - (1 - high) * shrinks**doublings
    for wrong, value in (
        (
            "That is a straight line: each doubling leaves the same *share*.",
            high + doublings * (high - low),
        ),
        ("One doubling more than 3,000: 12,000 are two.", 1 - (1 - high) * shrinks),
        ("That is what is left to 1: the AUC is the rest.", 1 - right),
        ("The share is of 1 - AUC, not of the AUC.", high * (high / low) ** doublings),
    ):
        if near(answer, value, 0.0005):
            raise Hint(wrong)
    if not near(answer, right, 0.001):
        raise Hint("(1 - 0.86) / (1 - 0.84) is left by one doubling; 12,000 are two from 3,000.")
    return "If the law held: two points make no law, and the intervals here are wide."
