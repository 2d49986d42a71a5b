"""HAM10000 from Kaggle through kagglehub, without a login.

In Colab and Kaggle notebooks kagglehub mounts the whole set without a download, so every size is
there; elsewhere two single files are fetched, and the images have 28x28 pixels."""

import hashlib
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from utils import settings
from utils.data.folder import Folder
from utils.data.metadata import DX, first_line, read_ham10000
from utils.data.source import Source

# With a version in the handle kagglehub answers from its cache without asking the network.
DATASET, VERSION = "kmader/skin-cancer-mnist-ham10000", 2
METADATA, PIXELS = "HAM10000_metadata.csv", "hmnist_28_28_RGB.csv"
SIZE = 28
HEADER = [f"pixel{i:04d}" for i in range(SIZE**2 * 3)] + ["label"]
# kagglehub itself waits for a mount, and for a server that does not answer, forever.
MOUNT_SECONDS, METADATA_SECONDS, PIXELS_SECONDS = 120, 30, 600
MOUNTS = ("TBE_RUNTIME_ADDR", "KAGGLE_KERNEL_RUN_TYPE")  # set in Colab; in Kaggle notebooks


def source(size):
    """The Source for images of this size.

    Raises
    ------
    ConnectionError
        If Kaggle's files are not here and cannot be fetched.
    ValueError
        If there are no images of this size, or a file is wrong.
    """
    mounts = any(variable in os.environ for variable in MOUNTS)
    metadata = _file(METADATA, MOUNT_SECONDS if mounts else METADATA_SECONDS)
    whole = any(path.is_dir() for path in metadata.parent.iterdir())
    if size == SIZE:
        pixels = metadata.with_name(PIXELS) if whole else _file(PIXELS, PIXELS_SECONDS)
        return Table(metadata, pixels)
    if whole:
        return Folder(metadata.parent, "kaggle", "Kaggle's HAM10000")
    raise ValueError(
        f"Kaggle's table has images of {SIZE}x{SIZE} only, not {size}x{size}: for more, put the "
        "JPEGs in data/ham10000 (data/README.md says how), or use a Colab or Kaggle notebook."
    )


def _file(name, seconds):
    """Where a file of the data set lies, fetched if need be."""
    cache = settings.folder("KAGGLEHUB_CACHE") or settings.home(".cache/kagglehub")
    place = cache / "datasets" / DATASET
    path = place / "versions" / str(VERSION) / name
    # kagglehub's marks of a single file and of the whole set.
    marks = (place / ".complete" / str(VERSION) / f"{name}.complete", place / f"{VERSION}.complete")
    if path.exists() and any(mark.exists() for mark in marks):
        return path

    def fetch():
        os.environ.setdefault("KAGGLEHUB_VERBOSITY", "warning")
        import kagglehub  # here, since it takes a second and the other sources do without

        return Path(kagglehub.dataset_download(f"{DATASET}/versions/{VERSION}", path=name))

    return settings.download("HAM10000 from Kaggle", fetch, seconds)


class Table(Source):
    """Kaggle's table of 28x28 images, whose labels must agree with the metadata.

    Parameters
    ----------
    metadata, pixels : Path

    Raises
    ------
    OSError, ValueError
        If one of them may not be read or is wrong.
    """

    name = "kaggle"

    def __init__(self, metadata, pixels):
        table = read_ham10000(metadata)
        values = _read_pixels(pixels)
        if len(values) != len(table):
            raise ValueError(
                f"{pixels} has {len(values):,} rows and {metadata.name} {len(table):,}: one of "
                "them is truncated, delete both and load again."
            )
        labels = np.array(DX)[values[:, -1]]
        wrong = np.flatnonzero(labels != table["dx"])
        if len(wrong):
            first = table.loc[wrong[0]]
            raise ValueError(
                f"{len(wrong):,} labels of {pixels} do not agree with {metadata.name} (the first: "
                f"{labels[wrong[0]]} for {first['image_id']}, which is {first['dx']}): delete both "
                "and load again."
            )
        self._images = values[:, :-1].reshape(-1, SIZE, SIZE, 3)
        self._row = dict(zip(table["image_id"], range(len(table)), strict=True))
        content = pd.Series([self.key(image_id) for image_id in table["image_id"]])
        self.table = table.assign(copy_of=table.groupby(content)["image_id"].transform("first"))
        self.line = f"Data: Kaggle's table of {SIZE}x{SIZE} images ({len(table):,} images)."

    def image(self, image_id, size):
        return Image.fromarray(self._images[self._row[image_id]])

    def key(self, image_id):
        return hashlib.sha256(self._images[self._row[image_id]].tobytes()).hexdigest()[:16]

    def pixels(self, image_ids, size):
        return self._images[[self._row[image_id] for image_id in image_ids]]  # no need of a cache


def _read_pixels(path):
    """Kaggle's table as it is: ndarray of uint8, shape (n, 28 * 28 * 3 + 1), labels last."""
    try:
        with open(path) as lines:
            if lines.readline().strip().split(",") != HEADER:
                raise ValueError("its columns are not pixel0000 to pixel2351 and label")
            with warnings.catch_warnings():
                # NumPy before 2.3 only warned of fractions, and of a table without rows.
                warnings.simplefilter("error")
                values = np.loadtxt(lines, np.uint8, delimiter=",", comments=None, ndmin=2)
        if values[:, -1].max() >= len(DX):
            raise ValueError(f"it has the label {values[:, -1].max()}")
    except (ValueError, Warning) as error:
        raise ValueError(
            f"{path} is damaged ({first_line(error)}): delete it and load again."
        ) from error
    return values
