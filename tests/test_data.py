import builtins
import errno
import io
import json
import os
import shutil
import socket
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from utils import data, images, settings, splits
from utils.data import kaggle as kaggle_source
from utils.data import source as cache
from utils.data import synthetic

N = 12
IDS = [f"ISIC_{i:07d}" for i in range(N)]
KAGGLE = f"datasets/{kaggle_source.DATASET}"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A course of its own without data, a network that nothing forbids, and no source set."""
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    monkeypatch.setattr(data, "_said", set())
    for name in ("HAM10K_DIR", "HAM10K_SOURCE", "COURSE_WORK_DIR", "COURSE_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    for name in kaggle_source.MOUNTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kagglehub"))
    return tmp_path


@pytest.fixture
def folder(own, monkeypatch):
    """Twelve images in two part folders, two of them the same file."""
    place = own / "ham"
    rng = np.random.RandomState(0)
    rows = []
    for i, image_id in enumerate(IDS):
        part = place / f"HAM10000_images_part_{1 + i % 2}"
        part.mkdir(parents=True, exist_ok=True)
        pixels = rng.randint(0, 256, (15, 20, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((200, 150)).save(part / f"{image_id}.jpg", quality=90)
        dx = data.DX[i % 7]
        rows.append((f"HAM_{i // 2:07d}", image_id, dx, "histo", 50.0, "male", "back"))
    shutil.copy(jpeg(place, 0), jpeg(place, N - 1))
    pd.DataFrame(rows, columns=data.COLUMNS).to_csv(place / "HAM10000_metadata.csv", index=False)
    monkeypatch.setenv("HAM10K_DIR", str(place))
    return place


@pytest.fixture
def bundle(folder, monkeypatch):
    """The folder with Kaggle's table of 28x28 pixels beside it, as Kaggle's bundle has it."""
    monkeypatch.delenv("HAM10K_DIR")
    rows = []
    for i in range(N):
        with Image.open(jpeg(folder, i)) as image:
            small = np.asarray(image.resize((28, 28), Image.Resampling.LANCZOS))
        rows.append([*small.ravel(), i % 7])
    table = pd.DataFrame(rows, columns=kaggle_source.HEADER)
    table.to_csv(folder / kaggle_source.PIXELS, index=False)
    return folder


@pytest.fixture
def kaggle(bundle, own):
    """Kaggle's two single files in kagglehub's cache."""
    version = own / "kagglehub" / KAGGLE / "versions" / "2"
    complete = own / "kagglehub" / KAGGLE / ".complete" / "2"
    version.mkdir(parents=True)
    complete.mkdir(parents=True)
    for name in (kaggle_source.METADATA, kaggle_source.PIXELS):
        shutil.copy(bundle / name, version)
        (complete / f"{name}.complete").touch()
    return version


@pytest.fixture
def made(monkeypatch):
    """The sizes of the squares that were made and not found in the cache."""
    square, calls = images.square, []
    monkeypatch.setattr(images, "square", lambda *a: calls.append(a[1]) or square(*a))
    return calls


@pytest.fixture
def close(monkeypatch):
    """Lets a file or folder be unreadable, for root too."""
    closed, opens, scan = set(), io.open, os.scandir

    def refuse(function, path, *args, **kwargs):
        if str(path) in closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return function(path, *args, **kwargs)

    for module in (io, builtins):
        monkeypatch.setattr(module, "open", partial(refuse, opens))
    monkeypatch.setattr(os, "scandir", partial(refuse, scan))
    return lambda path: closed.add(str(path))


def jpeg(folder, i):
    return folder / f"HAM10000_images_part_{1 + i % 2}" / f"{IDS[i]}.jpg"


def cached(own):
    return sorted(path for path in (own / "data").rglob("*") if path.is_file())


def edit(path, change):
    change(pd.read_csv(path, dtype=str)).to_csv(path, index=False)


def pixels(paths):
    return np.stack([np.asarray(Image.open(path)) for path in paths])


# --- folder


def test_folder_gives_images_in_the_order_of_the_table(folder):
    lesions = data.load_lesions("folder", 28)
    assert lesions.images.shape == (N, 28, 28, 3) and lesions.images.dtype == np.uint8
    assert lesions.source == "folder" and len(lesions) == N
    assert lesions.melanoma.tolist() == [int(i % 7 == 6) for i in range(N)]
    for i in (0, 5):
        with Image.open(jpeg(folder, i)) as image:
            assert (lesions.images[i] == images.square(image, 28)).all()
    assert lesions.table["copy_of"].tolist() == [*IDS[:-1], IDS[0]]


def test_nothing_is_read_before_the_selection(folder):
    for i in range(1, 10):
        jpeg(folder, i).write_bytes(b"broken")
    lesions = data.load_lesions("folder", 28, lambda t: t[t["image_id"] == IDS[0]])
    assert len(lesions) == 1
    with pytest.raises(ValueError, match="No image is selected"):
        data.load_lesions("folder", 28, lambda t: t[:0])


def test_labels_of_two_and_of_seven_classes():
    table = pd.DataFrame({"dx": [*data.DX, "nv"]})
    lesions = data.Lesions(np.zeros((8, 28, 28, 3), np.uint8), table, "folder")
    assert lesions.diagnosis.tolist() == [0, 1, 2, 3, 4, 5, 6, 4]
    assert lesions.melanoma.tolist() == [0, 0, 0, 0, 0, 0, 1, 0]
    assert lesions.diagnosis.dtype == lesions.melanoma.dtype == np.int64


def test_subsets_need_a_split(folder):
    lesions = data.load_lesions("folder", 28, lambda t: t.assign(split=["train", "test"] * 6))
    assert lesions.subset("test").table["image_id"].tolist() == IDS[1::2]
    assert (lesions.subset("test").images == lesions.images[1::2]).all()
    with pytest.raises(ValueError, match=r"no subset 'tset', only \['train', 'test'\]"):
        lesions.subset("tset")
    with pytest.raises(ValueError, match="no subset 'test'"):
        data.load_lesions("folder", 28).subset("test")


# --- the metadata, as people have it


def text(folder):
    return (folder / "HAM10000_metadata.csv").read_text().rstrip("\n")


NAMES = ("HAM10000_metadata.csv", "HAM10000_metadata.tab", "HAM10000_metadata")
TABLES = {
    "Dataverse's tabs": (NAMES[1], lambda t: t.replace(",", "\t") + "\n"),
    "commas in a .tab": (NAMES[1], lambda t: t + "\n"),
    "tabs, no ending": (NAMES[2], lambda t: t.replace(",", "\t") + "\n"),
    "semicolons": (NAMES[0], lambda t: t.replace(",", ";") + "\n"),
    "a German Excel": (NAMES[0], lambda t: "\ufeff" + t.replace(",", ";").replace(".0;", ",0;")),
    "blanks after commas": (NAMES[0], lambda t: t.replace(",", ", ") + "\n"),
    "empty rows at the end": (NAMES[0], lambda t: t + "\n" + ",,,,,,\n" * 2),
    "BOM, CRLF, an index": (
        NAMES[0],
        lambda t: "\ufeff" + "\r\n".join(f"{i},{line}" for i, line in enumerate(t.splitlines())),
    ),
    "quotes": (
        NAMES[0],
        lambda t: "\n".join('"' + line.replace(",", '","') + '"' for line in t.splitlines()),
    ),
    "more columns": (
        NAMES[0],
        lambda t: "\n".join(f"{line},{i or 'dataset'}" for i, line in enumerate(t.splitlines())),
    ),
    "no final newline": (NAMES[0], lambda t: t),
    "ids with an ending": (NAMES[0], lambda t: t.replace(",akiec", ".jpg,akiec") + "\n"),
    "an age is missing": (NAMES[0], lambda t: t.replace("50.0", "", 1) + "\n"),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_every_ordinary_form_are_read(folder, name):
    file, change = TABLES[name]
    changed = change(text(folder))
    (folder / "HAM10000_metadata.csv").unlink()
    (folder / file).write_bytes(changed.encode())
    table, _ = data.load_table("folder")
    assert table["image_id"].tolist() == IDS
    assert table["age"].tolist()[1:] == [50.0] * (N - 1)
    assert table["dx"].tolist() == [data.DX[i % 7] for i in range(N)]
    assert table["localization"].tolist() == ["back"] * N


BAD_TABLES = {
    "no column": (lambda t: t.drop(columns=["dx", "age"]), "has no column dx, age, and its first"),
    "no rows": (lambda t: t[:0], "has no rows"),
    "mis-labelled": (lambda t: t.assign(dx="melanom"), "the dx 'melanom': it must be one of"),
    "twice": (lambda t: t.assign(image_id="ISIC_0000000"), "has ISIC_0000000 twice"),
    "hole": (lambda t: t.assign(lesion_id=None), "has no lesion_id in line 2"),
    "no sex": (lambda t: t.assign(sex=[None, *t["sex"][1:]]), "has no sex in line 2"),
    "age": (lambda t: t.assign(age="old"), "has an age that is no number"),
    "other images": (lambda t: t.assign(image_id="A" + t["image_id"]), "12 of 12 images"),
    "one-hot": (
        lambda t: pd.DataFrame({"image": t["image_id"], "MEL": 0, "NV": 1}),
        "no column lesion_id, .* and its first line has image, MEL, NV: take",
    ),
}
for odd in ("../../out", "a/b", "a\\b", "..", ".hidden", "a:b", "a*", "x" * 101):
    BAD_TABLES[odd[:9]] = (
        lambda t, odd=odd: t.assign(image_id=[*IDS[:-1], odd]),
        "has the image_id '.*': it must be the name of an image file",
    )


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_wrong_table_is_said_in_a_sentence(folder, own, name):
    change, message = BAD_TABLES[name]
    (own / "out.jpg").write_bytes(jpeg(folder, 0).read_bytes())
    edit(folder / "HAM10000_metadata.csv", change)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        data.load_lesions("folder", 28)
    assert cached(own) == []


@pytest.mark.parametrize(
    "content", [lambda t: t.replace(",", "\t").encode("utf-16"), lambda t: f"sep=,\n{t}".encode()]
)
def test_tables_that_only_excel_reads_are_refused(folder, content):
    path = folder / "HAM10000_metadata.csv"
    path.write_bytes(content(text(folder)))
    with pytest.raises(
        ValueError, match=r"HAM10000_metadata.csv (cannot be read as|has no column)"
    ):
        data.load_table("folder")


def test_truncated_and_empty_tables_are_found_out(folder):
    path = folder / "HAM10000_metadata.csv"
    whole = path.read_bytes()
    ends = (-30, whole.index(b"ISIC_0000007"), whole.index(b"HAM_0000003") - 3)
    for end in ends:  # in a row; after a lesion_id; in the last column
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match="truncated"):
            data.load_table("folder")
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="cannot be read as a table"):
        data.load_table("folder")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"no HAM10000_metadata.csv in .*: put it there"):
        data.load_table("folder")


def test_one_image_more_and_no_final_newline_is_no_truncated_table(folder):
    (folder / "HAM10000_metadata.csv").write_text(text(folder))
    shutil.copy(jpeg(folder, 0), jpeg(folder, 0).with_name("my_mole.jpg"))
    (folder / "test_set").mkdir()
    for i in range(N):  # HAM10000 comes with masks and with the images of a challenge
        shutil.copy(jpeg(folder, i), folder / "test_set" / f"another_{i}.jpg")
    assert len(data.load_table("folder")[0]) == N


# --- the folder, as it unpacks


def test_a_folder_deeper_and_an_archive_that_holds_all_are_found(folder):
    for part in (1, 2):
        name = f"HAM10000_images_part_{part}"
        (folder / "archive" / name).mkdir(parents=True)
        (folder / name).rename(folder / "archive" / name / name)
    assert len(data.load_table("folder")[0]) == N
    (folder / "HAM10000_metadata.csv").rename(folder / "archive" / "HAM10000_metadata.csv")
    assert len(data.load_table("folder")[0]) == N


def test_images_in_a_linked_folder_and_a_loop_of_links_are_read(folder, own):
    (folder / "HAM10000_images_part_1").rename(own / "elsewhere")
    (folder / "HAM10000_images_part_1").symlink_to(own / "elsewhere")
    (own / "elsewhere" / "again").symlink_to(folder)
    assert len(data.load_lesions("folder", 28)) == N


def test_png_images_are_read_and_a_jpeg_goes_before_its_mask(folder):
    with Image.open(jpeg(folder, 2)) as image:
        image.save(jpeg(folder, 2).with_suffix(".png"))
        expected = np.asarray(image)
    jpeg(folder, 2).unlink()
    (folder / "A_masks").mkdir()
    Image.new("RGB", (200, 150)).save(folder / "A_masks" / f"{IDS[3]}.png")
    lesions = data.load_lesions("folder", 150, lambda t: t[2:4])
    assert (lesions.images[0] == expected[:, 25:175]).all()
    assert lesions.images[1].max() > 0


def test_two_images_of_one_name_are_both_named(folder):
    """Masks that were saved as JPEGs, for example."""
    (folder / "A_masks").mkdir()
    mask = folder / "A_masks" / f"{IDS[3]}.jpg"
    Image.new("RGB", (200, 150)).save(mask)
    with pytest.raises(ValueError) as refused:
        data.load_table("folder")
    assert {str(mask), str(jpeg(folder, 3))} <= set(str(refused.value).split())
    edit(folder / "HAM10000_metadata.csv", lambda t: t.drop(index=3))
    assert len(data.load_table("folder")[0]) == N - 1  # nobody asks for that name


def test_two_tables_are_both_named(folder):
    shutil.move(folder / "HAM10000_metadata.csv", folder / "HAM10000_images_part_1")
    old = shutil.copytree(folder / "HAM10000_images_part_1", folder / "old")
    assert len(data.load_table("folder")[0]) == N  # the same
    edit(old / "HAM10000_metadata.csv", lambda t: t[:5])
    with pytest.raises(
        ValueError, match=r"part_1/.*csv and .*old/.* differ, .* be the table: take"
    ):
        data.load_table("folder")


def test_copies_empty_twins_and_what_a_mac_adds_do_no_harm(folder):
    first = data.load_lesions("folder", 28).images
    shutil.copytree(folder / "HAM10000_images_part_1", folder / "a_copy")
    for name, content in (("__MACOSX", b"\0\5\x16\7"), ("AAA", b"")):
        (folder / name).mkdir()
        for image_id in IDS:
            (folder / name / f"{image_id}.jpg").write_bytes(content)
        (folder / "__MACOSX" / "HAM10000_metadata.csv").write_bytes(b"\0\5\x16\7")
    assert (data.load_lesions("folder", 28).images == first).all()


def test_what_is_there_instead_is_named(folder):
    shutil.make_archive(folder / "part_2", "zip", folder / "HAM10000_images_part_2")
    shutil.rmtree(folder / "HAM10000_images_part_2")
    with pytest.raises(FileNotFoundError, match=r"6 of 12 images .*; part_2.zip is still packed"):
        data.load_table("folder")
    (folder / "HAM10000_metadata.csv").rename(folder / "GroundTruth.csv")
    with pytest.raises(FileNotFoundError, match=r"only GroundTruth.csv, part_2.zip: put it there"):
        data.load_table("folder")


def test_missing_images_and_folders_are_named(folder, monkeypatch):
    jpeg(folder, 4).unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 12 images .* ISIC_0000004.jpg"):
        data.load_table("folder")
    monkeypatch.setenv("HAM10K_DIR", str(folder / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*nowhere"):
        data.load_table()


def test_a_relative_folder_is_taken_from_where_the_command_was_typed(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("HAM10K_DIR", "ham")
    assert len(data.load_table()[0]) == N


def test_a_closed_folder_matters_only_if_images_are_missing(folder, close):
    (folder / "lost+found").mkdir()
    close(folder / "lost+found")
    assert len(data.load_table("folder")[0]) == N
    close(folder / "HAM10000_images_part_1")
    with pytest.raises(FileNotFoundError, match=r"6 of 12 .*images_part_1 may not be read"):
        data.load_table("folder")
    close(folder)
    with pytest.raises(FileNotFoundError, match=r"There is no .*only ham \(unreadable\)"):
        data.load_table("folder")


def test_a_closed_table_or_image_is_said(folder, close):
    close(jpeg(folder, 3))
    with pytest.raises(PermissionError, match=r"ISIC_0000003.jpg cannot be read \(Permission"):
        data.load_lesions("folder", 28)
    close(folder / "HAM10000_metadata.csv")
    with pytest.raises(PermissionError, match=r"HAM10000_metadata.csv cannot be read \(Permission"):
        data.load_table("folder")


def test_a_link_to_nothing_is_said(folder):
    jpeg(folder, 3).unlink()
    jpeg(folder, 3).symlink_to("../.git/annex/objects/none")
    with pytest.raises(
        FileNotFoundError, match=r"ISIC_0000003.jpg is a link to a file that is not"
    ):
        data.load_table("folder")


# --- the folder's images


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("content", [b"", b"no image", None], ids=["empty", "text", "truncated"])
def test_a_broken_image_is_named_and_not_kept(folder, own, content, in_memory):
    path = jpeg(folder, 2)
    path.write_bytes(path.read_bytes()[:2000] if content is None else content)
    with pytest.raises(ValueError, match=r"ISIC_0000002.jpg is (not an image|broken or truncated)"):
        data.load_lesions("folder", 28, in_memory=in_memory)
    assert not any(path.name.startswith("ISIC_0000002") for path in cached(own))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_decompression_bomb_is_refused(folder, own, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20_000)
    with pytest.raises(ValueError, match="more than 20,000 pixels"):
        data.load_lesions("folder", 28)
    assert cached(own) == []


def test_a_folder_is_read_by_the_rules_of_the_one_reader(folder):
    ramp = np.linspace(0, 65535, 30_000).reshape(150, 200).astype(np.uint16)
    Image.fromarray(ramp).save(jpeg(folder, 0), "PNG")
    with pytest.raises(ValueError, match=r"ISIC_0000000.jpg has pixels of mode I"):
        data.load_lesions("folder", 28)
    Image.new("RGBA", (200, 150), (9, 9, 9, 0)).save(jpeg(folder, 0), "PNG")
    assert (data.load_lesions("folder", 28).images[0] == 255).all()


@pytest.mark.parametrize("size", [27, 0, -1, 28.5, "28", None])
def test_a_size_that_is_none_is_refused(folder, size):
    with pytest.raises(ValueError, match="must be a whole number from 28 on"):
        data.load_lesions("folder", size)


@pytest.mark.parametrize("source", ["folder", "synthetic"])
def test_a_size_above_the_source_is_refused(folder, source):
    with pytest.raises(ValueError, match="200x150 pixels, too few for 151x151"):
        data.load_lesions(source, 151, lambda t: t[:2])


# --- the cache


def test_the_cache_goes_by_image_and_serves_memory_and_disk(folder, own, made):
    first = data.load_lesions("folder", 64, lambda t: t[2:10])
    assert made == [64] * 8
    some = data.load_lesions("folder", 64, lambda t: t[8:4:-1])
    paths = data.load_lesions("folder", 64, lambda t: t[2:10], in_memory=False)
    assert made == [64] * 8
    assert (some.images == first.images[6:2:-1]).all()
    assert (pixels(paths.images) == first.images).all()
    assert cached(own) == sorted(map(Path, paths.images))
    data.load_lesions("folder", 64, in_memory=False)
    data.load_lesions("folder", 28)
    assert made == [64] * 12 + [28] * 12


def test_drawn_images_are_kept_too(own, monkeypatch):
    first = data.load_lesions("synthetic", 32, lambda t: t[:4])
    monkeypatch.setattr(synthetic, "draw", lambda *a: pytest.fail("drawn twice"))
    again = data.load_lesions("synthetic", 32, lambda t: t[1:3])
    assert (again.images == first.images[1:3]).all()


def test_an_image_that_changes_is_made_again(folder, made):
    first = data.load_lesions("folder", 64)
    Image.new("L", (200, 150), 7).save(jpeg(folder, 3))  # a grey image
    again = data.load_lesions("folder", 64)
    assert len(made) == N + 1
    assert (again.images[3] == 7).all() and (again.images[4] == first.images[4]).all()


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[:500],
        lambda b: b"",
        lambda b: b[:500] + bytes([b[500] ^ 1]) + b[501:],
        lambda b: cache._encode(np.zeros((32, 32, 3), np.uint8)),
        lambda b: cache._encode(np.zeros((64, 64), np.uint8)),
    ],
    ids=["truncated", "empty", "one bit", "another size", "grey"],
)
def test_a_damaged_image_is_made_again(folder, own, made, damage, in_memory, capsys):
    first = data.load_lesions("folder", 64).images
    kept = cached(own)[3]
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    again = data.load_lesions("folder", 64, in_memory=in_memory).images
    assert ((again if in_memory else pixels(again)) == first).all()
    assert capsys.readouterr().out.count("A damaged image in the cache is made again: ISIC_") == 1
    assert len(made) == N + 1 and kept.read_bytes() == whole


@pytest.mark.parametrize("in_memory", [True, False])
def test_an_interrupted_run_resumes(folder, own, monkeypatch, made, in_memory):
    square = images.square

    def square_until_killed(image, size):
        if len(made) == 7:
            raise KeyboardInterrupt
        return square(image, size)

    with monkeypatch.context() as killed:
        killed.setattr(images, "square", square_until_killed)
        killed.setattr(cache, "ThreadPoolExecutor", partial(ThreadPoolExecutor, 1))
        with pytest.raises(KeyboardInterrupt):
            data.load_lesions("folder", 64, in_memory=in_memory)
    assert len(made) == len(cached(own)) == 7
    data.load_lesions("folder", 64, in_memory=in_memory)
    assert len(made) == N


@pytest.mark.parametrize("source, size", [("folder", 64), ("kaggle", 28), ("synthetic", 32)])
def test_images_on_disk_are_those_in_memory(kaggle, folder, monkeypatch, source, size):
    if source == "folder":
        monkeypatch.setenv("HAM10K_DIR", str(folder))

    def some(table):
        return table[N - 1 :: -1].assign(split=["train", "test"] * (N // 2))

    there, here = (data.load_lesions(source, size, some, in_memory=m) for m in (False, True))
    assert there.images.shape == (N,) and there.images.dtype.kind == "U"
    assert all(os.path.isabs(path) for path in there.images)
    names = [os.path.basename(path).rpartition("-")[0] for path in there.images]
    assert names == there.table["image_id"].tolist()
    assert (pixels(there.images) == here.images).all()
    assert (pixels(there.subset("test").images) == here.subset("test").images).all()
    pd.testing.assert_frame_equal(there.table, here.table)


def test_an_image_taken_twice_is_one_file(folder, own):
    lesions = data.load_lesions("folder", 28, lambda t: t.iloc[[3, 1, 3]], in_memory=False)
    assert lesions.images[0] == lesions.images[2] != lesions.images[1]
    assert len(cached(own)) == 2


def test_never_more_than_a_few_are_in_memory(folder, monkeypatch):
    square, write = images.square, settings.write_atomically
    alive, most = set(), []

    def square_and_count(image, size):
        pixels = square(image, size)
        alive.add(id(pixels))
        weakref.finalize(pixels, alive.discard, id(pixels))
        return pixels

    def write_slowly(*args):
        time.sleep(0.02)  # enough for threads that ran ahead
        most.append(len(alive))
        write(*args)

    monkeypatch.setattr(images, "square", square_and_count)
    monkeypatch.setattr(settings, "write_atomically", write_slowly)
    monkeypatch.setattr(cache, "ThreadPoolExecutor", partial(ThreadPoolExecutor, 2))
    data.load_lesions("folder", 28, in_memory=False)
    assert len(most) == N and max(most) <= 3


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_full_disk_leaves_nothing_half_written(folder, own, monkeypatch, in_memory):
    def write(path, content):
        with open(path, "wb") as file:
            file.write(content[:9])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(OSError, match=r"\(No space left on device\): .* set COURSE_WORK_DIR"):
        data.load_lesions("folder", 28, in_memory=in_memory)
    assert cached(own) == []


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_cache_that_cannot_be_written_is_said_before_the_work(
    folder, own, monkeypatch, made, in_memory
):
    (own / "data").write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"cannot be written .* set COURSE_WORK_DIR to a folder of"):
        data.load_lesions("folder", 28, in_memory=in_memory)
    assert made == []
    monkeypatch.setenv("COURSE_WORK_DIR", str(own / "work"))
    assert len(data.load_lesions("folder", 28, in_memory=in_memory)) == N
    assert len(list((own / "work" / "data" / "cache").rglob("*.png"))) == N


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_data_folder_is_said(folder, own):
    (own / "data").mkdir(mode=0o500)
    with pytest.raises(OSError, match=r"cannot be written .* set COURSE_WORK_DIR"):
        data.load_lesions("folder", 28)


def test_one_bar_to_standard_output_that_is_gone_when_done(folder, monkeypatch, capsys):
    monkeypatch.setattr(cache, "tqdm", partial_without_delay(cache.tqdm))
    data.load_lesions("folder", 28)
    out, err = capsys.readouterr()
    assert err == "" and out.count("preparing images") == out.count("\rpreparing images")
    assert out.endswith("\r") and out.rpartition("image/s]")[2].strip() == ""
    assert "preparing images" in out and out.isascii()


def partial_without_delay(tqdm):
    return lambda *args, **kwargs: tqdm(*args, **kwargs | {"delay": 0})


# --- Kaggle, outside Colab and Kaggle notebooks


def test_kaggle_table_without_network(kaggle, folder, monkeypatch):
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    lesions = data.load_lesions("kaggle")
    assert lesions.source == "kaggle"
    assert (data.load_lesions("auto").images == lesions.images).all()
    monkeypatch.setenv("HAM10K_DIR", str(folder))
    from_folder = data.load_lesions("folder", 28)
    assert (from_folder.images == lesions.images).all()
    pd.testing.assert_frame_equal(from_folder.table, lesions.table)
    subset = data.load_lesions("kaggle", select=lambda t: t[::-3])
    assert (subset.images == lesions.images[::-3]).all()


def test_kagglehub_has_its_files_where_we_look(kaggle):
    import kagglehub

    for name in (kaggle_source.METADATA, kaggle_source.PIXELS):
        handle = f"{kaggle_source.DATASET}/versions/{kaggle_source.VERSION}"
        assert kagglehub.dataset_download(handle, path=name) == str(kaggle / name)


def test_the_whole_set_in_kagglehubs_cache_needs_no_network(bundle, own, monkeypatch, capsys):
    """As Kaggle's own snippet leaves it: ``kagglehub.dataset_download(NAME)``."""
    import kagglehub

    place = own / "kagglehub" / KAGGLE
    shutil.copytree(bundle, place / "versions" / "2")
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    with pytest.raises(ConnectionError, match="COURSE_OFFLINE"):
        data.load_lesions("kaggle")  # perhaps half of it
    (place / "2.complete").touch()
    whole = kagglehub.dataset_download(f"{kaggle_source.DATASET}/versions/2")
    assert whole == str(place / "versions" / "2")
    small, large = data.load_lesions("auto"), data.load_lesions("auto", 96)
    assert small.source == large.source == "kaggle" and "SYNTHETIC" not in capsys.readouterr().out
    assert small.images.shape == (N, 28, 28, 3) and large.images.shape == (N, 96, 96, 3)


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
    edit(kaggle / kaggle_source.PIXELS, change)
    with pytest.raises(ValueError, match=message):
        data.load_lesions("kaggle")


