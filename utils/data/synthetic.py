"""Procedural dermatoscopic images with a lesion mask, for when no network is there.

They look like HAM10000 (Tschandl, Rosendahl and Kittler 2018) and have its seven types in its
proportions, but every pixel is drawn here: no number computed on them says anything about skin.

An image depends on the diagnosis only through two hidden values of its lesion, a *look* and a
*severity* (``latents``), whose distributions overlap. No classifier of these images can be
better than the best one of those two values: the ceiling is built in.

Random numbers come from ``RandomState``, whose streams NumPy has frozen (Generator's may change);
each lesion and each photograph has its own stream, so batches and their order do not matter.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage

from utils.data.source import Source
from utils.images import square

HEIGHT, WIDTH = 150, 200

# Images and lesions of each diagnosis, as in HAM10000.
COUNTS = {
    "akiec": (327, 228),
    "bcc": (514, 327),
    "bkl": (1099, 727),
    "df": (115, 73),
    "nv": (6705, 5403),
    "vasc": (142, 98),
    "mel": (1113, 614),
}
SHARE_OF_SECOND_PHOTOGRAPHS = 0.75  # the other additional photographs are third ones

DX_TYPES = ("histo", "follow_up", "consensus", "confocal")
DX_TYPE_SHARES = {
    "bkl": (0.70, 0, 0.24, 0.06),
    "df": (0.48, 0, 0.52, 0),
    "nv": (0.37, 0.55, 0.08, 0),
    "vasc": (0.47, 0, 0.53, 0),
}  # all others: histo
AGES = {
    "akiec": (67, 11),
    "bcc": (67, 14),
    "bkl": (64, 14),
    "df": (53, 14),
    "nv": (46, 15),
    "vasc": (51, 22),
    "mel": (61, 15),
}  # mean, standard deviation in years
SITES = (
    *("back", "lower extremity", "trunk", "upper extremity", "abdomen", "face", "chest", "foot"),
    *("unknown", "neck", "scalp", "hand", "ear", "genital", "acral"),
)
SITE_SHARES = np.array([22, 21, 14, 11, 10, 7.4, 4, 3.2, 2.3, 1.7, 1.3, 0.9, 0.6, 0.5, 0.1]) / 100
FACIAL_SITE_SHARES = np.array([17, 16, 6, 13, 4, 31, 6, 0.5, 1.5, 2.5, 3, 1.5, 0.5, 0.2, 0]) / 102.7

# How often a lesion of a diagnosis has which look, and the mean of its severity (deviation 1).
LOOKS = ("melanocytic", "keratosis", "basal", "actinic", "fibroma", "vascular")
LOOK_SHARES = {
    "akiec": (0.03, 0.20, 0.15, 0.58, 0.03, 0.01),
    "bcc": (0.05, 0.12, 0.62, 0.15, 0.03, 0.03),
    "bkl": (0.22, 0.58, 0.04, 0.12, 0.03, 0.01),
    "df": (0.22, 0.05, 0.06, 0.05, 0.60, 0.02),
    "nv": (0.88, 0.06, 0.02, 0.01, 0.02, 0.01),
    "vasc": (0.05, 0.02, 0.08, 0.03, 0.02, 0.80),
    "mel": (0.74, 0.12, 0.06, 0.05, 0.01, 0.02),
}
SEVERITY = {"akiec": 0.2, "bcc": 0.3, "bkl": 0.3, "df": -0.3, "nv": 0.0, "vasc": -0.2, "mel": 2.3}

# Absorption of each pigment in red, green and blue, per unit of optical density.
PIGMENTS = {
    "brown": (0.32, 0.80, 1.02),
    "black": (0.80, 1.00, 1.00),
    "blue": (0.85, 0.72, 0.40),  # melanin deep in the skin looks blue-grey
    "red": (0.14, 1.00, 0.75),
}
BARE_SKIN = (240.0, 208.0, 212.0)
WHITE = (240.0, 218.0, 214.0)
TEXTURES = Lock()


# --- the table -----------------------------------------------------------------------------------


def metadata(seed=0):
    """The table of all synthetic photographs: one row an image, in random order.

    Parameters
    ----------
    seed : int

    Returns
    -------
    DataFrame
        10,015 rows with HAM10000's columns ``lesion_id``, ``image_id``, ``dx``, ``dx_type``,
        ``age`` (years, in steps of 5, some missing), ``sex``, ``localization``. About a quarter of
        the 7,470 lesions have two or three photographs.
    """
    return _tables(seed)[0].copy()


def latents(seed=0):
    """What the images are drawn from: one row a lesion.

    Returns
    -------
    DataFrame
        ``lesion_id`` (index), ``dx``, ``look`` (one of ``LOOKS``) and ``severity`` (float).
    """
    return _tables(seed)[1].copy()


@lru_cache(maxsize=4)
def _tables(seed):
    rng = _stream(seed, "metadata")
    dx = np.repeat(list(COUNTS), [lesions for _, lesions in COUNTS.values()])
    photographs = np.ones(len(dx), int)
    columns = {"look": [], "severity": [], "dx_type": [], "age": [], "localization": []}
    for name, (images, n) in COUNTS.items():
        second = round((images - n) * SHARE_OF_SECOND_PHOTOGRAPHS)
        more = rng.permutation(np.flatnonzero(dx == name))[:second]
        photographs[more] += 1
        photographs[more[: images - n - second]] += 1
        columns["look"] += [rng.choice(LOOKS, n, p=LOOK_SHARES[name])]
        columns["severity"] += [rng.normal(SEVERITY[name], 1, n)]
        columns["dx_type"] += [rng.choice(DX_TYPES, n, p=DX_TYPE_SHARES.get(name, (1, 0, 0, 0)))]
        columns["age"] += [np.clip(np.rint(rng.normal(*AGES[name], n) / 5) * 5, 0, 85)]
        sites = FACIAL_SITE_SHARES if name in ("akiec", "bcc", "bkl") else SITE_SHARES
        columns["localization"] += [rng.choice(SITES, n, p=sites / sites.sum())]
    lesions = pd.DataFrame({name: np.concatenate(parts) for name, parts in columns.items()})
    lesions["dx"] = dx
    lesions["sex"] = rng.choice(["male", "female", "unknown"], len(dx), p=[0.541, 0.453, 0.006])
    lesions.loc[rng.random_sample(len(dx)) < 0.006, "age"] = np.nan
    lesions.index = pd.Index([f"SYN_L{i:07d}" for i in rng.permutation(len(dx))], name="lesion_id")
    images = lesions.loc[lesions.index.repeat(photographs)].reset_index()
    images = images.iloc[rng.permutation(len(images))].reset_index(drop=True)
    images["image_id"] = [f"SYN_{i:07d}" for i in range(len(images))]
    order = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]
    lesion_of = dict(zip(images["image_id"], images["lesion_id"], strict=True))
    return images[order], lesions[["dx", "look", "severity"]].sort_index(), lesion_of


# --- the images ----------------------------------------------------------------------------------


def draw(image_ids, seed=0):
    """Photographs for ids of ``metadata(seed)``.

    Parameters
    ----------
    image_ids : sequence of str, length n
    seed : int
        The seed of the table the ids are from.

    Returns
    -------
    ndarray of uint8, shape (n, 150, 200, 3)

    Raises
    ------
    ValueError
        If an id is not in the table.
    """
    return draw_with_masks(image_ids, seed)[0]


def draw_with_masks(image_ids, seed=0):
    """As ``draw``, with the true lesion masks: ndarray of bool, shape (n, 150, 200)."""
    _, lesions, lesion_of = _tables(seed)
    image_ids = list(image_ids)
    unknown = [i for i in image_ids if i not in lesion_of]
    if unknown:
        raise ValueError(
            f"{len(unknown)} of {len(image_ids)} image ids are not synthetic ones, for example "
            f"{unknown[0]!r}: take them from synthetic.metadata()."
        )
    images = np.empty((len(image_ids), HEIGHT, WIDTH, 3), np.uint8)
    masks = np.empty((len(image_ids), HEIGHT, WIDTH), bool)
    for k, image_id in enumerate(image_ids):
        lesion_id = lesion_of[image_id]
        rng, photo_rng = _stream(seed, lesion_id), _stream(seed, image_id)
        _, look, severity = lesions.loc[lesion_id]
        view = View(photo_rng, rng)
        skin, masks[k] = _lesion_on_skin(view, rng, look, severity)
        images[k] = _photograph(view, photo_rng, skin)
    return images, masks


def square_masks(image_ids, size, seed=0):
    """True lesion masks as square as ``load_lesions`` makes the images of this size.

    Returns
    -------
    ndarray of bool, shape (n, size, size)
    """
    masks = draw_with_masks(image_ids, seed)[1]
    whole = [Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)) for mask in masks]
    return np.stack([square(mask, size) >= 128 for mask in whole])


class View:
    """Where each pixel of a photograph lies on the skin.

    ``u``, ``v`` (150, 200) are skin coordinates in pixels with the lesion's centre at 0; textures
    are functions of them, so that all photographs of a lesion show the same skin.
    """

    def __init__(self, photo_rng, lesion_rng):
        angle = photo_rng.uniform(0, 2 * np.pi)
        zoom = np.exp(photo_rng.uniform(-0.12, 0.12))
        self.centre = np.array([WIDTH, HEIGHT]) / 2 + photo_rng.normal(0, 1, 2) * (9, 6)
        cos, sin = np.cos(angle), np.sin(angle)
        self.turn = zoom * np.array([[cos, -sin], [sin, cos]])  # from skin to photograph
        x = np.arange(WIDTH) - self.centre[0]
        y = np.arange(HEIGHT)[:, None] - self.centre[1]
        self.u = (cos * x + sin * y) / zoom
        self.v = (cos * y - sin * x) / zoom
        self.zoom = zoom
        self.rng = lesion_rng

    def texture(self, name, cell):
        """A random piece of a texture with cells of so many pixels, (150, 200), deviation 1."""
        with TEXTURES:  # made once, and not by each of the first threads
            bank, texels = _textures()[name]
        size = len(bank)
        start = size + self.rng.random_sample(2) * size  # positive: astype(int) truncates
        row = (self.v * (texels / cell) + start[0]).astype(np.int64) & (size - 1)
        column = (self.u * (texels / cell) + start[1]).astype(np.int64) & (size - 1)
        return bank.ravel().take(row * size + column, mode="clip")

    def discs(self, u, v, radius, soft=0.6, strength=1.0):
        """Coverage (150, 200) in [0, 1] by discs at skin coordinates u, v."""
        x = self.turn[0, 0] * u + self.turn[0, 1] * v + self.centre[0]
        y = self.turn[1, 0] * u + self.turn[1, 1] * v + self.centre[1]
        return _discs(x, y, radius * self.zoom, soft, strength)


@lru_cache(maxsize=1)
def _textures():
    """Periodic textures of 512x512 texels: (array with mean 0 and deviation 1, texels a cell)."""
    rng, size = _stream("textures"), 512

    def waves(cell):  # cubic B-spline through random values every `cell` texels
        field = rng.normal(size=(size // cell, size // cell)).repeat(cell, 0).repeat(cell, 1)
        for _ in range(3):
            field = ndimage.uniform_filter(field, cell, mode="wrap")
        return field / field.std()

    cloud = sum(waves(64 >> k) * 0.62**k for k in range(5))
    fine = sum(waves(16 >> k) * 0.7**k for k in range(3))
    # Jittered hexagonal lattice: the holes of a pigment network, or cobblestones.
    lattice, pitch = np.zeros((size, size)), 16
    row, column = np.indices((size // pitch, size // pitch))
    row = row * pitch + rng.normal(0, 0.15 * pitch, row.shape)
    column = (column + 0.5 * (np.arange(size // pitch)[:, None] % 2)) * pitch
    column = column + rng.normal(0, 0.15 * pitch, column.shape)
    np.add.at(lattice, (row.astype(int) % size, column.astype(int) % size), 1.0)
    lattice = ndimage.gaussian_filter(lattice, 0.27 * pitch, mode="wrap")
    grain = ndimage.gaussian_filter(rng.normal(size=(size, size)), 1.2, mode="wrap")
    made = {
        "cloud": (cloud, 64),
        "fine": (fine, 16),
        "waves": (waves(16), 16),
        "furrows": (-np.abs(waves(16)), 16),
        "lattice": (lattice, pitch),
        "grain": (grain, 2),
    }
    return {k: ((a - a.mean()) / a.std(), texels) for k, (a, texels) in made.items()}


def _discs(x, y, radius, soft=0.6, strength=1.0):
    """Coverage (150, 200) in [0, 1] by discs at pixel coordinates; edges ``soft`` pixels wide.

    Lines are many discs in a row. Where discs overlap the larger coverage counts.
    """
    layer = np.zeros(HEIGHT * WIDTH)
    radius, strength = (np.broadcast_to(a, np.shape(x))[:, None] for a in (radius, strength))
    reach = int(np.ceil(radius.max() + soft)) if len(x) else 0
    dy, dx = (a.ravel() for a in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    column = np.rint(x).astype(np.int64)[:, None] + dx
    row = np.rint(y).astype(np.int64)[:, None] + dy
    distance = np.sqrt((column - x[:, None]) ** 2 + (row - y[:, None]) ** 2)
    cover = strength * np.clip((radius - distance) / (2 * soft) + 0.5, 0, 1)
    hit = (cover > 0) & (column >= 0) & (column < WIDTH) & (row >= 0) & (row < HEIGHT)
    np.maximum.at(layer, row[hit] * WIDTH + column[hit], cover[hit])
    return layer.reshape(HEIGHT, WIDTH)


# --- lesion and skin -----------------------------------------------------------------------------


def _lesion_on_skin(view, rng, look, severity):
    """Colour (150, 200, 3) of the skin under white light, and the lesion's mask (150, 200)."""
    suspicion = _step(severity, 1.15, 0.55)

    def trait(noise=0.22):  # what one feature shows of the severity, in [0, 1]
        return float(np.clip(suspicion + noise * rng.normal(), 0, 1))

    layer = _skin(view, rng, trait)
    depth, radius, edge = _outline(view, rng, look, trait)
    inside = _step(depth, 0, edge)
    LOOK_PAINTERS[look](layer, view, rng, inside, depth, radius)
    _suspicious(layer, view, rng, inside, depth, radius, trait)

    warmth = np.array([1.0, rng.uniform(0.75, 1.05), rng.uniform(0.95, 1.25)])
    absorbs = PIGMENTS | {"brown": PIGMENTS["brown"] * warmth}
    density = [sum(layer[name] * absorb[c] for name, absorb in absorbs.items()) for c in range(3)]
    colour = np.stack([s * np.exp(-d) for s, d in zip(BARE_SKIN, density, strict=True)], -1)
    white = np.clip(layer["white"], 0, 1)[..., None]
    return colour + (np.array(WHITE) - colour) * white, depth > 0


