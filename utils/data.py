"""HAM10000 from one of three sources: images, the table that describes them, and where from.

Taught in lesson 01. Sources, licence and the layout of ``data/``: data/README.md."""

import hashlib
import os
import socket
import tempfile
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageOps
from tqdm import tqdm

DATA = Path(__file__).parents[1] / "data"
DX = ("akiec", "bcc", "bkl", "df", "nv", "vasc", "mel")  # label codes 0..6 of Kaggle's table
COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")
SOURCES = ("folder", "kaggle", "synthetic")

KAGGLE_SIZE = 28
KAGGLE_HOST = "www.kaggle.com"
# With a version in the handle kagglehub answers from its cache without asking the network.
KAGGLE_DATASET, KAGGLE_VERSION = "kmader/skin-cancer-mnist-ham10000", 2
KAGGLE_METADATA, KAGGLE_PIXELS = "HAM10000_metadata.csv", "hmnist_28_28_RGB.csv"
KAGGLE_HEADER = [f"pixel{i:04d}" for i in range(KAGGLE_SIZE**2 * 3)] + ["label"]

FIT_RULE = "1"  # another number whenever fit() changes, so that older caches are not used
PIECE = 64  # pictures made at a time, and so in memory at once where they go to disk


@dataclass(frozen=True, eq=False)
class Lesions:
    """Images and what is known of them.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, h, w, 3), or of str, shape (n,)
        RGB, 0..255; or absolute paths of PNGs of h x w such pixels.
    table : DataFrame
        One row an image, in the images' order, index 0..n-1.
    source : str
        ``"folder"``, ``"kaggle"`` or ``"synthetic"``.
    """

    images: np.ndarray
    table: pd.DataFrame
    source: str

    def __len__(self):
        return len(self.table)

    @property
    def melanoma(self):
        """ndarray of int64, shape (n,): 1 where the diagnosis is melanoma, else 0."""
        return (self.table["dx"] == "mel").to_numpy(np.int64)

    @property
    def diagnosis(self):
        """ndarray of int64, shape (n,): where each diagnosis stands in ``DX``."""
        return pd.Index(DX).get_indexer(self.table["dx"]).astype(np.int64)

    def part(self, name):
        """The lesions whose column ``split`` says ``name``, as Lesions.

        Raises
        ------
        ValueError
            If the table has no such part.
        """
        parts = list(pd.unique(self.table["split"])) if "split" in self.table else []
        if name not in parts:
            raise ValueError(
                f"There is no part {name!r}, only {parts}: load with select=splits.mini or full."
            )
        rows = (self.table["split"] == name).to_numpy()
        return Lesions(self.images[rows], self.table[rows].reset_index(drop=True), self.source)


def load_table(source="auto"):
    """What is known of each image, without any image.

    Parameters
    ----------
    source : {"auto", "folder", "kaggle", "synthetic"}
        ``auto`` takes ``$HAM10K_SOURCE`` if it is set, else the first source that is there, and
        every call prints one line that says which and why.

    Returns
    -------
    table : DataFrame
        ``COLUMNS`` and ``copy_of``, the image_id of the first image with identical bytes
        (the image itself if there is none before it). Rows in the source's own order.
    source : str

    Raises
    ------
    ValueError
        If the source is unknown or its table is wrong.
    FileNotFoundError
        If the folder, its table or some of its images are not there.
    ConnectionError
        If ``source="kaggle"`` and Kaggle cannot be reached.
    """
    table, source, _ = _open(source, KAGGLE_SIZE)
    return table, source


