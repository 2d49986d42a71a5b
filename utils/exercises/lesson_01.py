"""Exercises of lesson 01, data loading."""

import numpy as np
import pandas as pd

from utils.exercises.registry import Hint, answered, exercise, near, number


@exercise(
    "01.1",
    hint="How many lesions are there, and of how many is dx mel?",
    given={
        "table": pd.DataFrame(
            {
                "lesion_id": list("aabcddde"),
                "dx": ["mel", "mel", "nv", "nv", "mel", "mel", "mel", "bkl"],
            }
        )
    },
    right=2 / 5,
    wrong=[
        (5 / 8, "share of the photographs"),
        (3 / 5, "benign"),
        (2, "between 0 and 1"),
        (0.1, "one row a lesion"),
    ],
)
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


@exercise(
    "01.2",
    hint="Ask of each column: who knows it, and when?",
    right={"age", "sex", "localization"},
    wrong=[
        ({"age", "dx"}, "has to find out"),
        ({"age", "sex", "localization", "dx_type"}, "When is that known"),
        ({"age", "image_id"}, "is a name"),
        ({"age", "sex"}, "what of localization"),
        ({"age", "sex", "localization", "colour"}, "of the list only"),
        ("age", "set of names"),
    ],
)
def _allowed_columns(answer):
    if isinstance(answer, str):
        raise Hint('Give a set of names, such as {"age"}.')
    answer = set(answer)
    if "dx" in answer:
        raise Hint("dx is what the model has to find out.")
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


def _middle(image):
    (h, w), side = image.shape[:2], min(image.shape[:2])
    return image[(h - side) // 2 : (h + side) // 2, (w - side) // 2 : (w + side) // 2]


@exercise(
    "01.3",
    hint="The square is as large as the shorter side. What is left over, on each side of it?",
    blank=lambda image: ...,
    right=_middle,
    wrong=[
        (lambda image: image, "Nothing is cut"),
        (lambda image: image[:, 25:175], "has shape"),
        (lambda image: image[: min(image.shape[:2]), : min(image.shape[:2])], "top left"),
        (lambda image: _middle(image)[::-1], "not the middle"),
        (lambda image: None, "return"),
    ],
)
def _middle_square(answer):
    for height, width in ((150, 200), (200, 150), (4, 9), (5, 5)):
        image = np.arange(height * width * 3).reshape(height, width, 3)
        found, side = np.asarray(answered(answer(image))), min(height, width)
        shape = f"from an image of shape {image.shape}"
        if found.shape == image.shape and height != width:
            raise Hint(f"Nothing is cut {shape}.")
        if found.shape != (side, side, 3):
            raise Hint(f"The result has shape {found.shape} {shape}, not {(side, side, 3)}.")
        top, left = (height - side) // 2, (width - side) // 2
        if np.array_equal(found, image[:side, :side]) and (top or left):
            raise Hint("That is the top left corner. Where does the middle square begin?")
        if not np.array_equal(found, image[top : top + side, left : left + side]):
            raise Hint("The shape is right, but it is not the middle, or not the image's pixels.")
    return "It keeps every pixel of the middle, and nothing is squashed."


@exercise(
    "01.4",
    hint="What has to be new in each epoch must come after the step that is done only once.",
    right=["cache", "shuffle", "augment", "batch", "prefetch"],
    wrong=[
        (["shuffle", "batch"], "once"),
        (["cache", "shuffle", "augment", "prefetch", "batch"], "nothing may come after"),
        (["shuffle", "cache", "augment", "batch", "prefetch"], "same order"),
        (["augment", "cache", "shuffle", "batch", "prefetch"], "same flips"),
        (["cache", "batch", "shuffle", "augment", "prefetch"], "stay together"),
    ],
)
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
    return "Decode once, shuffle anew in each epoch, flip, batch, and prepare ahead."
