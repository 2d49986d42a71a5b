"""Data sets besides HAM10000, and its masks: made folders of a few tiny images."""

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from utils import data, images, settings


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """A course of its own without data."""
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    monkeypatch.setattr(data, "_said", set())
    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path))
    for name in ("HAM10K_MASKS_DIR", "ISIC2017_DIR", "PAD_UFES_20_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def save(path, seed, size=(40, 40), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.RandomState(seed).randint(0, 256, (*size[::-1], 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path, quality=90, **options)


# Which image shows what, by subset: A and B are in two, C is in all three, D twice in one.
CONTENT = {"train": "ACEFG", "val": "BCH", "test": "ABCDD"}


@pytest.fixture
def isic(own):
    rows, folder = [], own / "data" / "isic2017"
    for split, contents in CONTENT.items():
        for content in contents:
            image_id = f"ISIC_{len(rows):07d}"
            # The same pixels, and other bytes.
            save(folder / "images" / f"{image_id}.jpg", ord(content), comment=image_id.encode())
            rows.append((image_id, split, int(content in "DEH"), "55", "female"))
    rows[-1] = (*rows[-1][:3], "unknown", None)
    columns = ["image_id", "split", "melanoma", "age_approximate", "sex"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "metadata.csv", index=False)
    return folder


@pytest.fixture
def pad(own, monkeypatch):
    folder = own / "phones"
    diagnoses = ["ACK", "BCC", "MEL", "NEV", "SCC", "SEK"]
    for i in range(6):
        save(folder / "images" / f"PAT_{i // 2}_{i}.jpg", i, (60, 40))
    pd.DataFrame(
        {
            "image_id": [f"PAT_{i // 2}_{i}" for i in range(6)],
            "patient_id": [f"PAT_{i // 2}" for i in range(6)],
            "lesion_id": range(6),
            "diagnostic": diagnoses,
            "fitspatrick": ["2", None] * 3,
            "age": 50,
            "gender": ["FEMALE", None] * 3,
            "region": "FACE",
            "biopsed": [True, False] * 3,
        }
    ).to_csv(folder / "metadata.csv", index=False)
    monkeypatch.setenv("PAD_UFES_20_DIR", str(folder))
    return folder


def test_of_two_subsets_with_one_content_the_later_keeps_it(isic, capsys):
    lesions = data.load_set("isic2017", 32)
    table = lesions.table
    assert table["split"].tolist() == ["train"] * 3 + ["validation"] + ["test"] * 5
    assert table["group"].nunique() == 8 and table["group"].iloc[-1] == table["group"].iloc[-2]
    assert lesions.melanoma.tolist() == [1, 0, 0, 1, 0, 0, 0, 1, 1]
    assert set(table["dx"]) == {"mel", "other"} and set(lesions.diagnosis) == {6, -1}
    assert table["age"].isna().tolist() == [False] * 8 + [True]
    assert table["sex"].iloc[-1] == "unknown"
    assert (lesions.source, lesions.data_set, lesions.drawn) == ("folder", "isic2017", False)
    assert len(lesions.subset("test")) == 5
    assert capsys.readouterr().out == "Data: ISIC 2017 (9 images).\n"


def test_photographs_are_cut_as_for_a_prediction_and_grouped_by_patient(pad):
    lesions = data.load_set("pad_ufes_20", 32)
    assert lesions.images.shape == (6, 32, 32, 3) and lesions.melanoma.sum() == 1
    for image_id, pixels in zip(lesions.table["image_id"], lesions.images, strict=True):
        read = images.read(pad / "images" / f"{image_id}.jpg")
        assert (images.square(read, 32) == pixels).all()
    assert lesions.table["group"].tolist() == [f"PAT_{i // 2}" for i in range(6)]
    assert lesions.table["dx"].tolist() == ["akiec", "bcc", "mel", "nv", "scc", "bkl"]
    assert set(lesions.table["split"]) == {"test"} and lesions.table["biopsed"].sum() == 3
    assert lesions.table["fitzpatrick"].isna().sum() == 3


def test_a_fingerprint_goes_by_content_and_labels(pad, mend, tmp_path):
    before = data.fingerprint("pad_ufes_20")
    moved = shutil.move(pad, tmp_path / "data" / "pad_ufes_20")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PAD_UFES_20_DIR")
        assert data.fingerprint("pad_ufes_20") == before
        mend(moved / "metadata.csv", "NEV", "MEL")
        other = data.fingerprint("pad_ufes_20")
        save(moved / "images" / "PAT_0_0.jpg", 99, (60, 40))
        assert len({before, other, data.fingerprint("pad_ufes_20")}) == 3


def test_what_is_missing_is_said_with_what_to_do(pad, own, monkeypatch):
    with pytest.raises(ValueError, match="no data set 'isic': take one of isic2017, pad_ufes_20, "):
        data.load_set("isic", 32)
    with pytest.raises(
        FileNotFoundError, match=r"no .*isic2017/metadata.csv: put ISIC 2017 there or set \$ISIC20"
    ):
        data.load_set("isic2017", 32)
    with pytest.raises(ValueError, match="60x40 pixels, too few for 41x41"):
        data.load_set("pad_ufes_20", 41)
    with pytest.raises(ValueError, match="whole number from 28"):
        data.load_set("pad_ufes_20", 20)
    (pad / "images" / "PAT_0_1.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 6 images .*PAT_0_1.jpg\): put PAD-UFES-20"):
        data.load_set("pad_ufes_20", 32)
    monkeypatch.setattr(settings, "SAMPLES", {"samples": own / "samples"})
    with pytest.raises(FileNotFoundError, match=r"no .*samples.csv: it belongs to the course"):
        data.load_set("samples", 32)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("patient_id", "patient", "has no column patient_id, .*: take PAD-UFES-20's own table"),
        ("NEV", "nevus", "has the diagnostic 'nevus': it must be one of ACK, BCC"),
        ("PAT_0_1,", "PAT_0_0,", "has PAT_0_0 twice"),
        ("PAT_0_1,PAT_0,", "PAT_0_1,,", "has no patient_id in line 3"),
    ],
)
def test_a_wrong_table_is_said(pad, mend, old, new, message):
    mend(pad / "metadata.csv", old, new)
    with pytest.raises(ValueError, match=message):
        data.load_set("pad_ufes_20", 32)


