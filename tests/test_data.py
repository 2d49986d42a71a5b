import errno
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from utils import data, splits

N = 12
KAGGLE = "datasets/kmader/skin-cancer-mnist-ham10000"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """An empty data/ and no source set."""
    monkeypatch.setattr(data, "DATA", tmp_path / "data")
    for name in ("HAM10K_DIR", "HAM10K_SOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kagglehub"))
    return tmp_path


@pytest.fixture
def folder(own, monkeypatch):
    """Twelve pictures in two part folders, two of them the same file."""
    place = own / "ham"
    rng = np.random.RandomState(0)
    rows = []
    for i in range(N):
        part = place / f"HAM10000_images_part_{1 + i % 2}"
        part.mkdir(parents=True, exist_ok=True)
        pixels = rng.randint(0, 256, (15, 20, 3)).astype(np.uint8)
        image = Image.fromarray(pixels).resize((200, 150))
        image.save(part / f"ISIC_{i:07d}.jpg", quality=90)
        dx = data.DX[i % 7]
        rows.append((f"HAM_{i // 2:07d}", f"ISIC_{i:07d}", dx, "histo", 50.0, "male", "back"))
    first, last = (next(place.rglob(f"ISIC_{i:07d}.jpg")) for i in (0, N - 1))
    last.write_bytes(first.read_bytes())
    pd.DataFrame(rows, columns=data.COLUMNS).to_csv(place / "HAM10000_metadata.csv", index=False)
    monkeypatch.setenv("HAM10K_DIR", str(place))
    return place


@pytest.fixture
def kaggle(folder, own, monkeypatch):
    """The two files of Kaggle in kagglehub's cache, made from the folder."""
    monkeypatch.delenv("HAM10K_DIR")
    version = own / "kagglehub" / KAGGLE / "versions" / "2"
    complete = own / "kagglehub" / KAGGLE / ".complete" / "2"
    version.mkdir(parents=True)
    complete.mkdir(parents=True)
    table = pd.read_csv(folder / "HAM10000_metadata.csv")
    table.to_csv(version / data.KAGGLE_METADATA, index=False)
    rows = []
    for image_id, dx in zip(table["image_id"], table["dx"], strict=True):
        with Image.open(next(folder.rglob(f"{image_id}.jpg"))) as image:
            small = np.asarray(image.resize((28, 28), Image.Resampling.LANCZOS))
        rows.append([*small.ravel(), data.DX.index(dx)])
    pd.DataFrame(rows, columns=data.KAGGLE_HEADER).to_csv(version / data.KAGGLE_PIXELS, index=False)
    for name in (data.KAGGLE_METADATA, data.KAGGLE_PIXELS):
        (complete / f"{name}.complete").touch()
    return version


def left_behind(own):
    return [p.name for p in (own / "data").rglob("*") if p.is_file()]


def edit(path, change):
    table = pd.read_csv(path, dtype=str)
    change(table).to_csv(path, index=False)


# --- folder


def test_folder_gives_images_in_the_order_of_the_table(folder):
    lesions = data.load_lesions("folder", 28)
    assert lesions.images.shape == (N, 28, 28, 3) and lesions.images.dtype == np.uint8
    assert lesions.source == "folder" and len(lesions) == N
    assert lesions.melanoma.tolist() == [int(i % 7 == 6) for i in range(N)]
    for i in (0, 5):
        with Image.open(next(folder.rglob(f"ISIC_{i:07d}.jpg"))) as image:
            assert (lesions.images[i] == data.fit(image, 28)).all()
    assert lesions.table["copy_of"].tolist() == [*lesions.table["image_id"][:-1], "ISIC_0000000"]


def test_images_are_resized_once_and_again_when_one_changes(folder, own, monkeypatch):
    read, calls = data._read_image, []
    monkeypatch.setattr(data, "_read_image", lambda *a: calls.append(a) or read(*a))
    first = data.load_lesions("folder", 64)
    assert (data.load_lesions("folder", 64).images == first.images).all()
    assert len(calls) == N
    path = next(folder.rglob("ISIC_0000003.jpg"))
    Image.new("L", (200, 150), 7).save(path)  # a grey picture
    again = data.load_lesions("folder", 64)
    assert len(calls) == 2 * N
    assert (again.images[3] == 7).all() and (again.images[4] == first.images[4]).all()