def load_lesions(source="auto", size=28, select=None, in_memory=True):
    """Images of one size with their table.

    Parameters
    ----------
    source : {"auto", "folder", "kaggle", "synthetic"}
        As for ``load_table``.
    size : int
        Height and width in pixels, from 28 to the short side of the source's images; ``fit``
        says how an image is brought to it. Kaggle's table has 28 only.
    select : callable, optional
        Takes the table and returns the rows to keep, perhaps with more columns, such as
        ``splits.mini``. It is called before any image is read.
    in_memory : bool
        False: ``Lesions.images`` are paths of lossless PNGs in ``data/cache``, so that the memory
        needed does not grow with the number of images. They hold the same pixels and are written
        once: a run that was killed goes on where it was, and only what is missing or damaged is
        made again. Damage after that is left to the reader: ``tf.io.decode_png`` refuses a wrong
        checksum, Pillow does not always.

    Returns
    -------
    Lesions

    Raises
    ------
    ValueError
        If the size is not possible, nothing is selected, or a table or an image is wrong.
    FileNotFoundError, ConnectionError
        As for ``load_table``.
    OSError
        If ``data/cache`` cannot be written.
    """
    if not isinstance(size, (int, np.integer)) or size < KAGGLE_SIZE:
        raise ValueError(f"The size must be a whole number from {KAGGLE_SIZE} on, not {size!r}.")
    table, source, read = _open(source, size)
    if select is not None:
        table = select(table)
    if len(table) == 0:
        raise ValueError("No image is selected: `select` must leave at least one row.")
    table = table.reset_index(drop=True)
    image_ids = list(table["image_id"])
    name, pictures = read(image_ids, size)
    if not in_memory:
        images = _on_disk(name, image_ids, pictures)
    elif source == "kaggle":  # read in about a second, so not cached
        images = np.asarray(pictures(image_ids))
    else:
        images = _cached(name, lambda: np.stack(list(pictures(image_ids))))
    return Lesions(images, table, source)


def fit(image, size):
    """A picture as a square.

    At 28 pixels and below the whole picture is squashed, as in Kaggle's 28x28 table, so that the
    two sources agree. Above, its centre square is cut out (the outer eighths of a 4:3 picture
    are lost, and nothing is distorted or padded) and resized. Lanczos filter in both cases.

    Parameters
    ----------
    image : PIL.Image.Image
        Mode RGB, any size.
    size : int

    Returns
    -------
    ndarray of uint8, shape (size, size, 3)
    """
    resize = Image.Image.resize if size <= KAGGLE_SIZE else ImageOps.fit
    return np.asarray(resize(image, (size, size), Image.Resampling.LANCZOS))


def online(host, timeout=3.0):
    """Whether a TCP connection to port 443 of ``host`` opens within ``timeout`` seconds."""
    opened = []

    def knock():
        with suppress(OSError), socket.create_connection((host, 443), timeout):
            opened.append(True)

    # A name look-up knows no timeout, so it is left behind in a thread when it takes too long.
    thread = threading.Thread(target=knock, daemon=True)
    thread.start()
    thread.join(timeout)
    return bool(opened)