def test_a_kaggle_table_cut_in_a_line_is_found_out(kaggle):
    path = kaggle / kaggle_source.PIXELS
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"is damaged .*: delete it and load again"):
        data.load_lesions("kaggle")


def test_kaggle_has_one_size(kaggle):
    with pytest.raises(ValueError, match="28x28 only, not 96x96: for more, put the JPEGs"):
        data.load_lesions("kaggle", 96)


def test_without_network_kaggle_is_refused_at_once(own, monkeypatch):
    start = time.monotonic()
    with pytest.raises(ConnectionError, match=r"from Kaggle cannot be fetched .*: try again, or"):
        data.load_lesions("kaggle")
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    with pytest.raises(ConnectionError, match=r"COURSE_OFFLINE forbids the network"):
        data.load_lesions("kaggle")
    assert time.monotonic() - start < 6


@pytest.fixture
def proxy(monkeypatch):
    """A proxy, the only way out: what it was asked, and how it answers."""
    asked, answers = [], {"answer": b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"}
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        with suppress(OSError):  # until the server is closed
            while True:
                client, _ = server.accept()
                asked.append(client.recv(4096).split(b"\r\n")[0].decode())
                if answers["answer"]:
                    client.sendall(answers["answer"])
                    client.close()
                else:
                    answers["open"] = client  # neither answered nor closed

    threading.Thread(target=serve, daemon=True).start()
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.getsockname()[1]}")
    yield asked, answers
    server.close()


