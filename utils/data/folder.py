"""HAM10000's own files in a folder, as they are downloaded or unpacked."""

import hashlib
import os
from pathlib import Path

from utils import images
from utils.data.metadata import read_ham10000
from utils.data.source import Source

METADATA = ("HAM10000_metadata.csv", "HAM10000_metadata.tab", "HAM10000_metadata")
IMAGES = (".jpg", ".jpeg", ".png")
PACKED = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")
DEPTH = 3  # folders in folders that are searched: archive/part_1/part_1


class Files(Source):
    """Images that are files.

    Parameters
    ----------
    path_of : dict of str to Path
        By image_id.
    """

    def __init__(self, path_of):
        self._path_of, self._digest = path_of, {}

    def image(self, image_id, size):
        path = self._path_of[image_id]
        image = images.read(path)
        if size > min(image.size):
            raise ValueError(
                f"{path} has {image.width}x{image.height} pixels, too few for {size}x{size}: ask "
                "for a smaller size or fetch a larger image."
            )
        return image

    def key(self, image_id):
        path = self._path_of[image_id]
        if path not in self._digest:
            self._digest[path] = hashlib.sha256(images.content_of(path)).hexdigest()[:16]
        return self._digest[path]


class Folder(Files):
    """A folder that holds a metadata table and images, each at its top or in folders below.

    Parameters
    ----------
    folder : Path
    name, what : str
        The source's name, and what the data line calls it.

    Raises
    ------
    OSError, ValueError
        If something is missing, may not be read or is wrong; one sentence says what.
    """

    def __init__(self, folder, name="folder", what="your folder of images"):
        if not os.path.isdir(folder):
            raise FileNotFoundError(
                f"There is no folder {folder}: put HAM10000 there or set $HAM10K_DIR to where it "
                "is (data/README.md says how)."
            )
        files, closed = _files(folder)
        metadata = _metadata(folder, files, closed)
        table = read_ham10000(metadata)
        self.name = name
        self.line = f"Data: {what} ({len(table):,} images)."
        named = {}
        for path in files:
            if path.suffix.lower() in IMAGES:
                named.setdefault(path.stem, []).append(path)

        missing = [image_id for image_id in table["image_id"] if image_id not in named]
        if missing:
            raise FileNotFoundError(
                f"{len(missing):,} of {len(table):,} images of {metadata.name} are not in {folder} "
                f"(the first: {missing[0]}.jpg){_beside(files, closed)}: put them there, unpacked."
            )
        super().__init__({image_id: _image(named[image_id]) for image_id in table["image_id"]})
        used = {path.parent for path in self._path_of.values()}
        extra = sum(not used.isdisjoint(p.parent for p in some) for some in named.values())
        extra -= len(table)
        if extra > 1 + len(table) / 100 and not metadata.read_bytes().endswith(b"\n"):
            raise ValueError(
                f"{metadata} has no end of line after its last row, and {extra:,} images have no "
                "row: if it is truncated, fetch it again, else end that line."
            )
        self.table = table.assign(copy_of=self._copies(table["image_id"]))

    def _copies(self, image_id):
        """For each image the first one with identical bytes."""
        # Identical files have the same length, so most of the large originals need no hash.
        length = image_id.map(lambda one: _length(self._path_of[one]))
        alike = length.duplicated(keep=False)
        content = image_id.mask(alike, image_id[alike].map(self.key))
        return image_id.groupby(content).transform("first")


def _files(folder):
    """All files, the upper folders' first, and the folders that may not be read."""
    files, closed = [], []

    def skip(error):
        closed.append(Path(error.filename))

    for place, folders, names in os.walk(folder, onerror=skip, followlinks=True):
        deep = len(Path(place).relative_to(folder).parts) >= DEPTH
        # A zip from a Mac brings __MACOSX, with files of the same names that are no images.
        own = sorted(name for name in folders if name[0] != "." and name != "__MACOSX")
        folders[:] = [] if deep else own
        files += [Path(place, name) for name in sorted(names) if name[0] != "."]
    return files, closed


def _metadata(folder, files, closed):
    """The metadata table among the files: the uppermost one."""
    tables = [path for path in files if path.name in METADATA]
    if not tables:
        others = [p.name for p in files if p.suffix.lower() in (*PACKED, ".csv", ".tab", ".txt")]
        found = ", ".join([*others[:5], *(f"{path.name} (unreadable)" for path in closed)])
        raise FileNotFoundError(
            f"There is no {METADATA[0]} in {folder}{', only ' + found if found else ''}: put it "
            "there, unpacked (ISIC's own tables of labels have no lesion_id)."
        )

    def place(path):
        return len(path.parts), METADATA.index(path.name)

    first = min(map(place, tables))
    return _only([path for path in tables if place(path) == first], "table")


def _image(paths):
    """The image among files of one name; ValueError if that cannot be told."""
    if len(paths) == 1:
        return paths[0]
    # Masks of the same name are PNGs, as a rule; broken downloads leave empty files.
    jpegs = [path for path in paths if path.suffix.lower() != ".png"] or paths
    return _only([path for path in jpegs if _length(path)] or jpegs, "image")


def _only(paths, what):
    """The first of several files if all are the same, as in Kaggle's bundle, which holds images
    twice, in folders that differ by upper case."""
    for other in paths[1:]:
        if _length(other) != _length(paths[0]):  # to compare 10,000 contents would take minutes
            raise ValueError(
                f"{paths[0]} and {other} differ, and only one can be the {what}: take the other "
                "one out of the folder."
            )
    return paths[0]


def _beside(files, closed):
    """What may explain a missing image."""
    packed = [f"{path.name} is still packed" for path in files if path.suffix.lower() in PACKED]
    unreadable = [f"{path.name} may not be read" for path in closed]
    return "".join(f"; {reason}" for reason in (packed + unreadable)[:3])


def _length(path):
    try:
        return path.stat().st_size
    except OSError:  # a link that leads to nothing: say so
        return len(images.content_of(path))