def _skin(view, rng, trait):
    """Pigment densities of the skin around: pink and brown mottling, freckles, small vessels."""
    red = rng.uniform(0.03, 0.45) - 0.17 * trait()
    brown, rough = abs(rng.normal(0, 0.12)), rng.uniform(0.4, 1.6)
    cloud, fine = view.texture("cloud", rng.uniform(35, 90)), view.texture("fine", 18)
    pores = view.texture(("lattice", "furrows")[rng.randint(2)], rng.uniform(3.5, 8))
    grain = view.texture("grain", 2.2)
    layer = {
        "red": max(red, 0.03) + 0.03 * cloud + rough * (0.028 * fine + 0.012 * pores),
        "brown": brown * (1 - 0.2 * cloud) + rough * (0.012 * fine + 0.012 * pores + 0.016 * grain),
        "black": np.zeros((HEIGHT, WIDTH)),
        "blue": np.full((HEIGHT, WIDTH), abs(rng.normal(0, 0.05)) + 0.12 * trait()),
        "white": np.zeros((HEIGHT, WIDTH)),
    }
    sun = max(0.0, rng.normal(-0.1, 0.5))  # sun-damaged skin has freckles and widened vessels
    if sun > 0:
        layer["brown"] += 0.25 * sun * _step(view.texture("cloud", 40), 1.0, 0.35)
        ridge = np.abs(view.texture("waves", rng.uniform(14, 26)) + 0.4 * fine)
        layer["red"] += 0.3 * sun * np.clip(1 - ridge / 0.16, 0, 1) * _step(cloud, 0.4, 0.5)
    return layer


