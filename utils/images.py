"""The one reader of images: any usable one becomes upright RGB, everything else one sentence."""

import math
import os
import re
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageChops, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

SQUASHED = 28  # pixels; up to this size the whole image is squashed into the square
RULE = 2  # another number whenever `read` or `square` changes, so that old caches are not used
# Of files, which may come from anybody; Pillow knows further ones, and some start other programs.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
SCANS = 100  # of a JPEG; libtiff has the same limit, and a camera's progressive file ten or so
MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd7\xff])")  # of a JPEG, and not among its pixels
ROUNDING = 2  # of 255; sRGB's own profile, stored as a table, changes colours by no more
# Modes of 8 bits or fewer a channel that Pillow can convert to RGB.
MODES = (
    *("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa"),
    *("CMYK", "YCbCr", "HSV", "LAB"),
)
# What undoes each value of the EXIF tag "Orientation".
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read(image):
    """Any usable image as an upright RGB image; everything else is refused.

    Parameters
    ----------
    image : path, bytes, PIL.Image.Image or ndarray
        A file, or its content as bytes, is in one of ``FORMATS``. An array has shape (h, w),
        (h, w, 1), (h, w, 3) or (h, w, 4) and holds integers 0..255 or floats 0..1. Transparent
        pixels become white; of several images in one file the first is taken. Colours are brought
        to sRGB by the image's ICC profile; one that is broken or made for other pixels is
        ignored, as in a web browser.

    Returns
    -------
    PIL.Image.Image
        Mode RGB, colours of sRGB, without EXIF and profile.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or it is a link that leads to nothing.
    OSError
        If the file may not be read.
    ValueError
        If it is no image, broken, empty, too large to be one, has more than 8 bits a channel or
        more than ``SCANS`` scans, or is an array of another shape or range.
    """
    if isinstance(image, (str, os.PathLike)):
        return _opened(content_of(image), image)
    if isinstance(image, bytes):
        return _opened(image, "This file")
    if isinstance(image, Image.Image):
        return _upright_rgb(image, "This image")
    if isinstance(image, np.ndarray):
        return _upright_rgb(_from_array(image), "This array")
    raise ValueError(
        f"An image must be a path, bytes, a PIL image or a NumPy array, not {type(image).__name__}."
    )


