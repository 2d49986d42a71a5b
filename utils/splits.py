"""Training, validation and test sets that share no lesion. Taught in the lesson splitting."""

import hashlib

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SUBSETS = ("train", "validation", "test")
SHARES = (0.6, 0.2, 0.2)
MINI_SIZES = (600, 200, 200)
MINI_MELANOMA_SHARE = 0.24  # of the original project's confusion matrix; 11.1 % is natural

# The same lesion under two lesion_ids: Abhishek et al., "Investigating the Quality of DermaMNIST
# and Fitzpatrick17k Dermatological Image Datasets" (Scientific Data 12:196, 2025).
PUBLISHED_DUPLICATES = (
    ("ISIC_0033481", "ISIC_0033421"),
    ("ISIC_0033556", "ISIC_0032634"),
    ("ISIC_0029152", "ISIC_0033173"),
    ("ISIC_0029036", "ISIC_0027027"),
    ("ISIC_0027820", "ISIC_0028209"),
    ("ISIC_0027689", "ISIC_0032647"),
    ("ISIC_0030906", "ISIC_0024879"),
    ("ISIC_0033391", "ISIC_0034186"),
    ("ISIC_0025226", "ISIC_0030074"),
    ("ISIC_0026087", "ISIC_0025664"),
    ("ISIC_0024736", "ISIC_0029748"),
    ("ISIC_0024770", "ISIC_0027811"),
    ("ISIC_0027162", "ISIC_0029061"),
    ("ISIC_0024602", "ISIC_0032283"),
    ("ISIC_0029625", "ISIC_0024629"),
    ("ISIC_0030000", "ISIC_0031392"),
    ("ISIC_0024437", "ISIC_0031299"),
    ("ISIC_0033374", "ISIC_0033417"),
)


def lesion_groups(table):
    """Which images must stay together: one group for all photographs of a lesion.

    Connected components over equal ``lesion_id``, byte-identical files (``copy_of``) and
    ``PUBLISHED_DUPLICATES``.

    Parameters
    ----------
    table : DataFrame
        With ``image_id``, ``lesion_id`` and ``copy_of``, one row an image.

    Returns
    -------
    ndarray of object (str), shape (n,)
        The smallest lesion_id of the image's group.

    Raises
    ------
    ValueError
        If a column is missing or an image_id occurs twice.
    """
    _require(table, "image_id", "lesion_id", "copy_of")
    if table["image_id"].duplicated().any():
        raise ValueError("An image_id occurs twice: give each image one row.")
    n = len(table)
    row_of = pd.Series(np.arange(n), index=table["image_id"])
    first_of_lesion = table.groupby("lesion_id")["image_id"].transform("first")
    pairs = [(a, b) for a, b in PUBLISHED_DUPLICATES if a in row_of.index and b in row_of.index]
    known_copy = table["copy_of"].where(table["copy_of"].isin(row_of.index), table["image_id"])
    start = np.concatenate([np.arange(n), np.arange(n), row_of[[a for a, _ in pairs]].to_numpy()])
    end = np.concatenate(
        [row_of[first_of_lesion], row_of[known_copy], row_of[[b for _, b in pairs]]]
    )
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(n, n))
    component = connected_components(graph, directed=False)[1]
    return table["lesion_id"].groupby(component).transform("min").to_numpy(object)


def full(table, seed=0):
    """The whole table with columns ``group`` and ``split``: 60/20/20 by lesion group.

    Stratified by diagnosis. Groups are ordered by a hash of their name instead of a random
    generator, so that every machine and every library version gets the same split.

    Parameters
    ----------
    table : DataFrame
        As for ``lesion_groups``, with ``dx``.
    seed : int
        Another seed gives another split; results are comparable within one.

    Returns
    -------
    DataFrame
        A copy; ``split`` is one of ``SUBSETS``.
    """
    _require(table, "dx")
    table = table.assign(group=lesion_groups(table))
    by_group = table.groupby("group").agg(dx=("dx", "min"), images=("dx", "size"))
    by_group["order"] = [_hash(seed, group) for group in by_group.index]
    by_group = by_group.sort_values(["dx", "order"])
    images_before = by_group.groupby("dx")["images"].cumsum() - by_group["images"]
    position = images_before / by_group.groupby("dx")["images"].transform("sum")
    subset = np.searchsorted(np.cumsum(SHARES)[:-1], position, side="right")
    by_group["split"] = np.array(SUBSETS, dtype=object)[subset]
    return table.assign(split=table["group"].map(by_group["split"])).reset_index(drop=True)