def _outline(view, rng, look, trait):
    """Signed depth under the lesion's outline in pixels (150, 200), its radius, its softness."""
    radius = 33 * np.exp(rng.normal(0, 0.36) + 0.16 * (trait() - 0.3))
    radius = float(np.clip(radius, 11, 62))
    ragged = trait()
    k = np.arange(2, 9)
    amplitude = rng.normal(0, 1, len(k)) * (0.14 + 0.10 * ragged) / (k - 1) ** 1.3
    phase = rng.uniform(0, 2 * np.pi, len(k))
    angle = np.arange(1024) * (2 * np.pi / 1024)
    contour = np.exp((amplitude[:, None] * np.cos(k[:, None] * angle + phase[:, None])).sum(0))
    turn = np.arctan2(view.v, view.u) * (1024 / (2 * np.pi))
    rho = np.sqrt(view.u**2 + view.v**2)
    depth = radius - rho / contour[turn.astype(np.int64) & 1023]
    wobble = 0.07 + 0.15 * ragged + (0.06 if look in ("actinic", "keratosis", "basal") else 0)
    depth += radius * wobble * view.texture("cloud", radius * rng.uniform(0.7, 1.5))
    depth += (0.8 + 1.2 * ragged) * view.texture("fine", 9)
    sharp = {"keratosis": 0.5, "vascular": 0.6, "actinic": 1.8, "fibroma": 1.7, "basal": 1.5}
    edge = radius * rng.uniform(0.04, 0.13) * sharp.get(look, 1.0)
    edge = edge * np.exp(0.5 * view.texture("waves", radius * 1.3))
    return depth, radius, edge


