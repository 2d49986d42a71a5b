"""Images of a person's own: a folder, and a table that gives each file a label and a group. Taught
in the lesson your_project. What is wrong with either is told in one sentence."""

import csv
import os
from pathlib import Path

import pandas as pd

from utils.data.metadata import first_line

FEWEST = 10  # groups of each kind, so that each of five folds gets two or so
# What a card says of its numbers' reach.
NO_LIMITS = "nobody has written them down, so this card is not finished."
LIMITS_OF_HAM10000 = (
    "images of two clinics, chosen by doctors. Nothing is known of other\n"
    "  clinics, cameras and people. Two lesions of one patient may be in two sets."
)


def read_labels(path, file="file", label="label", group="group"):
    """A table of labels, its columns under the course's names.

    Delimiters (comma, semicolon, tab) are detected; byte order marks do no harm.

    Parameters
    ----------
    path : path
        Of a CSV file with one row an image.
    file, label, group : str
        Names of its columns: the file of each image, what it shows, and what must stay together,
        such as a patient or a lesion. ``group`` may be the column of files.

    Returns
    -------
    DataFrame
        ``file``, ``label`` and ``group``, all str; a label may be missing.

    Raises
    ------
    OSError
        If the file is not there (FileNotFoundError) or may not be read.
    ValueError
        If it is no such table, has no rows, or a row has no file or no group.
    """
    path = Path(os.path.expanduser(path))
    if not path.is_file():
        raise FileNotFoundError(f"There is no table {path}: set CSV to the name of yours.")
    try:
        found = pd.read_csv(
            path,
            sep=None,  # detected from the first line
            engine="python",
            dtype=str,
            encoding="utf-8-sig",
            skipinitialspace=True,
        )
    except (ValueError, csv.Error) as error:  # of the parser, the decoder, the sniffer
        raise ValueError(
            f"{path.name} cannot be read as a table ({first_line(error)}): save it as CSV in UTF-8."
        ) from error
    there = ", ".join(map(str, found.columns[:8]))
    for parameter, column in (("FILE", file), ("LABEL", label)):
        if column not in found:
            raise ValueError(
                f"{path.name} has no column {column!r}, only {there}: set {parameter} to one of "
                "them."
            )
    if group not in found:
        raise ValueError(
            f"{path.name} has no column {group!r}, only {there}: set GROUP to the column of the "
            "patient or lesion; if each row is another one, to that of the files."
        )
    table = pd.DataFrame({"file": found[file], "label": found[label], "group": found[group]})
    table = table.dropna(how="all")
    if len(table) == 0:
        raise ValueError(f"{path.name} has no rows.")
    for name, column in (("file", file), ("group", group)):
        empty = table.index[table[name].isna()]
        if len(empty):
            raise ValueError(
                f"{path.name} has no {column} in row {empty[0] + 1}: fill it in, or delete the row."
            )
    return table.reset_index(drop=True)


def with_images(table, folder, positive):
    """The rows as a question of yes or no, each with the path of its image.

    Parameters
    ----------
    table : DataFrame
        As ``read_labels`` gives it, every row with a label.
    folder : path
        The files of the table are relative to it.
    positive : str
        The label that is asked for; all others together are everything else.

    Returns
    -------
    DataFrame
        A copy with the index 0..n-1, ``path`` (str) and ``positive`` (1 or 0).

    Raises
    ------
    FileNotFoundError
        If the folder or a file is not there.
    ValueError
        If a label is missing, a file stands in two rows, there is one class alone, or one has
        fewer than ``FEWEST`` groups.
    """
    folder = Path(os.path.expanduser(folder))
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}: set FOLDER to that of your images.")
    table = table.reset_index(drop=True)
    if table["label"].isna().any():
        raise ValueError(f"{table['label'].isna().sum():,} rows have no label: leave them out.")
    counts = table["label"].value_counts()
    there = ", ".join(f"{name} ({n:,})" for name, n in counts[:8].items())
    if positive not in counts:
        raise ValueError(
            f"No row has the label {positive!r}; there are {there or 'no rows'}: set POSITIVE to "
            "one of them."
        )
    if len(counts) == 1:
        raise ValueError(
            f"Every row has the label {positive!r}: a question needs images of something else, too."
        )
    twice = table.loc[table["file"].duplicated(), "file"]
    if len(twice):
        raise ValueError(f"{twice.iloc[0]} stands in two rows: each image must have one.")
    table = table.assign(
        path=[str(folder / file) for file in table["file"]],
        positive=(table["label"] == positive).astype(int),
    )
    missing = table.loc[[not os.path.isfile(path) for path in table["path"]], "file"]
    if len(missing):
        raise FileNotFoundError(
            f"{len(missing):,} of {len(table):,} files are not in {folder} (the first: "
            f"{missing.iloc[0]}): put them there, or correct their names in the table."
        )
    groups = table.groupby("positive")["group"].nunique()
    for kind, name in ((1, repr(positive)), (0, "everything else")):
        if groups[kind] < FEWEST:
            raise ValueError(
                f"Only {groups[kind]} groups show {name}: three sets need at least {FEWEST}, and "
                "an honest test needs many more."
            )
    return table
