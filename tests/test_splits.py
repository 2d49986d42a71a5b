import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from utils import splits
from utils.data import synthetic


def small(**columns):
    """Six photographs of four lesions; columns may be replaced."""
    table = pd.DataFrame(
        {
            "image_id": list("abcdef"),
            "lesion_id": ["L1", "L1", "L2", "L3", "L3", "L4"],
            "copy_of": list("abcdef"),
            "dx": ["mel", "mel", "nv", "nv", "nv", "bkl"],
        }
    )
    return table.assign(**columns)


@pytest.fixture(scope="module")
def table():
    metadata = synthetic.metadata()
    return metadata.assign(copy_of=metadata["image_id"])


@pytest.fixture(scope="module")
def full(table):
    return splits.full(table)


@pytest.fixture(scope="module")
def mini(table):
    return splits.mini(table)


def test_groups_follow_lesion_ids_identical_files_and_published_duplicates():
    assert splits.lesion_groups(small()).tolist() == ["L1", "L1", "L2", "L3", "L3", "L4"]
    copies = small(copy_of=["a", "b", "b", "d", "e", "f"])  # c is the same file as b
    assert splits.lesion_groups(copies).tolist() == ["L1", "L1", "L1", "L3", "L3", "L4"]
    (first, second), *_ = splits.PUBLISHED_DUPLICATES
    published = small(image_id=["a", "b", first, "d", "e", second])
    published["copy_of"] = published["image_id"]
    assert splits.lesion_groups(published).tolist() == ["L1", "L1", "L2", "L3", "L3", "L2"]


def test_groups_survive_a_copy_that_is_not_in_the_table():
    some = small(copy_of=["a", "b", "gone", "d", "e", "f"])
    assert splits.lesion_groups(some).tolist() == ["L1", "L1", "L2", "L3", "L3", "L4"]


def test_eighteen_published_pairs_of_thirty_six_images():
    images = [image for pair in splits.PUBLISHED_DUPLICATES for image in pair]
    assert len(splits.PUBLISHED_DUPLICATES) == 18
    assert len(set(images)) == 36


def test_full_split_is_clean_stratified_and_60_20_20(table, full):
    report = splits.leakage(full)
    assert report["images"].sum() == len(table)
    assert not report[["shared_lesions", "images_of_shared_lesions", "shared_images"]].any(
        axis=None
    )
    shares = pd.crosstab(full["dx"], full["split"], normalize="index")
    assert np.abs(shares[list(splits.SUBSETS)].to_numpy() - splits.SHARES).max() < 0.03
    assert full.groupby("group")["split"].nunique().max() == 1


def test_split_depends_on_nothing_but_seed_and_lesions(table, full):
    shuffled = splits.full(table.sample(frac=1, random_state=1))
    assert splits.fingerprint(full) == splits.fingerprint(shuffled)
    assert splits.fingerprint(full) != splits.fingerprint(splits.full(table, seed=1))


def test_mini_has_its_sizes_and_stays_inside_the_full_split(table, full, mini):
    assert mini["split"].value_counts().to_dict() == {"train": 600, "validation": 200, "test": 200}
    melanomas = mini[mini["dx"] == "mel"]["split"].value_counts()
    assert melanomas.to_dict() == {"train": 144, "validation": 48, "test": 48}
    assert mini["group"].is_unique
    inside = full.set_index("image_id").loc[mini["image_id"], "split"]
    assert (inside.to_numpy() == mini["split"].to_numpy()).all()
    assert set(mini["dx"]) == set(table["dx"])


def test_mini_draws_lesions_whatever_the_number_of_their_photographs(table, mini):
    photographs = table.groupby("lesion_id").size()
    lesions = table.drop_duplicates("lesion_id").set_index("lesion_id")["dx"]
    expected, drawn = 0.0, 0
    for one in (mini, splits.mini(table, 1), splits.mini(table, 2)):
        drawn += (photographs[one["lesion_id"]] > 1).sum()
        shares = (photographs[lesions.index] > 1).groupby(lesions.to_numpy()).mean()
        expected += one["dx"].map(shares).sum()
    assert drawn == pytest.approx(expected, abs=4 * expected**0.5)


def test_mini_of_too_small_a_table_is_refused(table):
    with pytest.raises(ValueError, match=r"Mini needs .* use the whole data set"):
        splits.mini(table.head(2000))


def test_fingerprint_is_the_documented_hash():
    table = pd.DataFrame({"image_id": ["b", "a"], "split": ["test", "train"]})
    assert splits.fingerprint(table) == hashlib.sha256(b"a,train\nb,test").hexdigest()


def test_leakage_counts_what_is_shared():
    report = splits.leakage(
        small(split=["train", "test", "train", "train", "train", "test"], copy_of=list("aacdef"))
    )
    assert report.loc["test"].to_dict() == {
        "images": 2,
        "lesions": 2,
        "melanoma_share": 0.5,
        "shared_lesions": 1,
        "images_of_shared_lesions": 0.5,
        "shared_images": 1,
    }
    assert report.loc["train", "images_of_shared_lesions"] == 0.25


def test_missing_columns_and_repeated_images_are_named():
    with pytest.raises(ValueError, match="no column copy_of"):
        splits.full(small().drop(columns="copy_of"))
    with pytest.raises(ValueError, match="no column split"):
        splits.fingerprint(small())
    with pytest.raises(ValueError, match="occurs twice"):
        splits.lesion_groups(small(image_id=list("aacdef")))


def test_synthetic_split_is_the_one_the_lessons_show(full, mini):
    assert splits.fingerprint(full).startswith("e1a68f10f642")
    assert splits.fingerprint(mini).startswith("ac09997fb80f")


@pytest.mark.skipif(not os.environ.get("HAM10K_DIR"), reason="needs the real metadata")
def test_real_split_is_the_one_the_results_carry():
    table = pd.read_csv(Path(os.environ["HAM10K_DIR"]) / "HAM10000_metadata.csv")
    table["copy_of"] = table["image_id"]
    assert len(set(splits.lesion_groups(table))) == 7452  # 7,470 lesion_ids less 18 duplicates
    assert splits.fingerprint(splits.full(table)).startswith("66eda589df44")
    assert splits.fingerprint(splits.mini(table)).startswith("d348282aa942")