def _melanocytic(layer, view, rng, inside, depth, radius):
    """Brown body with a network of darker lines, or globules."""
    density = rng.uniform(0.3, 1.0)
    centre = rng.uniform(-0.3, 0.6) * (depth / radius - 0.4)
    body = 1 + 0.2 * view.texture("cloud", radius) + 0.17 * view.texture("fine", 10) + centre
    holes = np.clip(view.texture("lattice", rng.uniform(4, 7)), -1.2, 1.6)
    fade = np.clip(0.6 + 0.5 * view.texture("cloud", radius * 0.8), 0, 1.4)
    body -= max(0.08, rng.uniform(-0.1, 0.35)) * fade * holes
    layer["brown"] += density * inside * np.clip(body, 0.1, 2.5)
    layer["red"] += inside * rng.uniform(0, 0.4)
    layer["black"] += inside * abs(rng.normal(0, 0.08)) * np.clip(body, 0, 2)
    if rng.random_sample() < 0.4:
        u, v = _scatter(rng, rng.randint(8, 45), radius * rng.uniform(0.7, 1.05))
        globules = view.discs(u, v, rng.uniform(0.7, 2, len(u)), 1.1, rng.uniform(0.2, 1, len(u)))
        layer["brown"] += 0.6 * density * globules * _step(depth, -3, 2)