@pytest.mark.parametrize("damage", [lambda b: b[:1000], lambda b: b"", lambda b: b[:500] + b"x"])
def test_a_corrupt_cache_is_made_again(folder, own, damage, capsys):
    first = data.load_lesions("folder", 28)
    (kept,) = (own / "data" / "cache").iterdir()
    kept.write_bytes(damage(kept.read_bytes()))
    assert (data.load_lesions("folder", 28).images == first.images).all()
    assert "is damaged and is made again" in capsys.readouterr().out
    with np.load(kept, allow_pickle=False) as file:
        assert (file["values"] == first.images).all()


def test_nothing_is_read_before_the_selection(folder, monkeypatch):
    for path in folder.rglob("ISIC_000000[1-9].jpg"):
        path.write_bytes(b"broken")
    lesions = data.load_lesions("folder", 28, lambda t: t[t["image_id"] == "ISIC_0000000"])
    assert len(lesions) == 1
    with pytest.raises(ValueError, match="No image is selected"):
        data.load_lesions("folder", 28, lambda t: t[:0])


def test_fit_squashes_at_28_and_crops_the_centre_above():
    picture = Image.new("RGB", (200, 150), "red")
    picture.paste((0, 255, 0), (25, 0, 175, 150))
    assert set(map(tuple, data.fit(picture, 28)[:, 0])) != {(0, 255, 0)}
    assert (data.fit(picture, 96)[:, 8:-8] == (0, 255, 0)).all()
    assert data.fit(picture, 96)[0, 0].tolist()[1] > 200


def test_labels_of_two_and_of_seven_classes():
    table = pd.DataFrame({"dx": [*data.DX, "nv"]})
    lesions = data.Lesions(np.zeros((8, 28, 28, 3), np.uint8), table, "folder")
    assert lesions.diagnosis.tolist() == [0, 1, 2, 3, 4, 5, 6, 4]
    assert lesions.melanoma.tolist() == [0, 0, 0, 0, 0, 0, 1, 0]
    assert lesions.diagnosis.dtype == lesions.melanoma.dtype == np.int64


def test_parts_need_a_split(folder):
    lesions = data.load_lesions("folder", 28, lambda t: t.assign(split=["train", "test"] * 6))
    assert lesions.part("test").table["image_id"].tolist()[0] == "ISIC_0000001"
    with pytest.raises(ValueError, match=r"no part 'tset', only \['train', 'test'\]"):
        lesions.part("tset")
    with pytest.raises(ValueError, match="no part 'test'"):
        data.load_lesions("folder", 28).part("test")


BAD_TABLES = {
    "no column": (lambda t: t.drop(columns=["dx", "age"]), "has no column dx, age: it must have"),
    "no rows": (lambda t: t[:0], "has no rows"),
    "mis-labelled": (lambda t: t.assign(dx="melanom"), "the dx 'melanom': it must be one of"),
    "twice": (lambda t: t.assign(image_id="ISIC_0000000"), "has ISIC_0000000 twice"),
    "hole": (lambda t: t.assign(lesion_id=None), "has no lesion_id in line 2"),
    "age": (lambda t: t.assign(age="old"), "has an age that is no number"),
    "other images": (lambda t: t.assign(image_id="A" + t["image_id"]), "12 of 12 images"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_wrong_table_is_said_in_a_sentence(folder, own, name):
    change, message = BAD_TABLES[name]
    edit(folder / "HAM10000_metadata.csv", change)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        data.load_lesions("folder", 28)
    assert left_behind(own) == []


def test_truncated_and_empty_tables_are_found_out(folder):
    path = folder / "HAM10000_metadata.csv"
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(ValueError, match="truncated"):
        data.load_table("folder")
    path.write_bytes(whole[: whole.index(b"ISIC_0000007")])
    with pytest.raises(ValueError, match="truncated"):
        data.load_table("folder")
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="cannot be read as a table"):
        data.load_table("folder")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"no HAM10000_metadata.csv in .*: put it there"):
        data.load_table("folder")


