"""The lesion masks of HAM10000 (Tschandl et al., Nature Medicine 26:1229, 2020)."""

import numpy as np

from utils import images, settings


def folder():
    """Where the masks are looked for: Path."""
    return settings.folder("HAM10K_MASKS_DIR") or settings.ROOT / "data" / "ham10000_masks"


def masks(table, size):
    """Where the lesion is in each image, as square as ``load_lesions`` makes the image.

    Parameters
    ----------
    table : DataFrame
        With ``image_id``, of HAM10000.
    size : int
        Height and width in pixels.

    Returns
    -------
    ndarray of bool, shape (n, size, size)
        True inside the lesion.

    Raises
    ------
    OSError
        If the folder or some of the masks are not there (FileNotFoundError), or may not be read.
    ValueError
        If a mask is no image.
    """
    # As Dataverse and Kaggle name them, or as the images.
    found = {path.stem.removesuffix("_segmentation"): path for path in folder().rglob("*.png")}
    missing = [image_id for image_id in table["image_id"] if image_id not in found]
    if missing:
        raise FileNotFoundError(
            f"{len(missing):,} of {len(table):,} masks are not in {folder()} (the first: "
            f"{missing[0]}.png): put HAM10000's lesion masks there, unpacked, or set "
            "$HAM10K_MASKS_DIR to where they are (data/README.md says how)."
        )
    # Some of the originals have an inverted palette: the colours count, not the numbers.
    read = (images.read(found[image_id]).convert("L") for image_id in table["image_id"])
    one = np.dtype((bool, (size, size)))
    return np.fromiter((images.square(mask, size) >= 128 for mask in read), one, len(table))
