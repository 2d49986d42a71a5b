"""Metadata of images, read from whatever kind of text table it was saved as."""

import csv

import numpy as np
import pandas as pd

DX = ("akiec", "bcc", "bkl", "df", "nv", "vasc", "mel")  # label codes 0..6 of Kaggle's table
COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")
PLAIN_NAME = r"[\w-][\w.-]{0,99}"  # an image_id becomes part of a file name in the cache


def read_table(path, full, gaps=(), whose="HAM10000's"):
    """A metadata file as a DataFrame.

    Delimiters (comma, semicolon, tab) are detected; byte order marks, blanks after a delimiter,
    empty last rows, decimal commas and image ids that end in ``.jpg`` do no harm.

    Parameters
    ----------
    path : Path
    full, gaps : list of str
        The columns to read: those with a value in every row, ``image_id`` among them, and those
        that may have gaps.
    whose : str
        For the sentence if one is missing.

    Returns
    -------
    DataFrame
        ``full`` and ``gaps``, one row an image, all str.

    Raises
    ------
    OSError
        If the file is not there or may not be read.
    ValueError
        If it is no such table; the sentence names what was found.
    """
    try:
        table = pd.read_csv(
            path,
            sep=None,  # detected from the first line
            engine="python",
            dtype=str,
            encoding="utf-8-sig",
            skipinitialspace=True,
        )
    except OSError as error:
        raise type(error)(
            f"{path} cannot be read ({error.strerror or error}): check its permissions."
        ) from error
    except (ValueError, csv.Error) as error:  # of the parser, the decoder, the sniffer
        raise ValueError(
            f"{path} cannot be read as a table of UTF-8 text ({first_line(error)}): fetch it "
            "again, or save it as CSV in UTF-8."
        ) from error
    columns = [*full, *gaps]
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(
            f"{path} has no column {', '.join(missing)}, and its first line has "
            f"{', '.join(map(str, table.columns[:8]))}: take {whose} own table of metadata."
        )
    table = table[columns].dropna(how="all")
    if len(table) == 0:
        raise ValueError(f"{path} has no rows: fetch it again.")
    for column in full:
        empty = table.index[table[column].isna()]
        if len(empty):
            raise ValueError(
                f"{path} has no {column} in line {empty[0] + 2}: if it is damaged or truncated, "
                "fetch it again, else fill it in."
            )
    image_id = table["image_id"].str.replace(r"(?i)\.(jpe?g|png)$", "", regex=True)
    odd = table.loc[~image_id.str.fullmatch(PLAIN_NAME), "image_id"]
    if len(odd):
        raise ValueError(
            f"{path} has the image_id {odd.iloc[0]!r}: it must be the name of an image file, of "
            "letters, digits, _, - and . only."
        )
    twice = image_id[image_id.duplicated()]
    if len(twice):
        raise ValueError(f"{path} has {twice.iloc[0]} twice: each image must have one row.")
    return table.assign(image_id=image_id).reset_index(drop=True)


def read_ham10000(path):
    """HAM10000's metadata, as ``read_table``, with the diagnoses and ages checked.

    Returns
    -------
    DataFrame
        ``COLUMNS``; ``age`` is float (years), everything else str.

    Raises
    ------
    OSError, ValueError
        As ``read_table``; also if a diagnosis is none of ``DX``.
    """
    table = read_table(path, [column for column in COLUMNS if column != "age"], ["age"])
    unknown = table.loc[~table["dx"].isin(DX)]
    if len(unknown):
        raise ValueError(
            f"{path} gives {unknown['image_id'].iloc[0]} the dx {unknown['dx'].iloc[0]!r}: it must "
            f"be one of {', '.join(DX)}."
        )
    try:
        age = table["age"].str.replace(",", ".").astype(np.float64)
    except ValueError as error:
        raise ValueError(
            f"{path} has an age that is no number ({first_line(error)}): leave it empty if it is "
            "unknown."
        ) from error
    return table.assign(age=age)[list(COLUMNS)]


def first_line(error):
    """The first line of an exception's text, without its full stop."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