def write_atomically(path, write):
    """Write a file so that it is there in full or, if anything fails, as it was before.

    Parameters
    ----------
    path : Path
    write : callable
        Takes a temporary path in the same folder, with the same suffixes, and writes it.
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


# --- which source --------------------------------------------------------------------------------


def _open(source, size):
    """The table, the source's name and ``read(image_ids, size) -> name, pictures``.

    ``name`` changes with the pixels of these images, and ``pictures(some_of_the_ids)`` is an
    iterable of theirs: ndarrays of uint8, shape (size, size, 3).
    """
    reason = "asked for"
    if source == "auto" and os.environ.get("HAM10K_SOURCE"):
        source, reason = os.environ["HAM10K_SOURCE"], "$HAM10K_SOURCE is set"
    if source not in ("auto", *SOURCES):
        raise ValueError(f"There is no source {source!r}: take auto or one of {SOURCES}.")

    folder = Path(os.environ.get("HAM10K_DIR") or DATA / "ham10000").expanduser()
    if source == "auto" and os.environ.get("HAM10K_DIR"):
        source, reason = "folder", "$HAM10K_DIR is set"
    elif source == "auto" and any(folder.glob("[!.]*")):
        source, reason = "folder", "it is there"
    if source == "folder":
        table, read = _open_folder(folder)
        print(f"Data: folder {folder} ({len(table):,} images) - {reason}")
        return table, source, read

    if source in ("auto", "kaggle"):
        try:
            files = _kaggle_files(size)
        except ConnectionError as error:
            if source == "kaggle":
                raise
            source, reason = "synthetic", f"{folder} is empty or not there. {error}"
        else:
            reason = reason if source == "kaggle" else f"{folder} is empty or not there"
            table, read = _open_kaggle(*files)
            print(f"Data: kaggle {KAGGLE_DATASET} ({len(table):,} images, 28x28) - {reason}")
            return table, "kaggle", read

    table, read = _open_synthetic()
    print(
        f"Data: SYNTHETIC ({len(table):,} drawn images: no number from them says anything about "
        f"real skin) - {reason}"
    )
    return table, source, read


# --- the folder ----------------------------------------------------------------------------------


def _open_folder(folder):
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no folder {folder}: put HAM10000 there or set $HAM10K_DIR to where it is "
            "(data/README.md says how)."
        )
    names = ("HAM10000_metadata.csv", "HAM10000_metadata")  # on Kaggle; on Harvard Dataverse
    metadata = next((folder / name for name in names if (folder / name).is_file()), None)
    if metadata is None:
        raise FileNotFoundError(f"There is no HAM10000_metadata.csv in {folder}: put it there.")
    table = _read_table(metadata)

    folders = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    path_of = {}
    for path in (path for place in folders for path in sorted(place.iterdir())):
        # Kaggle's bundle holds some pictures twice, in folders that differ by upper case.
        if path.suffix.lower() in (".jpg", ".jpeg") and not path.name.startswith("."):
            path_of.setdefault(path.stem, path)
    missing = [image_id for image_id in table["image_id"] if image_id not in path_of]
    if missing:
        raise FileNotFoundError(
            f"{len(missing):,} of {len(table):,} images of {metadata.name} are not in {folder} or "
            f"a folder in it (the first: {missing[0]}.jpg): put them there."
        )
    without_row = len(path_of) - len(table)
    if without_row and not metadata.read_bytes().endswith(b"\n"):
        raise ValueError(
            f"{metadata} ends in the middle of a line, and {without_row:,} pictures have no row: "
            "it is truncated, fetch it again."
        )

    # Identical files have the same length, so most of the large originals need no hash.
    paths = [path_of[image_id] for image_id in table["image_id"]]
    length = pd.Series([path.stat().st_size for path in paths])
    candidates = [paths[i] for i in np.flatnonzero(length.duplicated(keep=False))]
    digest_of = dict(zip(candidates, map(_sha256, candidates), strict=True))
    content = pd.Series([digest_of.get(path, path.name) for path in paths])
    table["copy_of"] = table.groupby(content)["image_id"].transform("first")
    return table, partial(_read_folder, path_of, digest_of)


def _read_table(path):
    """A metadata file as a DataFrame with ``COLUMNS``, or one clear sentence."""
    try:
        table = pd.read_csv(path, dtype=str)
    except ValueError as error:  # of the parser, of the decoder, or because the file is empty
        raise ValueError(
            f"{path} cannot be read as a table ({_first_line(error)}): fetch it again."
        ) from error
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise ValueError(
            f"{path} has no column {', '.join(missing)}: it must have {', '.join(COLUMNS)}."
        )
    table = table[list(COLUMNS)]
    if len(table) == 0:
        raise ValueError(f"{path} has no rows: fetch it again.")
    for column in COLUMNS:
        empty = np.flatnonzero(table[column].isna())
        if column != "age" and len(empty):
            raise ValueError(
                f"{path} has no {column} in line {empty[0] + 2}: it is damaged or truncated, "
                "fetch it again."
            )
    twice = table.loc[table["image_id"].duplicated(), "image_id"]
    if len(twice):
        raise ValueError(f"{path} has {twice.iloc[0]} twice: each image must have one row.")
    unknown = table.loc[~table["dx"].isin(DX)]
    if len(unknown):
        raise ValueError(
            f"{path} gives {unknown['image_id'].iloc[0]} the dx {unknown['dx'].iloc[0]!r}: it must "
            f"be one of {', '.join(DX)}."
        )
    try:
        return table.assign(age=table["age"].astype(float))
    except ValueError as error:
        raise ValueError(f"{path} has an age that is no number: {_first_line(error)}.") from error


def _read_folder(path_of, digest_of, image_ids, size):
    paths = [path_of[image_id] for image_id in image_ids]
    content = [digest_of.get(path) or _sha256(path) for path in paths]
    key = _key(FIT_RULE, size, *image_ids, *content)

    def make(piece):
        # Threads are enough: Pillow decodes and resizes without holding Python's lock.
        with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return list(pool.map(lambda image_id: _read_image(path_of[image_id], size), piece))

    return f"folder-{size}-{key}", partial(_in_pieces, make, "resizing")


def _read_image(path, size):
    try:
        with Image.open(path) as image:
            if size > min(image.size):
                raise ValueError(
                    f"{path} has {image.width}x{image.height} pixels, too few for {size}x{size}: "
                    "ask for a smaller size or fetch a larger picture."
                )
            return fit(image.convert("RGB"), size)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ValueError(
            f"{path} claims more than {Image.MAX_IMAGE_PIXELS:,} pixels: that is no photograph of "
            "a lesion, fetch it again."
        ) from error
    except (OSError, SyntaxError) as error:  # Pillow raises the latter on some broken headers
        raise ValueError(
            f"{path} cannot be read as an image ({_first_line(error)}): fetch it again."
        ) from error


# --- Kaggle --------------------------------------------------------------------------------------


def _kaggle_files(size):
    """Paths of the metadata and of the pixel table; ConnectionError if they cannot be had."""
    names = (KAGGLE_METADATA, KAGGLE_PIXELS)
    cache = Path(os.environ.get("KAGGLEHUB_CACHE") or Path.home() / ".cache" / "kagglehub")
    place = cache / "datasets" / KAGGLE_DATASET
    complete = place / ".complete" / str(KAGGLE_VERSION)
    version = place / "versions" / str(KAGGLE_VERSION)
    cached = all(
        (complete / f"{name}.complete").exists() and (version / name).exists() for name in names
    )
    if not cached and not online(KAGGLE_HOST):
        raise ConnectionError(
            f"{KAGGLE_HOST} cannot be reached, and its tables are not in {cache}: connect to the "
            "network, or take source='synthetic'."
        )
    if size != KAGGLE_SIZE:
        raise ValueError(
            f"Kaggle's table has images of {KAGGLE_SIZE}x{KAGGLE_SIZE} only, not {size}x{size}: "
            f"for more, put the JPEGs in {DATA / 'ham10000'} (data/README.md says how)."
        )
    import kagglehub  # here, since it takes a second and the other sources do without

    handle = f"{KAGGLE_DATASET}/versions/{KAGGLE_VERSION}"
    try:
        return [Path(kagglehub.dataset_download(handle, path=name)) for name in names]
    except Exception as error:  # of kagglehub, requests, urllib3, the file system ...
        raise ConnectionError(
            f"Kaggle's tables could not be fetched ({_first_line(error)}): try again, or take "
            "source='synthetic'."
        ) from error


def _open_kaggle(metadata, pixels):
    table = _read_table(metadata)
    values = _read_pixels(pixels)
    if len(values) != len(table):
        raise ValueError(
            f"{pixels} has {len(values):,} rows and {metadata.name} {len(table):,}: one of them is "
            "truncated, delete both and load again."
        )
    labels = np.array(DX)[values[:, -1]]
    wrong = np.flatnonzero(labels != table["dx"])
    if len(wrong):
        raise ValueError(
            f"{len(wrong):,} labels of {pixels} do not agree with {metadata.name} (the first: "
            f"{labels[wrong[0]]} for {table['image_id'][wrong[0]]}, which is "
            f"{table['dx'][wrong[0]]}): delete both and load again."
        )
    images = values[:, :-1].reshape(-1, KAGGLE_SIZE, KAGGLE_SIZE, 3)
    content = pd.Series([hashlib.sha256(image.tobytes()).hexdigest() for image in images])
    table["copy_of"] = table.groupby(content)["image_id"].transform("first")
    row_of = pd.Index(table["image_id"])

    def read(image_ids, size):
        key = _key(*image_ids, *content[row_of.get_indexer(image_ids)])
        return f"kaggle-{size}-{key}", lambda some: images[row_of.get_indexer(some)]

    return table, read


def _read_pixels(path):
    """Kaggle's table as it is: ndarray of uint8, shape (n, 28 * 28 * 3 + 1), labels last."""
    try:
        with open(path) as lines:
            if lines.readline().strip().split(",") != KAGGLE_HEADER:
                raise ValueError("its columns are not pixel0000 to pixel2351 and label")
            with warnings.catch_warnings():
                # NumPy before 2.3 only warned of fractions, and of a table without rows.
                warnings.simplefilter("error")
                values = np.loadtxt(lines, np.uint8, delimiter=",", comments=None, ndmin=2)
        if values[:, -1].max() >= len(DX):
            raise ValueError(f"it has the label {values[:, -1].max()}")
    except (ValueError, Warning) as error:
        raise ValueError(
            f"{path} is damaged ({_first_line(error)}): delete it and load again."
        ) from error
    return values


