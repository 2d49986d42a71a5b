"""Data sets besides HAM10000, by name: each a folder with a table and the images that it lists."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pandas as pd

from utils import images, settings
from utils.data.folder import Files
from utils.data.metadata import read_table

# ISIC 2017's words for its subsets; of two, the later one keeps an image that stands in both.
SUBSETS = {"train": "train", "val": "validation", "test": "test"}
# PAD-UFES-20's diagnoses as HAM10000's, which has no invasive squamous cell carcinoma.
PAD_DX = {"ACK": "akiec", "BCC": "bcc", "MEL": "mel", "NEV": "nv", "SCC": "scc", "SEK": "bkl"}


class NamedSet(Files):
    """A data set: a table, and an image ``<image_id>.jpg`` of each row.

    Raises
    ------
    OSError, ValueError
        If something is missing, may not be read or is wrong; one sentence says what.

    Attributes
    ----------
    table : DataFrame
        ``image_id``, ``dx``, ``group`` (which images must stay together), ``split`` and what else
        is known of each image.
    source : str
        ``"folder"``, or ``"repository"`` for the samples.
    """

    name = title = variable = None
    full, gaps = (), ()  # columns of the table, as ``read_table`` takes them
    source = "folder"

    def __init__(self):
        place, path, remedy = self.places()
        if not path.is_file():
            raise FileNotFoundError(f"There is no {path}: {remedy}.")
        table = read_table(path, self.full, self.gaps, f"{self.title}'s")
        super().__init__({image_id: place / f"{image_id}.jpg" for image_id in table["image_id"]})
        missing = [image.name for image in self._path_of.values() if not image.is_file()]
        if missing:
            raise FileNotFoundError(
                f"{len(missing):,} of {len(table):,} images of {path} are not in {place} (the "
                f"first: {missing[0]}): {remedy}."
            )
        self.table = self._described(table, path).reset_index(drop=True)
        self.line = f"Data: {self.title} ({len(self.table):,} images)."

    @classmethod
    def places(cls):
        """The folder of images and the table, as Paths, and what to do where they are not."""
        folder = settings.folder(cls.variable) or settings.ROOT / "data" / cls.name
        remedy = (
            f"put {cls.title} there or set ${cls.variable} to where it is (data/README.md says how)"
        )
        return folder / "images", folder / "metadata.csv", remedy

    def _described(self, table, path):
        raise NotImplementedError


class Isic2017(NamedSet):
    """ISIC 2017 with its own split, grouped by content.

    Images of the same pixels are one group. One that stands in two subsets is left out of training
    first, then of validation, so that the test set stays whole. Which images show the same lesion
    or the same person is not known: intervals are a little too narrow.
    """

    name, title, variable = "isic2017", "ISIC 2017", "ISIC2017_DIR"
    full, gaps = ("image_id", "split", "melanoma"), ("age_approximate", "sex")

    def _described(self, table, path):
        with ThreadPoolExecutor() as pool:
            content = pd.Series(list(pool.map(self._content, table["image_id"])))
        split = _coded(table, "split", SUBSETS, path)
        rank = split.map(list(SUBSETS.values()).index)
        table = pd.DataFrame(
            {
                "image_id": table["image_id"],
                "dx": _coded(table, "melanoma", {"1": "mel", "0": "other"}, path),
                "group": table["image_id"].groupby(content).transform("min"),
                "split": split,
                "age": _numbers(table["age_approximate"]),
                "sex": table["sex"].fillna("unknown"),
            }
        )
        return table[rank == rank.groupby(content).transform("max")]

    def _content(self, image_id):
        return hashlib.sha256(images.read(self._path_of[image_id]).tobytes()).digest()


class PadUfes20(NamedSet):
    """PAD-UFES-20, photographs by smartphones, grouped by patient: all of it is ``test``."""

    name, title, variable = "pad_ufes_20", "PAD-UFES-20", "PAD_UFES_20_DIR"
    full = ("image_id", "patient_id", "lesion_id", "diagnostic")
    gaps = ("fitspatrick", "age", "gender", "region", "biopsed")

    def _described(self, table, path):
        return pd.DataFrame(
            {
                "image_id": table["image_id"],
                "lesion_id": table["lesion_id"],
                "dx": _coded(table, "diagnostic", PAD_DX, path),
                "group": table["patient_id"],
                "split": "test",
                "age": _numbers(table["age"]),
                "sex": table["gender"].str.lower().fillna("unknown"),
                "localization": table["region"].str.lower().fillna("unknown"),
                "fitzpatrick": _numbers(table["fitspatrick"]),
                "biopsed": table["biopsed"] == "True",
            }
        )


class Samples(NamedSet):
    """The 60 images of ISIC 2016 that may be shown: data/samples/README.md."""

    name, title, source = "samples", "60 real images that may be shown", "repository"
    full = ("image_id", "label", "diagnosis", "source", "licence", "shape")

    @classmethod
    def places(cls):
        place = settings.SAMPLES[cls.name]
        return place, place / f"{cls.name}.csv", "it belongs to the course, so fetch that anew"

    def _described(self, table, path):
        dx = _coded(table, "label", {"melanoma": "mel", "other": "other"}, path)
        return table.assign(dx=dx, group=table["image_id"], split="test")


class Elsewhere(Samples):
    """300 more of them, of 128 x 128 pixels."""

    name, title = "elsewhere", "300 real images of other clinics"


SETS = {one.name: one for one in (Isic2017, PadUfes20, Samples, Elsewhere)}


def _coded(table, column, codes, path):
    """A column in the course's words; ValueError if it has a value that ``codes`` lacks."""
    found = table[column].map(codes)
    if found.isna().any():
        raise ValueError(
            f"{path} has the {column} {table.loc[found.isna(), column].iloc[0]!r}: it must be one "
            f"of {', '.join(codes)}."
        )
    return found


def _numbers(column):
    return pd.to_numeric(column, errors="coerce").astype(float)  # NaN where it is unknown