def mini(table, seed=0):
    """HAM10k-Mini: 1,000 images of 1,000 lesions, 600/200/200, 24 % melanoma.

    Drawn inside each subset of the full split, so that a Mini test lesion is never in the full
    training set. Other diagnoses keep their natural proportions among each other.

    Parameters
    ----------
    table : DataFrame
        As for ``full``; the whole data set.

    Returns
    -------
    DataFrame
        1,000 rows in the table's order, with ``group`` and ``split``.

    Raises
    ------
    ValueError
        If the table has too few lesions of a kind.
    """
    table = full(table, seed)
    counts = _mini_counts(table)
    # Lesions first, then a photograph of each: by photographs alone, lesions that have several
    # would be drawn more often.
    table["lesion_order"] = [_hash(seed, group) for group in table["group"]]
    table["order"] = [_hash(seed, image) for image in table["image_id"]]
    one_a_lesion = table.sort_values(["lesion_order", "order"]).drop_duplicates("group")
    chosen = []
    for (subset, dx), wanted in counts.items():
        there = one_a_lesion.query("split == @subset and dx == @dx")
        if len(there) < wanted:
            raise ValueError(
                f"HAM10k-Mini needs {wanted} lesions of {dx} for {subset}, the table has "
                f"{len(there)}: use the whole data set."
            )
        chosen.append(there.head(wanted))
    return (
        pd.concat(chosen)
        .sort_index()
        .drop(columns=["lesion_order", "order"])
        .reset_index(drop=True)
    )


def _mini_counts(table):
    """Lesions wanted for each (subset, dx): largest remainders over the benign diagnoses."""
    benign = table.loc[table["dx"] != "mel", "dx"].value_counts(normalize=True).sort_index()
    counts = {}
    for subset, size in zip(SUBSETS, MINI_SIZES, strict=True):
        melanomas = round(size * MINI_MELANOMA_SHARE)
        exact = benign * (size - melanomas)
        wanted = exact.astype(int)
        remainder = (exact - wanted).sort_values(ascending=False, kind="stable")
        wanted[remainder.index[: size - melanomas - wanted.sum()]] += 1
        counts |= {(subset, dx): int(k) for dx, k in wanted.items()} | {(subset, "mel"): melanomas}
    return counts


def leakage(table):
    """What a proposed split shares between its subsets, and how many melanomas each subset has.

    Parameters
    ----------
    table : DataFrame
        With ``image_id``, ``lesion_id``, ``copy_of``, ``dx`` and ``split`` (any subset names).

    Returns
    -------
    DataFrame
        One row a subset: ``images``, ``lesions``, ``melanoma_share``, and, against all other
        subsets together, ``shared_lesions`` (lesion groups that are there too),
        ``images_of_shared_lesions`` (share of this subset's images that show one) and
        ``shared_images`` (identical images). The last three are 0 in a clean split.
    """
    _require(table, "dx", "split")
    group = pd.Series(lesion_groups(table), index=table.index)
    rows = {}
    for subset in pd.unique(table["split"]):
        here = (table["split"] == subset).to_numpy()
        elsewhere = group[here].isin(set(group[~here]))
        copies = table.loc[here, "copy_of"].isin(set(table.loc[~here, "copy_of"]))
        rows[subset] = {
            "images": int(here.sum()),
            "lesions": group[here].nunique(),
            "melanoma_share": float((table.loc[here, "dx"] == "mel").mean()),
            "shared_lesions": group[here][elsewhere].nunique(),
            "images_of_shared_lesions": float(elsewhere.mean()),
            "shared_images": int(copies.sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("split")


def fingerprint(table):
    """sha256 of which image is in which subset; row order and other columns do not matter."""
    _require(table, "image_id", "split")
    lines = sorted(f"{i},{s}" for i, s in zip(table["image_id"], table["split"], strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _hash(seed, name):
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()


def _require(table, *columns):
    missing = [c for c in columns if c not in table.columns]
    if missing:
        raise ValueError(f"The table has no column {', '.join(missing)}: load it with utils.data.")