# --- synthetic -----------------------------------------------------------------------------------


def _open_synthetic():
    from utils import synthetic

    table = synthetic.metadata()
    return table.assign(copy_of=table["image_id"]), _read_synthetic


def _read_synthetic(image_ids, size):
    from utils import synthetic

    if size > synthetic.HEIGHT:
        raise ValueError(
            f"Synthetic images have {synthetic.WIDTH}x{synthetic.HEIGHT} pixels, too few for "
            f"{size}x{size}: ask for a smaller size."
        )
    key = _key(FIT_RULE, size, _sha256(Path(synthetic.__file__)), *image_ids)

    def make(piece):
        return [fit(Image.fromarray(drawing), size) for drawing in synthetic.draw(piece)]

    return f"synthetic-{size}-{key}", partial(_in_pieces, make, "drawing")


# --- what they share -----------------------------------------------------------------------------


def _in_pieces(make, what, image_ids):
    """The pictures that ``make(some_of_the_ids)`` returns as a list, one after the other."""
    # A pool that is given all ids at once would run ahead of a slow disk and fill the memory, and
    # 10,015 drawings at full size take 900 MB.
    pieces = (make(image_ids[i : i + PIECE]) for i in range(0, len(image_ids), PIECE))
    pictures = (picture for piece in pieces for picture in piece)
    return _progress(pictures, len(image_ids), what)


