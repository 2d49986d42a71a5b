"""A person's own folder and table: each fault is told in one sentence; the lesson runs on them."""

import numpy as np
import pandas as pd
import papermill
import pytest
from PIL import Image

from course import lessons
from course.run.terminal import environment
from utils.data import own


def people(n=40, images=3):
    """A table of ``n`` people with some images each, a quarter of them ill."""
    person = np.repeat(np.arange(n), images)
    return pd.DataFrame(
        {
            "photo": [f"photos/{i:03}.png" for i in range(len(person))],
            "finding": np.where(person % 4 == 0, "ill", np.where(person % 4 == 1, "scar", "well")),
            "person": [f"P{i}" for i in person],
        }
    )


@pytest.fixture
def folder(tmp_path):
    """Their images, in which ill people are redder, and the table."""
    table, rng = people(), np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for row in table.itertuples():
        pixels = rng.integers(60, 160, (40, 48, 3))
        pixels[..., 0] += 40 * (row.finding == "ill")
        Image.fromarray(pixels.astype("uint8")).save(tmp_path / row.photo)
    table.to_csv(tmp_path / "people.csv", index=False)
    return tmp_path


COLUMNS = ("photo", "finding", "person")


def read(folder, table=None):
    """Read the folder, with its table or another."""
    if table is not None:
        table.to_csv(folder / "people.csv", index=False)
    rows = own.read_labels(folder / "people.csv", *COLUMNS)
    return own.with_images(rows, folder, "ill")


def test_a_folder_and_its_table_become_a_question(folder):
    found = read(folder)
    assert list(found) == ["file", "label", "group", "path", "positive"]
    assert list(found.index) == list(range(120)) and found["positive"].sum() == 30
    assert all(found["positive"] == (found["label"] == "ill"))
    assert found["path"].iloc[0] == str(folder / "photos" / "000.png")
    by_image = own.read_labels(folder / "people.csv", "photo", "finding", "photo")
    assert list(by_image["group"]) == list(by_image["file"])


def test_other_delimiters_and_a_byte_order_mark_do_no_harm(folder):
    text = people().to_csv(index=False, sep=";")
    (folder / "people.csv").write_text(text, encoding="utf-8-sig")
    assert len(read(folder)) == 120


def of_one_kind(table):
    return table.assign(finding="ill")


def of_few(table):
    return table[(table["finding"] != "ill") | table["person"].isin(["P0", "P4"])]


def of_one_person(table):
    return table.assign(person="P1")


def lost(column):
    return lambda table: table.drop(columns=column)


def emptied(column):
    return lambda table: table.assign(**{column: table[column].where(table.index != 4)})


FAULTS = {
    "no file": (lost("photo"), "people.csv has no column 'photo', only finding, person: set FILE"),
    "no label": (lost("finding"), "no column 'finding', only photo, person: set LABEL"),
    "no group": (
        lost("person"),
        "no column 'person', only photo, finding: set GROUP to the column",
    ),
    "no rows": (lambda table: table[:0], "people.csv has no rows"),
    "an empty label": (emptied("finding"), "1 rows have no label: leave them out"),
    "an empty group": (emptied("person"), "people.csv has no person in row 5"),
    "an empty file": (emptied("photo"), "people.csv has no photo in row 5"),
    "one class": (of_one_kind, "Every row has the label 'ill'"),
    "another class": (
        lambda table: table.replace("ill", "sick"),
        "No row has the label 'ill'; there are well (60), sick (30), scar (30): set POSITIVE",
    ),
    "few people": (of_few, "Only 2 groups show 'ill': three sets need at least 10"),
    "one person": (of_one_person, "Only 1 groups show 'ill'"),
    "a file twice": (lambda table: table.iloc[[0, *range(120)]], "000.png stands in two rows"),
    "a missing file": (
        lambda table: table.assign(photo=table["photo"].replace("photos/007.png", "x.png")),
        "1 of 120 files are not in ",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_table_gets_one_sentence(folder, fault):
    change, words = FAULTS[fault]
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        read(folder, change(people()))
    said = str(caught.value)
    assert words in said and said.endswith(".") and "\n" not in said, said


def test_a_folder_or_table_that_is_not_there_gets_one_sentence(folder):
    with pytest.raises(FileNotFoundError, match=r"There is no table .*x\.csv: set CSV"):
        own.read_labels(folder / "x.csv")
    rows = own.read_labels(folder / "people.csv", *COLUMNS)
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*nowhere: set FOLDER"):
        own.with_images(rows, folder / "nowhere", "ill")
    (folder / "people.csv").write_bytes(b"\xff\xfe\x00\x81,\n\x00\x9f")
    with pytest.raises(ValueError, match=r"people\.csv cannot be read as a table"):
        own.read_labels(folder / "people.csv")


@pytest.mark.slow
def test_the_lesson_asks_a_question_of_ones_own_folder(folder, tmp_path):
    given = {"FOLDER": str(folder), "CSV": "people.csv", "POSITIVE": "ill", "SIZE": 32}
    given |= dict(zip(("FILE", "LABEL", "GROUP"), COLUMNS, strict=True))
    given |= {"EPOCHS": 2, "LIMITS": "Forty drawn people.", "SOURCE": "synthetic"}
    results = tmp_path / "results"
    with environment(COURSE_RESULTS_DIR=str(results), HAM10K_SOURCE="synthetic"):
        papermill.execute_notebook(
            lessons.notebook("your_project"),
            None,
            given,
            cwd=lessons.NOTEBOOKS,
            progress_bar=False,
        )
    card = (results / "your_project" / "card.md").read_text(encoding="utf-8")
    assert card.startswith("# ill against everything else\n")
    assert "24 images of 32 px, 6 of them\n  positive" in card and "not a medical device" in card
    assert "**Limits**: Forty drawn people." in card and "HAM10000" not in card
    assert (results / "your_project" / "model.keras").is_file()
