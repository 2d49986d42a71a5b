"""Data sets by name: images, the table that describes them, and where they come from.

HAM10000 (``load_lesions``, from one of three sources) is taught in the lesson data; the
others (``load_set``) are for judging models. Licences and the layout of ``data/``: data/README.md.
"""

import hashlib
import os
import textwrap
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils import settings
from utils.data import kaggle
from utils.data.folder import Folder
from utils.data.metadata import COLUMNS, DX
from utils.data.segmentation import masks
from utils.data.sets import SETS
from utils.data.synthetic import Synthetic

__all__ = [
    "COLUMNS",
    "DX",
    "SETS",
    "SOURCES",
    "Lesions",
    "fingerprint",
    "load_lesions",
    "load_set",
    "load_table",
    "masks",
]

SOURCES = ("folder", "kaggle", "synthetic")
SMALLEST = 28  # pixels


@dataclass(frozen=True, eq=False)
class Lesions:
    """Images and what is known of them.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, h, w, 3), or of str, shape (n,)
        RGB, 0..255; or absolute paths of PNGs of h x w such pixels.
    table : DataFrame
        One row an image, in the images' order, index 0..n-1.
    source : str
        Where they come from: ``"folder"``, ``"kaggle"``, ``"synthetic"`` or ``"repository"``.
    data_set : str
        ``"ham10000"`` or a name of ``SETS``.
    """

    images: np.ndarray
    table: pd.DataFrame
    source: str
    data_set: str = "ham10000"

    def __len__(self):
        return len(self.table)

    @property
    def drawn(self):
        """Whether they are drawn, so that no number from them says anything about skin: bool."""
        return self.source == "synthetic"

    @property
    def melanoma(self):
        """ndarray of int64, shape (n,): 1 where the diagnosis is melanoma, else 0."""
        return (self.table["dx"] == "mel").to_numpy(np.int64)

    @property
    def diagnosis(self):
        """ndarray of int64, shape (n,): where each diagnosis stands in ``DX``, -1 if it is not."""
        return pd.Index(DX).get_indexer(self.table["dx"]).astype(np.int64)

    def subset(self, name):
        """The lesions whose column ``split`` says ``name``, as Lesions.

        Raises
        ------
        ValueError
            If the table has no such subset.
        """
        subsets = list(pd.unique(self.table["split"])) if "split" in self.table else []
        if name not in subsets:
            raise ValueError(
                f"There is no subset {name!r}, only {subsets}: load with select=splits.mini or "
                "splits.full."
            )
        return self.take(np.flatnonzero(self.table["split"] == name))

    def take(self, rows):
        """The images of these row numbers, in this order, as Lesions."""
        table = self.table.iloc[rows].reset_index(drop=True)
        return Lesions(self.images[rows], table, self.source, self.data_set)


def load_table(source="auto"):
    """What is known of each image, without any image.

    Parameters
    ----------
    source : {"auto", "folder", "kaggle", "synthetic"}
        ``auto`` takes ``$HAM10K_SOURCE`` if it is set, else the first source that is there. A line
        says which, once in a process.

    Returns
    -------
    table : DataFrame
        ``COLUMNS`` and ``copy_of``, the image_id of the first image with identical bytes
        (the image itself if there is none before it). Rows in the source's own order.
    source : str

    Raises
    ------
    ValueError
        If the source is unknown or its table is wrong.
    OSError
        If the folder, its table or some of its images are not there (FileNotFoundError) or may not
        be read.
    ConnectionError
        If ``source="kaggle"`` and Kaggle cannot be reached.
    """
    opened = _open(source, SMALLEST)
    return opened.table, opened.name