def _opened(content, name):
    if ImageFile.LOAD_TRUNCATED_IMAGES:  # set by many a notebook; half an image would be grey
        raise ValueError(
            "Pillow is told to take half an image for a whole one: set "
            "PIL.ImageFile.LOAD_TRUNCATED_IMAGES = False."
        )
    if content[4:8] == b"ftyp":
        raise ValueError(
            f"{name} is a HEIC, AVIF or video file ({content[8:12].decode('ascii', 'replace')}), "
            "not an image that can be read here: save it as JPEG or PNG."
        )
    # Each scan goes over all pixels again: a file of 10 MB could keep a processor for an hour.
    if content.startswith(b"\xff\xd8") and _scans(content) > SCANS:
        raise ValueError(f"{name} has more than {SCANS} scans: save it as an ordinary JPEG or PNG.")
    try:
        opened = Image.open(BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise ValueError(f"{name} is not an image: give a JPEG or PNG file.") from error
    except Image.DecompressionBombError as error:
        raise _too_large(name) from error
    except Exception as error:  # Pillow raises a dozen kinds on damaged files
        raise _broken(name) from error
    return _upright_rgb(opened, name)


def _scans(jpeg):
    """Scans of a JPEG up to its end; a phone may have put a video behind that."""
    scans, place = 0, 2
    while (found := MARKER.search(jpeg, place)) and found[1] != b"\xd9":
        scans += found[1] == b"\xda"
        place = found.end() + int.from_bytes(jpeg[found.end() : found.end() + 2])
    return scans


def square(image, size):
    """An image as a square.

    Up to 28 pixels the whole image is squashed, as in Kaggle's 28x28 table, so that the two
    sources agree. Above, its centre square is cut out (the outer eighths of a 4:3 image are lost,
    and nothing is distorted or padded) and resized. Lanczos filter in both cases.

    Parameters
    ----------
    image : PIL.Image.Image
        Mode RGB, any size.
    size : int
        Pixels.

    Returns
    -------
    ndarray of uint8, shape (size, size, 3)
    """
    resize = Image.Image.resize if size <= SQUASHED else ImageOps.fit
    return np.asarray(resize(image, (size, size), Image.Resampling.LANCZOS))


def content_of(path):
    """The bytes of a file, or an OSError in one sentence."""
    path = Path(os.path.expanduser(path))
    try:
        if path.is_file():
            return path.read_bytes()
    except OSError as error:
        raise type(error)(
            f"{path} cannot be read ({error.strerror or error}): check its name and permissions."
        ) from error
    if path.is_symlink():
        raise FileNotFoundError(
            f"{path} is a link to a file that is not there: fetch it (git annex get, dvc pull)."
        )
    raise FileNotFoundError(f"There is no image file {path}: check the name and the folder.")


def _upright_rgb(image, name):
    if image.mode not in MODES:
        raise ValueError(
            f"{name} has pixels of mode {image.mode}, not RGB or grey of 8 bits: save it as an "
            "ordinary JPEG or PNG."
        )
    # Pillow would cut colours of 16 bits to 8, and call them RGB; before loading, the tiles tell.
    if image.format in ("PNG", "TIFF") and ";16" in str(image.tile):
        raise ValueError(
            f"{name} has 16 bits a channel, not 8: save it as an ordinary JPEG or PNG."
        )
    if 0 in image.size:
        raise ValueError(f"{name} is empty: it has {image.width} x {image.height} pixels.")
    if image.width * image.height > (Image.MAX_IMAGE_PIXELS or math.inf):
        raise _too_large(name)
    try:
        image.load()
        # Turned here, since ImageOps.exif_transpose writes all other tags anew and fails on odd
        # ones.
        turn = _turn(image)
        if turn is not None:
            image = image.transpose(turn)
        image = _in_srgb(image)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        rgb = image.convert("RGB")
    except Exception as error:
        raise _broken(name) from error
    rgb.info.clear()  # with EXIF and profile, so that nobody turns or converts the image again
    return rgb


def _in_srgb(image):
    """The image with its colours brought to sRGB, as RGB or RGBA; itself if there is no need."""
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    mode = {"1": "L", "L": "L", "LA": "L", "CMYK": "CMYK"}.get(image.mode, "RGB")
    plain = image.convert("RGB")
    try:
        there, srgb = ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(there, srgb, mode, "RGB")
        found = ImageCms.applyTransform(image.convert(mode), transform)
    except (ImageCms.PyCMSError, OSError, ValueError):  # broken, or of other pixels than these
        return image
    if max(high for _, high in ImageChops.difference(found, plain).getextrema()) <= ROUNDING:
        return image
    if image.has_transparency_data:
        found.putalpha(image.convert("RGBA").getchannel("A"))
    return found


def _turn(image):
    try:
        return UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation))
    except Exception:  # EXIF that cannot be read does not make the pixels wrong
        return None


def _broken(name):
    return ValueError(f"{name} is broken or truncated: get a new copy of it.")


def _too_large(name):
    return ValueError(
        f"{name} has more than {Image.MAX_IMAGE_PIXELS:,} pixels, too many for a photograph of a "
        "lesion: save it smaller."
    )


def _from_array(array):
    if array.size == 0:
        raise ValueError(f"The array is empty: its shape is {array.shape}.")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise ValueError(
            f"An image array has shape (h, w) or (h, w, 1, 3 or 4), not {array.shape}."
        )
    if np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all():
            raise ValueError("The array holds NaN or infinite values: repair it first.")
        if array.min() < 0 or array.max() > 1:
            raise ValueError(
                f"A float array must lie in [0, 1]; this one goes from {array.min():g} to "
                f"{array.max():g}. For pixels 0..255 pass integers (array.astype('uint8'))."
            )
        array = np.round(array * 255)
    elif not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"An image array holds integers or floats, not {array.dtype}.")
    elif array.min() < 0 or array.max() > 255:
        raise ValueError(
            f"An integer array must lie in 0..255; this one goes from {array.min()} to "
            f"{array.max()}."
        )
    return Image.fromarray(array.astype(np.uint8))


def require_squares(images):
    """Images as an array of square colour images, to be changed by code.

    Parameters
    ----------
    images : array_like of uint8, shape (n, size, size, 3)

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If they have another shape or dtype.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] != images.shape[2]:
        raise ValueError(
            "Images must be uint8 of shape (n, size, size, 3), not "
            f"{images.dtype} of shape {images.shape}."
        )
    return images