def _keratosis(layer, view, rng, inside, depth, radius):
    """Stuck-on and dull, finely cobbled, with milia-like cysts and comedo-like openings."""
    density = rng.uniform(0.2, 0.85)
    cobbles = view.texture("lattice", rng.uniform(4, 10)) * rng.uniform(0.05, 0.25)
    body = 1 + 0.35 * view.texture("cloud", radius * 0.7) + 0.25 * view.texture("fine", 11)
    body = np.clip(body - cobbles, 0.05, 2.5)
    layer["brown"] += density * inside * body
    layer["blue"] += max(0.0, rng.uniform(-0.2, 0.3)) * inside * body
    layer["red"] += inside * rng.uniform(-0.05, 0.2)
    u, v = _scatter(rng, rng.randint(0, 22), radius * 0.9)
    cysts = view.discs(u, v, rng.uniform(0.6, 1.8, len(u)), 1.2, rng.uniform(0.1, 0.45, len(u)))
    layer["white"] += inside * cysts
    u, v = _scatter(rng, rng.randint(0, 14), radius * 0.85)
    layer["brown"] += inside * view.discs(u, v, rng.uniform(0.6, 2, len(u)), 1.2, 0.7)


def _basal(layer, view, rng, inside, depth, radius):
    """Pinkish and translucent, arborising vessels, blue-grey ovoid nests."""
    cloud, fine = view.texture("cloud", radius), view.texture("fine", 16)
    layer["red"] += inside * rng.uniform(0.08, 0.4) * (1 + 0.3 * cloud + 0.2 * fine)
    layer["brown"] += inside * rng.uniform(0, 0.35) * np.clip(0.7 - 0.5 * cloud + 0.3 * fine, 0, 2)
    layer["white"] += inside * rng.uniform(0, 0.15)
    nests = inside * _step(view.texture("cloud", rng.uniform(16, 40)), rng.uniform(0.7, 1.6), 0.2)
    layer["blue"] += rng.uniform(0.1, 0.6) * nests
    layer["brown"] += rng.uniform(0.1, 0.6) * nests
    u, v, width = _branches(rng, radius)
    vessels = view.discs(u, v, width, 0.8) * np.clip(0.8 + 0.4 * fine, 0, 1.5)
    layer["red"] += max(0.0, rng.uniform(-0.2, 0.5)) * vessels * _step(depth, -2, 4)