def test_a_proxy_is_asked_where_it_is_the_only_way_out(own, proxy):
    asked, _ = proxy
    with pytest.raises(ConnectionError, match=r"cannot be fetched \(.*\): try again"):
        data.load_table("kaggle")
    assert asked[0] == "CONNECT api.kaggle.com:443 HTTP/1.0"


def test_a_server_that_never_answers_is_given_up(own, proxy, monkeypatch, capsys):
    _, answers = proxy
    answers["answer"] = None
    monkeypatch.setattr(kaggle_source, "METADATA_SECONDS", 0.5)
    with pytest.raises(ConnectionError, match=r"\(no answer within 0.5 seconds\): try again"):
        data.load_table("kaggle")
    assert data.load_table("auto")[1] == "synthetic"
    assert capsys.readouterr().out.splitlines()[1:] == [
        "Why: there are no images in data/ham10000, and HAM10000 from Kaggle cannot be fetched (no",
        "answer within 0.5 seconds).",
    ]


# --- Kaggle's mount in Colab and in Kaggle notebooks: kagglehub's own code, a stand-in server


@pytest.fixture(params=["Colab", "Kaggle"])
def mount(request, bundle, own, monkeypatch):
    """The environment, its server, and the folder where the bundle is mounted when it is asked."""
    place = own / "input"
    state = {"mounts": True, "knows": True, "asked": [], "place": place}

    class Server(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state["asked"].append((self.path, asked))
            if state["mounts"] and not self.path.endswith("is_supported"):
                place.mkdir(exist_ok=True)
                with suppress(FileExistsError):
                    os.symlink(bundle, place / "skin-cancer")
            answer = {"slug": "skin-cancer"}
            if request.param == "Kaggle":
                result = {"mountSlug": "skin-cancer", "versionNumber": 2}
                answer = {"wasSuccessful": True, "result": result}
            body = json.dumps(answer).encode()
            self.send_response(200 if state["knows"] else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    if request.param == "Colab":
        monkeypatch.setenv("TBE_RUNTIME_ADDR", address)
        monkeypatch.setenv("COLAB_CACHE_MOUNT_FOLDER", str(place))
    else:
        monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
        monkeypatch.setenv("KAGGLE_DATA_PROXY_URL", f"http://{address}")
        monkeypatch.setenv("KAGGLE_USER_SECRETS_TOKEN", "none")
        monkeypatch.setenv("KAGGLE_DATA_PROXY_TOKEN", "none")
        monkeypatch.setenv("KAGGLE_CACHE_MOUNT_FOLDER", str(place))
    yield state
    server.shutdown()
    server.server_close()


def test_every_size_comes_from_the_mount(mount, bundle, own, capsys):
    with suppress(FileExistsError):  # on a disk that does not tell upper case from lower
        (bundle / "ham10000_images_part_1").symlink_to(bundle / "HAM10000_images_part_1")
    small = data.load_lesions("kaggle")
    large = data.load_lesions("auto", 96)
    assert small.source == large.source == "kaggle"
    for i in (0, 5):
        with Image.open(jpeg(bundle, i)) as image:
            assert (small.images[i] == images.square(image, 28)).all()
            assert (large.images[i] == images.square(image, 96)).all()
    pd.testing.assert_frame_equal(small.table, large.table)
    assert {path.parent.name for path in cached(own)} == {f"kaggle-96-{images.RULE}"}
    assert not (own / "kagglehub").exists()  # nothing was downloaded
    assert "Data: Kaggle's HAM10000 (12 images)." in capsys.readouterr().out
    assert mount["asked"] and all("2" in str(asked) for _, asked in mount["asked"])


def test_a_mount_that_never_comes_is_given_up(mount, monkeypatch):
    mount["mounts"] = False
    monkeypatch.setattr(kaggle_source, "MOUNT_SECONDS", 0.5)
    start = time.monotonic()
    with pytest.raises(
        ConnectionError, match=r"Kaggle cannot be fetched \(no answer within 0.5 sec"
    ):
        data.load_lesions("kaggle", 96)
    assert data.load_table("auto")[1] == "synthetic"
    assert time.monotonic() - start < 10
    mount["place"].mkdir()
    (mount["place"] / "skin-cancer").mkdir()  # ends kagglehub's waiting threads


def test_a_mount_without_the_files_or_unknown_is_said(mount, bundle):
    (bundle / "HAM10000_metadata.csv").unlink()
    with pytest.raises(ConnectionError, match=r"\('HAM10000_metadata.csv' is not present in"):
        data.load_lesions("kaggle", 96)
    mount["knows"] = False  # then kagglehub downloads in Colab, and says 404 in Kaggle's notebooks
    with pytest.raises(ConnectionError, match=r"HAM10000 from Kaggle cannot be fetched \("):
        data.load_lesions("kaggle", 96)


# --- which source


def test_nobody_without_a_home_gets_drawn_lesions(own, monkeypatch, capsys):
    """A container that runs as a number which /etc/passwd does not know, HOME not set."""
    monkeypatch.setattr(os.path, "expanduser", str)  # what it then returns
    monkeypatch.setattr(Path, "home", lambda: Path("~").expanduser())  # raises
    monkeypatch.delenv("KAGGLEHUB_CACHE")
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    assert data.load_table()[1] == "synthetic"
    monkeypatch.setenv("HAM10K_DIR", "~/ham")
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*~/ham"):
        data.load_table()


def test_auto_falls_back_to_synthetic_loudly(own, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    lesions = data.load_lesions("auto", 28, lambda t: t[:3])
    assert lesions.source == "synthetic" and lesions.images.shape == (3, 28, 28, 3)
    out = capsys.readouterr().out
    assert out == (
        "Data: SYNTHETIC, 10,015 drawn images. "
        "No number from them says anything about real skin.\n"
        "Why: there are no images in data/ham10000, and HAM10000 from Kaggle cannot be fetched:\n"
        "COURSE_OFFLINE forbids the network.\n"
    )
    assert max(map(len, out.splitlines())) <= 90
    again = data.load_lesions("synthetic", 28, lambda t: t[:3])
    assert (again.images == lesions.images).all()


def test_auto_prefers_the_variable_then_the_folder(folder, own, kaggle, monkeypatch):
    assert data.load_table()[1] == "kaggle"
    (own / "data").mkdir()
    folder.rename(own / "data" / "ham10000")
    assert data.load_table()[1] == "folder"
    monkeypatch.setenv("HAM10K_SOURCE", "synthetic")
    assert data.load_table()[1] == "synthetic"
    assert data.load_table("kaggle")[1] == "kaggle"


def test_the_data_line_is_short_and_printed_once(folder, kaggle, monkeypatch, capsys):
    monkeypatch.setenv("HAM10K_DIR", str(folder))
    for source in (*data.SOURCES, *data.SOURCES):
        data.load_table(source)
    data.load_lesions("folder", 28, lambda t: t[:2])
    assert capsys.readouterr().out.splitlines() == [
        "Data: your folder of images (12 images).",
        "Data: Kaggle's table of 28x28 images (12 images).",
        "Data: SYNTHETIC, 10,015 drawn images. No number from them says anything about real skin.",
    ]


def test_an_unknown_source_is_refused(own):
    with pytest.raises(ValueError, match="no source 'kagle': take auto or one of"):
        data.load_table("kagle")


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("HAM10K_DIR"), reason="needs the real images")
def test_real_images_are_those_of_kaggles_table(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path))
    lesions = data.load_lesions("folder", 28, lambda t: t[t["image_id"] == "ISIC_0027419"])
    assert lesions.images[0].ravel()[:6].tolist() == [190, 153, 193, 195, 155, 191]
    table, _ = data.load_table("folder")
    assert len(table) == 10_015 and len(splits.mini(table)) == 1_000