def fingerprint(name="ham10000"):
    """One digest of a data set's images and of what is known of each: 16 digits of a SHA-256.

    Where the files lie, their dates and the order of the rows do not matter.

    Parameters
    ----------
    name : str
        ``"ham10000"``, of which the folder's files are taken, or one of ``SETS``.

    Raises
    ------
    OSError, ValueError
        As for ``load_table`` and ``load_set``.
    """
    if name == "ham10000":
        opened = _open("folder", SMALLEST)
        rows = opened.table[list(COLUMNS)]
    else:
        opened = _named(name)
        rows = opened.table
    rows = rows.assign(key=rows["image_id"].map(opened.key))
    text = rows.sort_values("image_id").to_csv(index=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_lesions(source="auto", size=28, select=None, in_memory=True):
    """Images of one size with their table.

    Each prepared image is kept in ``settings.cache()`` as a lossless PNG, so that the next load is
    fast and an interrupted one resumes; what is missing or damaged there is made again.

    Parameters
    ----------
    source : {"auto", "folder", "kaggle", "synthetic"}
        As for ``load_table``.
    size : int
        Height and width in pixels, from 28 to the short side of the source's images;
        ``images.square`` says how an image is brought to it. Kaggle has 28 only, except in Colab
        and Kaggle notebooks.
    select : callable, optional
        Takes the table and returns the rows to keep, perhaps with more columns, such as
        ``splits.mini``. It is called before any image is read.
    in_memory : bool
        False: ``Lesions.images`` are the paths of the PNGs, so that the memory needed does not
        grow with the number of images. Damage after loading is left to the reader:
        ``tf.io.decode_png`` refuses a wrong checksum, Pillow does not always.

    Returns
    -------
    Lesions

    Raises
    ------
    ValueError
        If the size is not possible, nothing is selected, or a table or an image is wrong.
    OSError, ConnectionError
        As for ``load_table``; also if the cache cannot be written.
    """
    _require_size(size)
    opened = _open(source, size)
    table = opened.table if select is None else select(opened.table)
    if len(table) == 0:
        raise ValueError("No image is selected: `select` must leave at least one row.")
    table = table.reset_index(drop=True)
    load = opened.pixels if in_memory else opened.paths
    return Lesions(load(list(table["image_id"]), size), table, opened.name)


def load_set(name, size):
    """All images of another data set, for judging a model, as square as those it was trained on.

    Parameters
    ----------
    name : str
        One of ``SETS``: ``"isic2017"`` (dermatoscopic images of other clinics, squashed to squares
        in the copy used), ``"pad_ufes_20"`` (photographs by smartphones), ``"samples"`` or
        ``"elsewhere"`` (60 images that may be shown, and 300 more; in the repository).
    size : int
        As for ``load_lesions``.

    Returns
    -------
    Lesions
        The table has ``image_id``, ``dx``, ``group``, ``split`` and what else is known. ``dx`` is
        ``"other"`` where only melanoma is told from the rest. ``group`` is the content for ISIC
        2017 and the samples, the patient for PAD-UFES-20: which images of ISIC 2017 show the same
        lesion cannot be told.

    Raises
    ------
    ValueError
        If the name or the size is not possible, or a table or an image is wrong.
    OSError
        If the folder, its table or some of its images are not there, or the cache cannot be
        written.
    """
    _require_size(size)
    opened = _named(name)
    pixels = opened.pixels(list(opened.table["image_id"]), size)
    return Lesions(pixels, opened.table, opened.source, name)


def _require_size(size):
    if not isinstance(size, (int, np.integer)) or size < SMALLEST:
        raise ValueError(f"The size must be a whole number from {SMALLEST} on, not {size!r}.")


def _named(name):
    """The data set of this name, opened; says which it is."""
    if name not in SETS:
        raise ValueError(f"There is no data set {name!r}: take one of {', '.join(SETS)}.")
    opened = SETS[name]()
    _say(opened.line)
    return opened


_said = set()  # data lines that this process has printed


def _open(source, size):
    """The Source for images of this size; says which it is."""
    if source == "auto":
        source = os.environ.get("HAM10K_SOURCE") or "auto"
    if source not in ("auto", *SOURCES):
        raise ValueError(f"There is no source {source!r}: take auto or one of {SOURCES}.")
    named = settings.folder("HAM10K_DIR")
    folder = named or settings.ROOT / "data" / "ham10000"
    why = ""
    if source == "folder" or (source == "auto" and (named or _holds_something(folder))):
        opened = Folder(folder)
    elif source == "synthetic":
        opened = Synthetic()
    else:
        try:
            opened = kaggle.source(size)
        except ConnectionError as error:
            reason = str(error).rstrip(".")
            if source == "kaggle":
                raise ConnectionError(
                    f"{reason}: try again, or take source='synthetic'."
                ) from error
            opened, why = Synthetic(), f"Why: there are no images in data/ham10000, and {reason}."
    line = "\n".join([opened.line, *textwrap.wrap(why, 90, max_lines=2, placeholder=" ...")])
    _say(line)
    return opened


def _say(line):
    """Print a data line once in a process."""
    if line not in _said:
        _said.add(line)
        print(line)


def _holds_something(folder):
    try:
        return any(path.name[0] != "." for path in folder.iterdir())
    except FileNotFoundError:
        return False
    except OSError:  # it is there but may not be read, which opening it says
        return True
