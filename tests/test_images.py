import os
import struct
from io import BytesIO
from pathlib import Path
from zlib import compress, crc32

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile, ImageOps

from utils import images

ORIENTATION = 0x0112


@pytest.fixture
def noise():
    return Image.fromarray(np.random.RandomState(0).randint(0, 256, (6, 8, 3)).astype(np.uint8))


def exif(*entries):
    """EXIF bytes from entries (tag, type, value of 8 bytes or fewer), the count always 1."""
    start, body, values = 8 + 2 + 12 * len(entries) + 4, b"", b""
    for tag, kind, value in entries:
        if len(value) > 4:
            body += struct.pack("<HHII", tag, kind, 1, start + len(values))
            values += value
        else:
            body += struct.pack("<HHI", tag, kind, 1) + value.ljust(4, b"\0")
    head = b"Exif\0\0II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries))
    return head + body + struct.pack("<I", 0) + values


TURNED = (ORIENTATION, 3, struct.pack("<H", 6))


# --- what is read


def test_path_image_and_arrays_give_the_same_pixels(noise, tmp_path):
    noise.save(tmp_path / "a.png")
    pixels = np.asarray(noise)
    for same in (
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        noise,
        pixels,
        pixels.astype(np.int64),
        pixels / 255,
        np.dstack([pixels, np.full((6, 8), 255, np.uint8)]),
    ):
        image = images.read(same)
        assert image.mode == "RGB" and (np.asarray(image) == pixels).all()


@pytest.mark.parametrize("mode", images.MODES)
def test_every_ordinary_mode_is_read(mode):
    assert images.read(Image.new(mode, (9, 5))).mode == "RGB"