def _cached(name, make):
    """The array that ``make()`` returns, kept as ``data/cache/<name>.npz`` for the next time."""
    path = DATA / "cache" / f"{name}.npz"
    if path.exists():
        try:
            with np.load(path, allow_pickle=False) as kept:
                return kept["values"]
        except Exception:  # a damaged zip file raises a dozen kinds, a wrong checksum one of them
            print(f"Data: {path} is damaged and is made again.")
    with _writing(path.parent):  # before the work, not after it
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    values = make()
    with _writing(path.parent):
        write_atomically(path, lambda p: np.savez(p, values=values))
    return values


def _on_disk(name, image_ids, pictures):
    """Paths of the pictures, kept as ``data/cache/<name>/<image_id>.png`` for the next time."""
    folder = (DATA / "cache" / name).absolute()
    path_of = {image_id: folder / f"{image_id}.png" for image_id in image_ids}
    checked = _progress(path_of.items(), len(path_of), "checking")
    missing = [image_id for image_id, path in checked if not _is_whole(path)]
    if missing:
        with _writing(folder.parent):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
    for image_id, picture in zip(missing, pictures(missing), strict=True):
        with _writing(folder.parent):
            write_atomically(path_of[image_id], Image.fromarray(picture).save)
    return np.array([str(path_of[image_id]) for image_id in image_ids])


def _is_whole(path):
    try:
        with Image.open(path) as picture:
            picture.verify()  # its checksums, without decoding it
    except (FileNotFoundError, NotADirectoryError):
        return False
    except Exception:  # as many kinds as for a zip file
        print(f"Data: {path} is damaged and is made again.")
        return False
    return True


@contextmanager
def _writing(folder):
    try:
        yield
    except OSError as error:
        raise OSError(
            f"{folder} cannot be written ({error.strerror or error}), and images are kept there: "
            "make it a writable folder with enough free space."
        ) from error


def _progress(iterable, total, what):
    return tqdm(iterable, what, total, unit="image", delay=3, mininterval=1)


def _key(*parts):
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
