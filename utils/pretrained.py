"""Finds a file of pretrained weights: in Keras's cache, downloaded into it, or the course's own.

Hand the path to Keras: ``keras.applications.MobileNetV2(..., weights=str(path))``."""

import base64
import hashlib
import re
from pathlib import Path
from urllib.request import urlretrieve

import h5py

from utils import settings

SIZES = (96, 128, 160, 192, 224)  # pixels a side that MobileNetV2's weights were trained at
PUBLISHED = dict.fromkeys((0.35, 0.5, 0.75, 1.0), SIZES) | {1.3: (224,), 1.4: (224,)}
FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{size}_no_top.h5"
HOST = "https://storage.googleapis.com/"
FOLDER = "tensorflow/keras-applications/mobilenet_v2/"  # as keras.applications
# Keras's cache where its home cannot be written, as in keras.utils.get_file.
ELSEWHERE = settings.TEMPORARY / ".keras"
SHIPPED = settings.ROOT / "models" / "backbone_0.35.weights.h5"


def mobilenet_v2(alpha=0.35, size=96, source="folder"):
    """The file of weights for a MobileNetV2 without its top.

    ImageNet's from Keras's cache, else downloaded into it, else those of the same width that were
    trained at another input size (a convolution fits any size). On drawn lesions the layers of
    the model that the course ships serve in their place, and where samples are only looked at.

    Parameters
    ----------
    alpha : float
        Width multiplier, one of ``PUBLISHED``.
    size : int
        Pixels a side inside the network; a size for which no weights were published gets those
        of 224, as in Keras.
    source : str
        Of the lesions, as ``data.load_lesions`` names it, or "samples". The shipped layers are for
        "synthetic" and "samples" alone: they were trained on HAM10000 and would give its answers.

    Returns
    -------
    Path
        A sentence says so where it is not the file that was asked for.

    Raises
    ------
    ConnectionError
        If there is no such file here and it cannot be downloaded.
    ValueError
        If no weights of this width were published, or the file is broken.
    """
    alpha = float(alpha)
    if alpha not in PUBLISHED:
        raise ValueError(f"ImageNet weights exist for ALPHA in {(*PUBLISHED,)}, not for {alpha}.")
    sizes = PUBLISHED[alpha]
    name = FILE.format(alpha=alpha, size=size if size in sizes else 224)
    try:
        return _find_or_download(FOLDER + name)
    except ConnectionError as error:
        others = (_find(FILE.format(alpha=alpha, size=other)) for other in reversed(sizes))
        found = next(filter(None, others), None)
        if not found and source in ("synthetic", "samples") and alpha == 0.35:
            found = SHIPPED
        if not found:
            raise ConnectionError(f'{error} Or set SOURCE = "synthetic": drawn lesions.') from None
        print(f"{name} is not here and cannot be fetched. Weights in its place: {describe(found)}.")
        return found


def describe(path):
    """What a file of weights is, in a few words; None is a network of random values."""
    if path is None:
        return "RANDOM, as asked"
    if path == SHIPPED:
        return "SHIPPED: layers of the course's own model"
    if found := re.fullmatch(FILE.format(alpha="(.+)", size="(.+)"), path.name):
        return f"ImageNet, width {float(found[1]):g}, trained at {found[2]} px"
    return path.name


def _folders():
    """Where Keras caches weights, and where it turns to if it may not write there."""
    home = settings.folder("KERAS_HOME") or settings.home(".keras")
    folders = [home / "models"]
    try:
        settings.make_folder(home)
    except OSError:
        folders.append(ELSEWHERE / "models")
    return folders


def _find(name):
    """A file of the cache, or None."""
    for folder in _folders():
        path = folder / name
        if path.exists():
            try:
                h5py.File(path).close()
            except OSError as error:
                raise ValueError(
                    f"The weights file {path} cannot be read (an interrupted download?): delete "
                    "it and run again."
                ) from error
            return path
    return None


def _find_or_download(place):
    """A file by its place on ``HOST``; it is in the cache whole or not at all."""
    path = _find(Path(place).name)
    if path:
        return path
    path = _folders()[-1] / Path(place).name

    def write(to):
        _, headers = urlretrieve(HOST + place, to)
        sent = re.search(r"md5=([^,\s]+)", ",".join(headers.get_all("x-goog-hash", [])))
        md5 = hashlib.md5(to.read_bytes(), usedforsecurity=False).digest()
        if sent and sent[1] != base64.b64encode(md5).decode():  # kagglehub looks at it, too
            raise ValueError("its MD5 checksum is not the host's: some bytes are wrong")
        h5py.File(to).close()  # refuses the page of a portal, for example

    def fetch():
        settings.make_folder(path.parent)
        settings.write_atomically(path, write)

    try:
        settings.download(path.name, fetch)
    except ConnectionError as error:
        raise ConnectionError(
            f"{error} Connect to the network once, or put {HOST + place} into {path.parent}."
        ) from None
    return path
