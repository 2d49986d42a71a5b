"""Chooses and writes the real images of data/samples/, which may be shown.

    ISIC2017_DIR=/folder/of/isic2017 python -m course.build.samples

The folder holds ``metadata.csv``, ``images/`` and ``isic2016_training_ids.txt``, the images whose
licence is CC0."""

import hashlib
import sys

import pandas as pd

from utils import images, settings

SEED = 0
# Pixels a side, melanomas, other lesions. No image, and no content, is in both.
SETS = {"samples": (256, 24, 36), "elsewhere": (128, 60, 240)}
SOURCE = "ISIC 2016 challenge, training list; the copy of ISIC 2017"
DIAGNOSES = {"melanoma": "melanoma", "other": "nevus or seborrheic keratosis"}


def candidates(folder):
    """The images that may be shown, one of each content, in an order that only ``SEED`` decides.

    Parameters
    ----------
    folder : Path
        Of ISIC 2017.

    Returns
    -------
    DataFrame
        ``image_id`` and ``label``, melanoma or other.
    """
    ids = (folder / "isic2016_training_ids.txt").read_text(encoding="utf-8").split()
    table = pd.read_csv(folder / "metadata.csv").set_index("image_id").loc[ids].reset_index()
    table["label"] = table["melanoma"].map({1: "melanoma", 0: "other"})
    pixels = [images.read(folder / "images" / f"{image_id}.jpg").tobytes() for image_id in ids]
    table["content"] = [hashlib.sha256(one).hexdigest() for one in pixels]
    order = [hashlib.sha256(f"{SEED}:{image_id}".encode()).hexdigest() for image_id in ids]
    table = table.assign(order=order).sort_values("order").drop_duplicates("content")
    return table[["image_id", "label"]]


def write():
    """Write data/samples/ and data/samples/elsewhere/ anew, each with its table.

    Raises
    ------
    SystemExit
        If ``$ISIC2017_DIR`` is not set.
    """
    folder = settings.folder("ISIC2017_DIR")
    if folder is None:
        sys.exit("data/samples is as it was: set ISIC2017_DIR to a folder of ISIC 2017.")
    left = candidates(folder)
    for name, (size, melanomas, others) in SETS.items():
        wanted = {"melanoma": melanomas, "other": others}
        chosen = pd.concat([left[left["label"] == k].head(n) for k, n in wanted.items()])
        left = left.drop(chosen.index)
        _write_set(name, size, chosen.sort_values("image_id"), folder)


def _write_set(name, size, chosen, folder):
    place = settings.make_folder(settings.SAMPLES[name])
    for old in place.glob("*.jpg"):
        old.unlink()
    for image_id in chosen["image_id"]:
        # `read` leaves EXIF, profile and thumbnail behind; the copies are squares already.
        image = images.read(folder / "images" / f"{image_id}.jpg").resize((size, size))
        image.save(place / f"{image_id}.jpg", quality=90, optimize=True)
    described = chosen.assign(
        diagnosis=chosen["label"].map(DIAGNOSES),
        source=SOURCE,
        licence="CC0 1.0",
        shape="squashed to a square",
    )
    settings.write_text(place / f"{name}.csv", described.to_csv(index=False))


if __name__ == "__main__":
    write()