def test_missing_images_and_folders_are_named(folder, monkeypatch):
    next(folder.rglob("ISIC_0000004.jpg")).unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 12 images .* ISIC_0000004.jpg"):
        data.load_table("folder")
    monkeypatch.setenv("HAM10K_DIR", str(folder / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*nowhere"):
        data.load_table()


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", None], ids=["empty", "text", "truncated"]
)
def test_a_broken_image_is_named_and_nothing_is_kept(folder, own, content):
    path = next(folder.rglob("ISIC_0000002.jpg"))
    path.write_bytes(path.read_bytes()[:2000] if content is None else content)
    with pytest.raises(ValueError, match=r"ISIC_0000002.jpg cannot be read as an image .*again"):
        data.load_lesions("folder", 28)
    assert left_behind(own) == []


def test_a_decompression_bomb_is_refused(folder, own, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20_000)
    with pytest.raises(ValueError, match="claims more than 20,000 pixels"):
        data.load_lesions("folder", 28)
    assert left_behind(own) == []


@pytest.mark.parametrize("size", [27, 0, -1, 28.5, "28", None])
def test_a_size_that_is_none_is_refused(folder, size):
    with pytest.raises(ValueError, match="must be a whole number from 28 on"):
        data.load_lesions("folder", size)


@pytest.mark.parametrize("source", ["folder", "synthetic"])
def test_a_size_above_the_source_is_refused(folder, source):
    with pytest.raises(ValueError, match="200x150 pixels, too few for 151x151"):
        data.load_lesions(source, 151, lambda t: t[:2])


def test_a_data_folder_that_cannot_be_written_is_said_before_the_work(folder, own, monkeypatch):
    (own / "data").write_text("a file where the folder should be")
    monkeypatch.setattr(data, "_read_image", lambda *a: pytest.fail("worked in vain"))
    with pytest.raises(OSError, match=r"cache cannot be written .*: make it a writable folder"):
        data.load_lesions("folder", 28)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_data_folder_is_said(folder, own):
    (own / "data").mkdir(mode=0o500)
    with pytest.raises(OSError, match=r"cache cannot be written .*: make it a writable folder"):
        data.load_lesions("folder", 28)


def test_a_full_disk_leaves_nothing_half_written(folder, own, monkeypatch):
    def savez(path, values):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(data.np, "savez", savez)
    with pytest.raises(OSError, match=r"\(No space left on device\)"):
        data.load_lesions("folder", 28)
    assert left_behind(own) == []


def test_write_atomically_keeps_what_was_there(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("old")

    def fail(temporary):
        temporary.write_text("ne")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        data.write_atomically(path, fail)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["x.json"]
    data.write_atomically(path, lambda p: p.write_text("new"))
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["x.json"]


# --- Kaggle


def test_kaggle_table_through_kagglehub_without_network(kaggle, folder, monkeypatch, capsys):
    lesions = data.load_lesions("kaggle")
    assert lesions.source == "kaggle" and "Data: kaggle" in capsys.readouterr().out
    assert (data.load_lesions("auto").images == lesions.images).all()
    assert "is empty or not there" in capsys.readouterr().out
    monkeypatch.setenv("HAM10K_DIR", str(folder))
    from_folder = data.load_lesions("folder", 28)
    assert (from_folder.images == lesions.images).all()
    pd.testing.assert_frame_equal(from_folder.table, lesions.table)
    part = data.load_lesions("kaggle", select=lambda t: t[::-3])
    assert (part.images == lesions.images[::-3]).all()


BAD_PIXELS = {
    "mis-labelled": (lambda t: t.assign(label="0"), "10 labels .* do not agree .* akiec for"),
    "label out of range": (lambda t: t.assign(label="7"), "has the label 7"),
    "fewer rows": (lambda t: t[:-1], "11 rows and .* 12: one of them is truncated"),
    "no rows": (lambda t: t[:0], "is damaged"),
    "no label": (lambda t: t.drop(columns="label"), "its columns are not pixel0000"),
    "fraction": (lambda t: t.assign(pixel0000="0.5"), "is damaged"),
    "too bright": (lambda t: t.assign(pixel0000="256"), "is damaged"),
}


@pytest.mark.parametrize("name", BAD_PIXELS)
def test_a_wrong_kaggle_table_is_said_in_a_sentence(kaggle, name):
    change, message = BAD_PIXELS[name]
    edit(kaggle / data.KAGGLE_PIXELS, change)
    with pytest.raises(ValueError, match=message):
        data.load_lesions("kaggle")


def test_a_kaggle_table_cut_in_a_line_is_found_out(kaggle):
    path = kaggle / data.KAGGLE_PIXELS
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"is damaged .*: delete it and load again"):
        data.load_lesions("kaggle")


def test_kaggle_has_one_size(kaggle):
    with pytest.raises(ValueError, match="28x28 only, not 96x96: for more, put the JPEGs"):
        data.load_lesions("kaggle", 96)


def test_without_network_kaggle_is_refused_at_once(own):
    start = time.monotonic()
    with pytest.raises(ConnectionError, match=r"www.kaggle.com cannot be reached"):
        data.load_lesions("kaggle")
    assert time.monotonic() - start < 6


# --- on disk


def pixels(paths):
    return np.stack([np.asarray(Image.open(path)) for path in paths])


@pytest.mark.parametrize("source, size", [("folder", 64), ("kaggle", 28), ("synthetic", 32)])
def test_pictures_on_disk_are_those_in_memory(kaggle, folder, own, monkeypatch, source, size):
    monkeypatch.setattr(data, "PIECE", 5)
    if source == "folder":
        monkeypatch.setenv("HAM10K_DIR", str(folder))

    def some(table):
        return table[N - 1 :: -1].assign(split=["train", "test"] * (N // 2))

    there, here = (data.load_lesions(source, size, some, in_memory=m) for m in (False, True))
    assert there.images.shape == (N,) and there.images.dtype.kind == "U"
    assert all(os.path.isabs(path) for path in there.images)
    assert [os.path.basename(p)[:-4] for p in there.images] == there.table["image_id"].tolist()
    assert (pixels(there.images) == here.images).all()
    assert (pixels(there.part("test").images) == here.part("test").images).all()
    pd.testing.assert_frame_equal(there.table, here.table)


def test_a_picture_taken_twice_is_one_file(folder, own):
    lesions = data.load_lesions("folder", 28, lambda t: t.iloc[[3, 1, 3]], in_memory=False)
    assert lesions.images[0] == lesions.images[2] != lesions.images[1]
    assert len(left_behind(own)) == 2


def test_a_killed_run_goes_on_and_damaged_pictures_are_made_again(folder, monkeypatch, capsys):
    read, made = data._read_image, []

    def read_until_killed(path, size):
        if len(made) == 7:
            raise KeyboardInterrupt
        made.append(path.stem)
        return read(path, size)

    monkeypatch.setattr(data, "PIECE", 1)
    monkeypatch.setattr(data, "_read_image", read_until_killed)
    with pytest.raises(KeyboardInterrupt):
        data.load_lesions("folder", 64, in_memory=False)
    monkeypatch.setattr(data, "_read_image", lambda *a: made.append(a[0].stem) or read(*a))
    paths = data.load_lesions("folder", 64, in_memory=False).images
    assert made == [f"ISIC_{i:07d}" for i in range(N)]

    first = pixels(paths)
    damages = {2: lambda b: b[:500], 3: lambda b: b"", 4: lambda b: b[:500] + b"x" + b[501:]}
    for i, damage in damages.items():
        path = Path(paths[i])
        path.write_bytes(damage(path.read_bytes()))
    capsys.readouterr()
    again = data.load_lesions("folder", 64, in_memory=False).images
    assert (again == paths).all() and (pixels(again) == first).all()
    assert made[N:] == [f"ISIC_{i:07d}" for i in damages]
    assert capsys.readouterr().out.count("is damaged and is made again") == 3
    data.load_lesions("folder", 64, in_memory=False)
    assert len(made) == N + 3


def test_never_more_than_a_piece_is_in_memory(folder, monkeypatch):
    read, write, held, most = data._read_image, data.write_atomically, [], []

    def write_slowly(*args):
        time.sleep(0.02)  # enough for threads that ran ahead
        most.append(len(held))
        held.pop()
        write(*args)

    monkeypatch.setattr(data, "PIECE", 3)
    monkeypatch.setattr(data, "_read_image", lambda *a: held.append(1) or read(*a))
    monkeypatch.setattr(data, "write_atomically", write_slowly)
    data.load_lesions("folder", 28, in_memory=False)
    assert len(most) == N and max(most) <= 3


def test_on_disk_too_a_broken_image_is_named(folder):
    path = next(folder.rglob("ISIC_0000002.jpg"))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"ISIC_0000002.jpg cannot be read as an image .*again"):
        data.load_lesions("folder", 28, in_memory=False)


def test_on_disk_too_a_full_or_unwritable_disk_is_said(folder, own, monkeypatch):
    def save(image, path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Image.Image, "save", save)
        with pytest.raises(OSError, match=r"cache cannot be written \(No space left on device\)"):
            data.load_lesions("folder", 28, in_memory=False)
    assert left_behind(own) == []
    (own / "data").rename(own / "aside")
    (own / "data").write_text("a file where the folder should be")
    monkeypatch.setattr(data, "_read_image", lambda *a: pytest.fail("worked in vain"))
    with pytest.raises(OSError, match=r"cache cannot be written .*: make it a writable folder"):
        data.load_lesions("folder", 28, in_memory=False)


# --- which source


def test_auto_falls_back_to_synthetic_loudly(own, capsys):
    lesions = data.load_lesions("auto", 28, lambda t: t[:3])
    assert lesions.source == "synthetic" and lesions.images.shape == (3, 28, 28, 3)
    assert "SYNTHETIC" in capsys.readouterr().out
    again = data.load_lesions("synthetic", 28, lambda t: t[:3])
    assert (again.images == lesions.images).all()


def test_auto_prefers_the_variable_then_the_folder(folder, own, kaggle, monkeypatch, capsys):
    assert data.load_table()[1] == "kaggle"
    (own / "data").mkdir()
    folder.rename(own / "data" / "ham10000")
    assert data.load_table()[1] == "folder"
    assert "it is there" in capsys.readouterr().out
    monkeypatch.setenv("HAM10K_SOURCE", "synthetic")
    assert data.load_table()[1] == "synthetic"
    assert data.load_table("kaggle")[1] == "kaggle"


def test_an_unknown_source_is_refused(own):
    with pytest.raises(ValueError, match="no source 'kagle': take auto or one of"):
        data.load_table("kagle")


def test_online_gives_up_in_time_and_knows_an_open_port(monkeypatch):
    class Open:
        __enter__ = __exit__ = lambda *a: None

    monkeypatch.setattr(data.socket, "create_connection", lambda *a: time.sleep(1) or Open())
    start = time.monotonic()
    assert not data.online("somewhere", timeout=0.2)
    assert time.monotonic() - start < 2

    monkeypatch.setattr(data.socket, "create_connection", lambda *a: Open())
    assert data.online("somewhere")


@pytest.mark.skipif(not os.environ.get("HAM10K_DIR"), reason="needs the real images")
def test_real_images_are_those_of_kaggles_table(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "DATA", tmp_path)
    lesions = data.load_lesions("folder", 28, lambda t: t[t["image_id"] == "ISIC_0027419"])
    assert lesions.images[0].ravel()[:6].tolist() == [190, 153, 193, 195, 155, 191]
    table, _ = data.load_table("folder")
    assert len(table) == 10_015 and len(splits.mini(table)) == 1_000