def test_tilde_is_the_home_folder(noise, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    noise.save(tmp_path / "mole.png")
    for path in ("~/mole.png", Path("~/mole.png")):
        assert images.read(path).size == (8, 6)


def test_transparent_pixels_become_white(tmp_path):
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert images.read(clear).getpixel((0, 0)) == (255, 255, 255)
    half = Image.new("RGBA", (4, 4), (255, 0, 0, 51))  # a fifth of red over white
    assert images.read(half).getpixel((0, 0)) == (255, 204, 204)
    assert images.read(Image.new("LA", (4, 4), (0, 0))).getpixel((0, 0)) == (255, 255, 255)
    Image.new("L", (4, 4), 7).save(tmp_path / "key.png", transparency=7)
    assert images.read(tmp_path / "key.png").getpixel((0, 0)) == (255, 255, 255)


# --- EXIF


@pytest.mark.parametrize("value", range(1, 9))
def test_every_orientation_is_turned_upright_and_only_once(noise, tmp_path, value):
    tags = noise.getexif()
    tags[ORIENTATION] = value
    noise.save(tmp_path / "turned.png", exif=tags)
    upright = images.read(tmp_path / "turned.png")
    with Image.open(tmp_path / "turned.png") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
        assert (np.asarray(images.read(image)) == expected).all()
    assert (np.asarray(upright) == expected).all()
    assert (np.asarray(images.read(upright)) == expected).all()
    assert upright.size == ((6, 8) if value >= 5 else (8, 6))


ODD_TAGS = {
    "signed rational -1/0": (0x011A, 10, struct.pack("<ii", -1, 0)),
    "date as a rational": (0x0132, 5, struct.pack("<II", 5, 1)),
    "description as a float": (0x010E, 11, struct.pack("<f", 1.5)),
    "negative width": (0x0100, 9, struct.pack("<i", -5)),
}


@pytest.mark.parametrize("name", ODD_TAGS)
def test_an_odd_tag_beside_the_orientation_does_no_harm(noise, tmp_path, name):
    path = tmp_path / "mole.jpg"
    noise.save(path, exif=exif(TURNED, ODD_TAGS[name]))
    assert images.read(path).size == (6, 8)
    with Image.open(path) as image:
        assert images.read(image).size == (6, 8)


@pytest.mark.parametrize(
    "tags",
    [
        b"Exif\0\0garbage",
        exif((ORIENTATION, 2, b"six")),
        exif((ORIENTATION, 5, struct.pack("<II", 6, 0))),
    ],
)
def test_an_orientation_that_is_none_is_ignored(noise, tmp_path, tags):
    noise.save(tmp_path / "mole.jpg", exif=tags)
    assert images.read(tmp_path / "mole.jpg").size == (8, 6)


# --- colour profiles


def profile(space, colours):
    """An ICC profile (version 2) written by hand: "RGB " or "GRAY" of three primaries and a curve,
    or "CMYK" of the sixteen mixtures of full inks."""

    def xyz(values):
        return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in values))

    white = (0.9642, 1, 0.8249)
    tags = {b"wtpt": xyz(white), b"cprt": b"text" + bytes(4) + b"none" + bytes(4)}
    tags[b"desc"] = b"desc" + bytes(4) + struct.pack(">I", 5) + b"mine\0" + bytes(82)
    if space == "CMYK":
        straight = bytes(range(256))
        head = b"mft1" + bytes(4) + bytes((4, 3, 2, 0))
        head += struct.pack(">9i", *(65536 * v for v in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
        tags[b"A2B0"] = head + 4 * straight + bytes(np.ravel(colours).tolist()) + 3 * straight
    else:
        primaries, curve = colours
        numbers = np.round(65535 * curve(np.linspace(0, 1, 1024))).astype(">u2")
        table = b"curv" + bytes(4) + struct.pack(">I", 1024) + numbers.tobytes()
        if space == "GRAY":
            tags[b"kTRC"] = table
        for letter, primary in zip(b"rgb", primaries, strict=False):
            tags[bytes((letter,)) + b"XYZ"] = xyz(primary)
            tags[bytes((letter,)) + b"TRC"] = table
    pcs = b"Lab " if space == "CMYK" else b"XYZ "
    kind = b"prtr" if space == "CMYK" else b"mntr"
    start, table, body = 132 + 12 * len(tags), b"", b""
    for name, value in tags.items():
        table += name + struct.pack(">II", start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4sI", start + len(body), b"", 0x02100000) + kind + space.encode() + pcs
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0)
    head += b"acsp" + bytes(28) + xyz(white)[8:] + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + body


def of_srgb(x):
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
WIDE, PLAIN = profile("RGB ", (P3, of_srgb)), profile("RGB ", (SRGB, of_srgb))
GREY = profile("GRAY", ((), lambda x: x))
SKIN, OF_WIDE = (200, 120, 100), (189, 124, 104)  # the same colour, in sRGB and in Display P3


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_colours_are_those_that_the_profile_means(tmp_path, form):
    path = tmp_path / "phone"
    more = {"lossless": True} if form == "WEBP" else {}
    Image.new("RGB", (16, 16), OF_WIDE).save(path, form, icc_profile=WIDE, **more)
    for image in (path, path.read_bytes(), Image.open(path)):
        found = images.read(image)
        assert np.abs(np.subtract(found.getpixel((8, 8)), SKIN)).max() <= 2
        assert images.read(found).getpixel((8, 8)) == found.getpixel((8, 8))  # only once


def test_a_profile_goes_with_transparency_palettes_and_turning(tmp_path):
    path = tmp_path / "a.png"
    tags = Image.new("RGB", (1, 1)).getexif()
    tags[ORIENTATION] = 6
    clear = Image.new("RGBA", (4, 2), (*OF_WIDE, 255))
    clear.putpixel((0, 0), (0, 255, 0, 0))
    clear.save(path, icc_profile=WIDE, exif=tags)
    found = images.read(path)
    assert found.size == (2, 4) and found.getpixel((1, 0)) == (255, 255, 255)
    assert np.abs(np.subtract(found.getpixel((0, 3)), SKIN)).max() <= 2
    Image.new("RGB", (4, 4), OF_WIDE).quantize(2).save(path, icc_profile=WIDE)
    assert np.abs(np.subtract(images.read(path).getpixel((0, 0)), SKIN)).max() <= 3


def test_grey_and_cmyk_go_through_profiles_of_their_own(tmp_path):
    path = tmp_path / "a.tif"
    Image.new("L", (4, 4), 55).save(path, icc_profile=GREY)  # linear light
    assert np.abs(np.subtract(images.read(path).getpixel((0, 0)), 127)).max() <= 2
    veil = Image.new("LA", (4, 4), (55, 255))
    veil.info["icc_profile"] = GREY
    assert images.read(veil).getpixel((0, 0)) == images.read(path).getpixel((0, 0))
    # Bytes of L, a, b: paper is white, all that holds black is black, everything else this grey.
    labs = [(255, 128, 128)] + [(0, 128, 128) if i % 2 else (128, 128, 128) for i in range(1, 16)]
    inks = profile("CMYK", labs)
    for ink, grey in (((0, 0, 0, 0), 255), ((255, 0, 0, 0), 119), ((0, 0, 0, 255), 0)):
        Image.new("CMYK", (16, 16), ink).save(path, icc_profile=inks)
        assert np.abs(np.subtract(images.read(path).getpixel((8, 8)), grey)).max() <= 3


@pytest.mark.parametrize(
    ("mode", "icc"),
    [
        ("RGB", PLAIN),
        ("RGB", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
        ("RGB", b"no profile"),
        ("RGB", WIDE[:200]),
        ("RGB", WIDE[:12] + b"\xff" * 40 + WIDE[52:]),
        ("RGB", GREY),
        ("L", WIDE),
        ("CMYK", WIDE),
    ],
)
def test_srgbs_own_profile_and_one_of_no_use_change_nothing(noise, tmp_path, mode, icc):
    image = noise.resize((64, 64)).convert(mode)
    image.save(tmp_path / "plain.tif")
    image.save(tmp_path / "with.tif", icc_profile=icc)
    plain, found = (images.read(tmp_path / name) for name in ("plain.tif", "with.tif"))
    assert found.tobytes() == plain.tobytes()


# --- what is refused

BAD = {
    "NaN": (np.full((4, 4, 3), np.nan), "NaN or infinite"),
    "infinite": (np.full((4, 4, 3), np.inf), "NaN or infinite"),
    "float above 1": (np.full((4, 4, 3), 200.0), "must lie in .0, 1.; this one goes from 200"),
    "negative float": (np.full((4, 4), -0.1), "must lie in"),
    "negative": (np.full((4, 4, 3), -1), r"must lie in 0\.\.255; this one goes from -1"),
    "above 255": (np.full((4, 4, 3), 256), r"must lie in 0\.\.255"),
    "one axis": (np.zeros(9, np.uint8), r"not \(9,\)"),
    "five axes": (np.zeros((1, 2, 2, 2, 3), np.uint8), "has shape"),
    "two channels": (np.zeros((4, 4, 2), np.uint8), r"not \(4, 4, 2\)"),
    "empty": (np.zeros((0, 4, 3), np.uint8), "is empty"),
    "complex": (np.zeros((4, 4), complex), "integers or floats, not complex"),
    "text array": (np.array([["a"]]), "integers or floats"),
    "truth values": (np.ones((4, 4), bool), "integers or floats, not bool"),
    "None": (None, "not NoneType"),
    "16 bits": (Image.new("I;16", (4, 4)), "mode I;16, not RGB or grey of 8 bits"),
    "32 bits": (Image.new("I", (4, 4)), "mode I,"),
    "float image": (Image.new("F", (4, 4)), "mode F"),
    "no pixels": (Image.new("RGB", (0, 4)), "is empty"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_image_is_refused_in_a_sentence(name):
    image, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        images.read(image)


def test_a_16_bit_file_is_refused(tmp_path):
    ramp = np.linspace(0, 65535, 48).reshape(6, 8).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    with pytest.raises(ValueError, match=r"ramp.png has pixels of mode I.*: save it as"):
        images.read(tmp_path / "ramp.png")


def black_png(width, height, bits, colour, row):
    """A PNG written by hand, for what Pillow does not write; ``row`` is the bytes of a row."""

    def chunk(kind, data):
        return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", compress(bytes(row * height), 9))
    return b"\x89PNG\r\n\x1a\n" + head + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_a_png_of_16_bits_a_colour_is_refused(tmp_path, colour, channels):
    png = black_png(2, 1, 16, colour, 1 + 2 * 2 * channels)
    (tmp_path / "deep.png").write_bytes(png)
    for image in (png, tmp_path / "deep.png", Image.open(BytesIO(png))):
        with pytest.raises(ValueError, match="has 16 bits a channel, not 8: save it as"):
            images.read(image)


def test_a_jpeg_that_goes_over_its_pixels_again_and_again_is_refused():
    file = BytesIO()
    Image.new("L", (16, 16)).save(file, "JPEG", progressive=True)
    end = file.getvalue().rindex(b"\xff\xd9")
    scan = file.getvalue()[file.getvalue().rindex(b"\xff\xda") : end]
    assert images.read(file.getvalue()).size == (16, 16)
    with pytest.raises(ValueError, match="This file has more than 100 scans: save it as"):
        images.read(file.getvalue()[:end] + images.SCANS * scan + b"\xff\xd9")


def test_what_stands_behind_a_jpegs_end_counts_for_nothing(noise):
    """A phone's motion photo has a video there, in which every pair of bytes occurs."""
    file = BytesIO()
    noise.save(file, "JPEG")
    video = np.random.RandomState(0).bytes(2**20).replace(b"\xff", b"\xff\xda")
    assert video.count(b"\xff\xda") > images.SCANS
    assert images.read(file.getvalue() + video).size == (8, 6)
    thumbnail = exif((0x010E, 2, b"\xff\xda\xff\xda"))  # nor what stands in its tags
    noise.save(file := BytesIO(), "JPEG", exif=thumbnail + b"\xff\xda" * 200 + b"\xff\xd9")
    assert images.read(file.getvalue()).size == (8, 6)


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"avif", b"isom"])
def test_what_phones_write_is_called_by_its_name(tmp_path, brand):
    content = struct.pack(">I", 24) + b"ftyp" + brand + bytes(4) + b"mif1" + brand + bytes(300)
    (tmp_path / "mole.jpg").write_bytes(content)
    for image in (content, tmp_path / "mole.jpg"):
        with pytest.raises(ValueError, match=rf"HEIC, AVIF or video file \({brand.decode()}\)"):
            images.read(image)


@pytest.mark.parametrize("form", ["AVIF", "PPM", "ICO", "JPEG2000"])
def test_a_path_and_its_content_are_read_alike(noise, tmp_path, form):
    """So that the command line and the service agree about a file."""
    try:
        noise.resize((32, 32)).save(tmp_path / "mole.jpg", form)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow writes no {form}")
    for image in (tmp_path / "mole.jpg", (tmp_path / "mole.jpg").read_bytes()):
        with pytest.raises(ValueError, match=r"(save it as|give a) JPEG or PNG"):
            images.read(image)


def test_files_that_are_no_image_are_refused(tmp_path):
    path = tmp_path / "mole.jpg"
    for missing in (path, tmp_path, "", "a\0b"):
        with pytest.raises(FileNotFoundError, match="There is no image file"):
            images.read(missing)
    path.write_text("not an image")
    with pytest.raises(ValueError, match=r"mole.jpg is not an image: give"):
        images.read(path)
    Image.effect_noise((90, 90), 90).save(path)
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(ValueError, match=r"mole.jpg is broken or truncated"):
        images.read(path)


def test_half_an_image_is_none_whatever_pillow_is_told(noise, tmp_path, monkeypatch):
    noise.resize((300, 300)).save(tmp_path / "mole.jpg")
    content = (tmp_path / "mole.jpg").read_bytes()
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    for half in (content, content[: len(content) // 2], tmp_path / "mole.jpg"):
        with pytest.raises(ValueError, match=r"set PIL.ImageFile.LOAD_TRUNCATED_IMAGES = False"):
            images.read(half)


def test_a_link_to_nothing_and_a_closed_file_are_said(noise, tmp_path, monkeypatch):
    link = tmp_path / "mole.jpg"
    link.symlink_to(".git/annex/objects/none")
    with pytest.raises(FileNotFoundError, match=r"mole.jpg is a link to a file that is not there"):
        images.read(link)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    noise.save(tmp_path / "closed.png")
    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read what has no permission
    with pytest.raises(PermissionError, match=r"closed.png cannot be read \(Permission denied\):"):
        images.read(tmp_path / "closed.png")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("limit", [600, 400])  # of 900 pixels: Pillow warns; Pillow refuses
def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch, limit):
    bomb = np.zeros((30, 30, 3), np.uint8)
    Image.fromarray(bomb).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    for image in (tmp_path / "bomb.png", bomb, Image.fromarray(bomb)):
        with pytest.raises(ValueError, match=f"more than {limit} pixels"):
            images.read(image)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # some notebooks lift the limit
    assert images.read(bomb).size == (30, 30)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP"])
def test_whatever_is_damaged_ends_in_an_image_or_one_sentence(noise, tmp_path, form):
    path = tmp_path / "mole.jpg"
    noise.save(path, form, **({"exif": exif(TURNED)} if form != "BMP" else {}))
    whole, rng, refused = path.read_bytes(), np.random.RandomState(0), 0
    for i in range(100):
        damaged = bytearray(whole[: rng.randint(1, len(whole))] if i % 2 else whole)
        for _ in range(1 + i % 4):
            damaged[rng.randint(len(damaged))] = rng.randint(256)
        path.write_bytes(damaged)
        try:
            assert images.read(path).mode == "RGB"
        except ValueError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            refused += 1
    assert 20 < refused < 100
    assert os.listdir(tmp_path) == ["mole.jpg"]


# --- squares


def test_square_squashes_at_28_and_crops_the_centre_above():
    image = Image.new("RGB", (200, 150), "red")
    image.paste((0, 255, 0), (25, 0, 175, 150))
    assert set(map(tuple, images.square(image, 28)[:, 0])) != {(0, 255, 0)}
    square = images.square(image, 96)
    assert square.shape == (96, 96, 3) and square.dtype == np.uint8
    assert (square[:, 8:-8] == (0, 255, 0)).all()
    assert square[0, 0].tolist()[1] > 200