# --- masks


def test_masks_are_cut_as_the_images_by_either_name_and_with_any_palette(own, monkeypatch):
    folder = own / "masks"
    (folder / "deeper").mkdir(parents=True)
    inside = np.zeros((30, 40), np.uint8)
    inside[10:20, :30] = 1
    Image.fromarray(inside * 255).save(folder / "ISIC_0000000.png")
    for name, palette in (("1", [0, 0, 0, 255, 255, 255]), ("2", [255, 255, 255, 0, 0, 0])):
        numbers = inside if name == "1" else 1 - inside
        one = Image.fromarray(numbers, "P")
        one.putpalette(palette)
        one.save(folder / "deeper" / f"ISIC_000000{name}_segmentation.png")
    monkeypatch.setenv("HAM10K_MASKS_DIR", str(folder))
    table = pd.DataFrame({"image_id": ["ISIC_0000002", "ISIC_0000000", "ISIC_0000001"]})
    found = data.masks(table, 30)
    assert found.shape == (3, 30, 30) and found.dtype == bool
    assert (found == inside[:, 5:35].astype(bool)).all()  # the centre square
    with pytest.raises(FileNotFoundError, match=r"1 of 4 masks .*0003.png\): put HAM10000's"):
        data.masks(pd.DataFrame({"image_id": [*table["image_id"], "ISIC_0000003"]}), 30)
    monkeypatch.delenv("HAM10K_MASKS_DIR")
    with pytest.raises(FileNotFoundError, match=r"3 of 3 .* or set \$HAM10K_MASKS_DIR"):
        data.masks(table, 30)
    (folder / "ISIC_0000000.png").write_bytes(b"")
    monkeypatch.setenv("HAM10K_MASKS_DIR", str(folder))
    with pytest.raises(ValueError, match="is not an image"):
        data.masks(table, 30)


# --- the real folders


REAL = {name: settings.folder(name) for name in ("ISIC2017_DIR", "PAD_UFES_20_DIR")}
MASKS = settings.folder("HAM10K_MASKS_DIR")


@pytest.mark.slow
@pytest.mark.skipif(None in REAL.values(), reason="needs ISIC 2017 and PAD-UFES-20")
def test_the_real_sets_have_these_counts(monkeypatch):
    for name, folder in REAL.items():
        monkeypatch.setenv(name, str(folder))
    assert len(pd.read_csv(REAL["ISIC2017_DIR"] / "metadata.csv")) == 2_750
    isic = data.load_set("isic2017", 28)
    assert (len(isic), isic.melanoma.sum(), isic.table["group"].nunique()) == (2_746, 521, 2_744)
    subsets = isic.table["split"].value_counts().to_dict()
    assert subsets == {"train": 1_997, "validation": 149, "test": 600}
    pad = data.load_set("pad_ufes_20", 28)
    assert (len(pad), pad.melanoma.sum(), pad.table["group"].nunique()) == (914, 46, 723)


@pytest.mark.slow
@pytest.mark.skipif(MASKS is None, reason="needs the masks of HAM10000")
def test_the_real_masks_cover_a_lesion_in_the_middle(monkeypatch):
    monkeypatch.setenv("HAM10K_MASKS_DIR", str(MASKS))
    names = sorted(path.stem.removesuffix("_segmentation") for path in MASKS.rglob("*.png"))
    assert len(names) == 10_015
    found = data.masks(pd.DataFrame({"image_id": names[::500]}), 64)
    assert found[:, 24:40, 24:40].mean() > 0.8 > 0.5 > found.mean() > 0.05