def _actinic(layer, view, rng, inside, depth, radius):
    """Pink with pale follicles and white scale, sometimes with a little brown."""
    follicles = np.clip(view.texture("lattice", rng.uniform(4.5, 8)), -0.5, 2)
    fine = view.texture("fine", 15)
    patchy = np.clip(1 + 0.5 * view.texture("cloud", radius * 0.7) + 0.3 * fine, 0, 2)
    dotted = rng.uniform(0, 0.3)
    layer["red"] += inside * rng.uniform(0.1, 0.45) * patchy * (1 - dotted * follicles)
    layer["brown"] += (
        inside * max(0.0, rng.normal(0.2, 0.25)) * np.clip(1.6 - patchy + 0.3 * fine, 0, 2)
    )
    scale = view.texture("cloud", 26) + 0.4 * fine
    layer["white"] += inside * max(0.0, rng.uniform(-0.2, 0.5)) * _step(scale, 1.1, 0.2)
    layer["white"] += inside * 0.3 * dotted * np.clip(follicles, 0, 2)


def _fibroma(layer, view, rng, inside, depth, radius):
    """A pale scar-like centre within a thin brown ring with a delicate network."""
    centre = _step(depth, radius * rng.uniform(0.45, 0.75), radius * 0.12)
    centre = centre * np.clip(0.8 + 0.5 * view.texture("cloud", radius * 0.6), 0, 1.6)
    ring = inside * (1 - 0.7 * np.clip(centre, 0, 1))
    holes = np.clip(view.texture("lattice", rng.uniform(4, 6.5)), -1.2, 1.6)
    patchy = 1 + 0.35 * view.texture("cloud", radius) + 0.2 * view.texture("fine", 14)
    layer["brown"] += rng.uniform(0.1, 0.5) * ring * np.clip(patchy - 0.18 * holes, 0, 2)
    layer["red"] += inside * rng.uniform(0.05, 0.35)
    layer["white"] += centre * rng.uniform(0.05, 0.45)


def _vascular(layer, view, rng, inside, depth, radius):
    """Red to purple lacunae, sometimes a dark clot."""
    u, v = _scatter(rng, rng.randint(15, 45), radius * 0.95)
    size, strength = rng.uniform(0.06, 0.2, len(u)) * radius, rng.uniform(0.3, 1, len(u))
    cloud = view.texture("cloud", radius)
    fill = 0.6 + 0.35 * view.discs(u, v, size, 2.2, strength) + 0.18 * cloud
    fill = inside * np.clip(fill + 0.1 * view.texture("fine", 12), 0, 1.6)
    layer["red"] += rng.uniform(0.4, 1.6) * fill
    layer["blue"] += max(0.0, rng.normal(0.1, 0.3)) * fill
    layer["black"] += max(0.0, rng.normal(-0.1, 0.5)) * inside * _step(cloud, 0.5, 0.3)


