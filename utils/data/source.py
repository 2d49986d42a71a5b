"""What every source of lesions does, and the one cache of prepared images, by image."""

import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
from PIL import Image
from tqdm import tqdm

from utils import images, settings


class Source:
    """Where lesions come from.

    A subclass sets the attributes and has ``image`` and ``key``. The squares made of its images
    are kept as lossless PNGs in ``settings.cache()``, in ``<source>-<size>-<rule>``, and are
    named ``<image_id>-<key>.png``.

    Attributes
    ----------
    name : str
        ``"folder"``, ``"kaggle"`` or ``"synthetic"``.
    table : DataFrame
        ``COLUMNS`` and ``copy_of``, one row an image.
    line : str
        What a person reads about it, at most 90 characters.
    """

    def image(self, image_id, size):
        """The image as it is, mode RGB; ValueError if it is smaller than ``size`` pixels."""
        raise NotImplementedError

    def key(self, image_id):
        """16 hexadecimal digits that change with the image's content."""
        raise NotImplementedError

    def pixels(self, image_ids, size):
        """The squares: ndarray of uint8, shape (n, size, size, 3)."""
        one = np.dtype((np.uint8, (size, size, 3)))
        return np.fromiter(self._each(image_ids, size, _decode), one, len(image_ids))

    def paths(self, image_ids, size):
        """Where their PNGs lie: ndarray of str, shape (n,). No more than a few are in memory."""
        return np.array(list(self._each(image_ids, size, lambda path, png: str(path))))

    def _each(self, image_ids, size, result):
        """``result(path, content)`` of each image's PNG, in order."""
        folder = settings.cache() / f"{self.name}-{size}-{images.RULE}"
        if not folder.is_dir():  # before the work, not after it
            settings.make_folder(folder)

        def one(image_id):
            path = folder / f"{image_id}-{self.key(image_id)}.png"
            png = _whole(path, size)
            if png is None:
                png = _encode(images.square(self.image(image_id, size), size))
                settings.write_atomically(path, lambda temporary: temporary.write_bytes(png))
            return result(path, png)

        # Threads are enough: Pillow decodes and resizes without holding Python's lock.
        with ThreadPoolExecutor() as pool:
            yield from tqdm(
                pool.map(one, image_ids),
                "preparing images",
                len(image_ids),
                unit="image",
                file=sys.stdout,
                leave=False,
                delay=3,
                mininterval=1,
                ascii=True,
            )


def _whole(path, size):
    """The content of a PNG whose checksums are right; None if it is not there or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    try:
        with Image.open(BytesIO(content)) as image:
            image.verify()
            if (image.mode, image.size) == ("RGB", (size, size)):
                return content
    except Exception:  # Pillow raises a dozen kinds on damaged files
        pass
    print(f"A damaged image in the cache is made again: {path.name}")
    return None


def _encode(pixels):
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)  # thrice as fast, a tenth larger
    return file.getvalue()


def _decode(path, png):
    with Image.open(BytesIO(png)) as image:
        return np.asarray(image)