LOOK_PAINTERS = dict(
    zip(LOOKS, (_melanocytic, _keratosis, _basal, _actinic, _fibroma, _vascular), strict=True)
)


def _suspicious(layer, view, rng, inside, depth, radius, trait):
    """What severity adds to any look: asymmetry, blotches, several colours, blue-white veil."""
    across = rng.uniform(0, 2 * np.pi)
    slope = np.clip((np.cos(across) * view.u + np.sin(across) * view.v) / radius, -1.5, 1.5)
    tilt = 1 + inside * (np.exp(0.75 * trait() * slope) - 1)
    for pigment in ("brown", "red"):
        layer[pigment] *= tilt
    fine = view.texture("fine", 13)
    patches = [view.texture("cloud", radius * rng.uniform(0.6, 1.3)) + 0.3 * fine for _ in range(3)]
    dark, veil, red, pale = (trait(0.3) * rng.uniform(0.3, 1) for _ in range(4))
    blotch = inside * _step(patches[0] + 0.5 * slope, 0.3, 0.45)
    layer["black"] += 0.9 * dark * blotch
    layer["brown"] += 0.9 * dark * blotch
    deep = _step(depth, radius * 0.2, radius * 0.12)
    haze = veil * deep * _step(patches[1] - 0.4 * slope, 0.6, 0.3)
    layer["blue"] += 0.6 * haze
    layer["white"] += 0.12 * haze
    layer["red"] += 0.4 * red * inside * _step(patches[2], 0.6, 0.3)
    layer["white"] += 0.35 * pale * inside * _step(-patches[2], 1.2, 0.25)
    u, v = _scatter(rng, int(30 * trait(0.3)), radius * 1.1)
    dots = view.discs(u, v, rng.uniform(0.3, 1.6, len(u)), 1.0, rng.uniform(0.2, 0.8, len(u)))
    layer["brown"] += dots * _step(depth, -4, 2)
    layer["black"] += 0.4 * dots * _step(depth, -4, 2)


def _scatter(rng, n, radius):
    """n random points of a disc, in clusters as often as not."""
    angle, far = rng.uniform(0, 2 * np.pi, n), radius * np.sqrt(rng.random_sample(n))
    angle = np.where(rng.random_sample() < 0.5, angle, angle * rng.uniform(0.3, 0.8))
    return far * np.cos(angle), far * np.sin(angle)


def _branches(rng, radius):
    """Points and widths of a few tree-like vessels that grow into the lesion from its border."""
    u, v, width = [], [], []
    for _ in range(rng.randint(1, 5)):
        start = rng.uniform(0, 2 * np.pi)
        shoots = [(radius * np.cos(start), radius * np.sin(start), start + np.pi, 1.0)]
        for _ in range(4):  # generations
            grown = []
            for a, b, heading, wide in shoots[:4]:
                steps = int(radius * rng.uniform(0.3, 0.7) / 0.7) + 2
                bend = heading + np.cumsum(rng.normal(0, 0.09, steps))
                line_u, line_v = (
                    a + 0.7 * np.cumsum(np.cos(bend)),
                    b + 0.7 * np.cumsum(np.sin(bend)),
                )
                u, v, width = [*u, line_u], [*v, line_v], [*width, np.full(steps, wide)]
                for side in (-1, 1):
                    turned = bend[-1] + side * rng.uniform(0.2, 0.8)
                    grown.append((line_u[-1], line_v[-1], turned, wide * 0.72))
            shoots = grown
    return np.concatenate(u), np.concatenate(v), np.concatenate(width)


# --- camera --------------------------------------------------------------------------------------


def _photograph(view, rng, skin):
    """The skin as a camera sees it: hairs, light, lens and sensor. uint8 (150, 200, 3)."""
    x, y = np.arange(WIDTH) / WIDTH - 0.5, np.arange(HEIGHT)[:, None] / WIDTH - 0.375
    hairs, ruler = _hairs(rng), _ruler(rng)
    tone = np.array([70, 42, 34]) * rng.uniform(0.3, 1.3)
    image = skin + (tone - skin) * hairs[..., None]
    image *= 1 - 0.85 * ruler[..., None]
    image = ndimage.gaussian_filter(image, (s := rng.uniform(0.35, 0.9), s, 0), truncate=3)
    slope = rng.normal(0, 0.10, 2)
    corner = x**2 + y**2
    light = rng.normal(1.03, 0.08) * (
        1 + slope[0] * x + slope[1] * y - rng.uniform(0, 0.5) * corner
    )
    if rng.random_sample() < 0.1:  # the round field of a lens that does not fill the sensor
        off = rng.normal(0, 0.015, 2)
        far = np.sqrt((x - off[0]) ** 2 + (y - off[1]) ** 2)
        light = light * _step(rng.uniform(0.44, 0.56) - far, 0, 0.006)
    tint = 1 + rng.normal(0, 1, 3) * (0.03, 0.04, 0.06)
    image = image * light[..., None] * tint
    noise = rng.uniform(0.7, 2.4) * rng.uniform(-1, 1, (HEIGHT, WIDTH))
    return np.clip(np.rint(image + noise[..., None]), 0, 255).astype(np.uint8)


def _hairs(rng):
    """Coverage by hairs (150, 200): none in half of the photographs, else up to a few dozen."""
    n = int(rng.exponential(9)) if rng.random_sample() < 0.5 else 0
    x, y, width = [], [], []
    combed, t = rng.uniform(0, 2 * np.pi), np.linspace(0, 1, 240)
    for _ in range(min(n, 30)):
        heading, length = combed + rng.normal(0, 0.5), rng.uniform(25, 170)
        bend = heading + rng.normal(0, 0.6) * (t - 0.5) + rng.normal(0, 0.5) * (t - 0.5) ** 2
        x.append(rng.uniform(0, WIDTH) + np.cumsum(np.cos(bend)) * length / len(t))
        y.append(rng.uniform(0, HEIGHT) + np.cumsum(np.sin(bend)) * length / len(t))
        width.append(rng.uniform(0.1, 0.6) * np.sqrt(1.02 - t))
    if not x:
        return np.zeros((HEIGHT, WIDTH))
    cover = _discs(np.concatenate(x), np.concatenate(y), np.concatenate(width), 0.6)
    return rng.uniform(0.5, 0.9) * np.minimum(1.4 * cover, 1)


def _ruler(rng):
    """Tick marks of the dermatoscope's scale across a corner, in a tenth of the photographs."""
    if rng.random_sample() > 0.1:
        return np.zeros((HEIGHT, WIDTH))
    tick, along = np.meshgrid(np.arange(6), np.linspace(0, 1, 10), indexing="ij")
    step, length = rng.uniform(9, 13), np.where(tick % 5 == 0, 8, 5)
    x = WIDTH - 4 - tick * step - along * length * 0.5
    y = 2 + tick * step * rng.uniform(-0.3, 0.0) + along * length + rng.uniform(0, 10)
    if rng.random_sample() < 0.5:
        y = HEIGHT - y
    return _discs(x.ravel(), y.ravel(), 0.5, 0.5)


def _step(values, at, width):
    """Smooth step from 0 to 1 (logistic) around ``at``."""
    return 1 / (1 + np.exp(np.clip((at - values) / width, -40, 40)))


def _stream(*names):
    """A random stream of its own for each combination of names."""
    digest = hashlib.sha256(":".join(map(str, names)).encode()).digest()
    return np.random.RandomState(np.frombuffer(digest, "<u4"))


# --- the source ----------------------------------------------------------------------------------


class Synthetic(Source):
    """All photographs of ``metadata()``, drawn when they are asked for."""

    name = "synthetic"

    def __init__(self):
        table = metadata()
        self.table = table.assign(copy_of=table["image_id"])
        self.line = (
            f"Data: SYNTHETIC, {len(table):,} drawn images. "
            "No number from them says anything about real skin."
        )

    def image(self, image_id, size):
        if size > HEIGHT:
            raise ValueError(
                f"Synthetic images have {WIDTH}x{HEIGHT} pixels, too few for {size}x{size}: ask "
                "for a smaller size."
            )
        return Image.fromarray(draw([image_id])[0])

    def key(self, image_id):
        return _code()


@lru_cache(maxsize=1)
def _code():
    """16 hexadecimal digits of this file: other code may draw other images."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
