"""Random views of training images: as they might have been taken as well, and, in stronger
settings, with hairs, blur, JPEG, another lamp, a ruler, dark corners or a coloured patch."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from utils.quiet import keras

# Chances (``p_``) of each disturbance, and how far light and the gain of a colour channel may move
# (on every image, or with a chance of ``p_lamp``, else as far as in "plain").
# Blur is in pixels of the view, by its longest standard deviation; quality is JPEG's lowest.
STRENGTHS = {
    "plain": {"light": (0.9, 1.1), "gain": 0.1},
    "weak": {
        "light": (0.7, 1.1),
        "gain": 0.15,
        "p_hair": 0.2,
        "p_cover": 0.1,
        "p_blur": 0.2,
        "blur": 2.0,
        "p_jpeg": 0.15,
        "quality": 15,
    },
    "strong": {
        "light": (0.4, 1.15),
        "gain": 0.2,
        "p_hair": 0.35,
        "p_cover": 0.2,
        "p_blur": 0.3,
        "blur": 3.0,
        "p_jpeg": 0.3,
        "quality": 5,
    },
}
# As far as "strong", on fewer images: about a quarter of them stays undisturbed.
STRENGTHS["occasional"] = STRENGTHS["strong"] | {
    "p_lamp": 0.35,
    "p_hair": 0.25,
    "p_cover": 0.1,
    "p_blur": 0.25,
    "p_jpeg": 0.2,
}
FINER = 4  # covers are drawn so many times larger and made smaller again: edges are soft
COVERS = {"hair": 384, "ruler": 64, "corners": 64, "patch": 64}  # drawn once, then chosen from


@keras.saving.register_keras_serializable(package="course")
class RandomView(keras.layers.Layer):
    """Images as they might have been taken as well; in prediction only resized.

    Flipped, turned by quarters, cut (a square of 70 to 100 % of the side, stretched by up to a
    tenth) and lit otherwise, each image in its own way. All changes of place need one
    interpolation together, so that little is blurred. Settings other than ``"plain"`` also
    disturb a part of the images, in the order in which it happens: something lies on the skin, the
    lens blurs, the lamp colours, the file is compressed.

    Parameters
    ----------
    size : int
        Pixels a side that come out.
    seed : int, optional
        The same seed gives the same sequence of views.
    strength : str
        One of ``STRENGTHS``.

    Raises
    ------
    ValueError
        If there is no such strength.
    """

    def __init__(self, size, seed=None, strength="plain", **options):
        super().__init__(**options)
        if strength not in STRENGTHS:
            raise ValueError(f"The strength is one of {', '.join(STRENGTHS)}, not {strength!r}.")
        self.size, self.seed, self.strength = size, seed, strength
        self.random = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        """Float32 images, shape (n, size, size, 3), from 0..255 of shape (n, h, h, 3)."""
        import tensorflow as tf

        x = tf.cast(images, "float32")
        if not training:
            return tf.image.resize(x, (self.size, self.size))
        n, chosen = tf.shape(x)[0], STRENGTHS[self.strength]

        def uniform(low, high, *shape):
            return keras.random.uniform((n, *shape), low, high, seed=self.random)

        for change in (
            lambda x: tf.reverse(x, [1]),
            lambda x: tf.reverse(x, [2]),
            lambda x: tf.transpose(x, (0, 2, 1, 3)),
        ):
            x = tf.where(uniform(0, 1, 1, 1, 1) < 0.5, change(x), x)
        side, stretch = uniform(0.7, 1), tf.exp(uniform(-0.1, 0.1))
        height, width = tf.minimum(side * stretch, 1), tf.minimum(side / stretch, 1)
        top, left = uniform(0, 1) * (1 - height), uniform(0, 1) * (1 - width)
        boxes = tf.stack([top, left, top + height, left + width], axis=1)
        x = tf.image.crop_and_resize(x, boxes, tf.range(n), (self.size, self.size))
        if self.strength != "plain":
            x = _covered(x, uniform, self.size, chosen)
            x = _blurred(x, uniform, chosen)
        mean = tf.reduce_mean(x, axis=(1, 2, 3), keepdims=True)

        def lamp(light, gain):
            return uniform(*light, 1, 1, 1) * uniform(1 - gain, 1 + gain, 1, 1, 3)

        other = lamp(chosen["light"], chosen["gain"])
        if "p_lamp" in chosen:
            there = uniform(0, 1, 1, 1, 1) < chosen["p_lamp"]
            plain = STRENGTHS["plain"]
            other = tf.where(there, other, lamp(plain["light"], plain["gain"]))
        x *= other
        x = (x - mean) * uniform(0.9, 1.1, 1, 1, 1) + mean
        x = tf.clip_by_value(x, 0, 255)
        return x if self.strength == "plain" else _compressed(x, uniform, chosen)

    def get_config(self):
        own = {"size": self.size, "seed": self.seed, "strength": self.strength}
        return super().get_config() | own


def _covered(x, uniform, size, chosen):
    """Hairs on some images, a ruler, dark corners or a coloured patch on others."""
    import tensorflow as tf

    masks, colours = covers(size)
    hairs = COVERS["hair"]
    for chance, low, high in (
        (chosen["p_hair"], 0, hairs),
        (chosen["p_cover"], hairs, len(masks)),
    ):
        which = tf.cast(uniform(low, high), "int32")
        there = tf.cast(uniform(0, 1, 1, 1, 1) < chance, "float32") * uniform(0.6, 1, 1, 1, 1)
        share = tf.cast(tf.gather(masks, which), "float32")[..., None] / 255 * there
        share = tf.where(uniform(0, 1, 1, 1, 1) < 0.5, tf.reverse(share, [1]), share)
        colour = tf.gather(tf.constant(colours), which)[:, None, None]
        x += share * (colour - x)
    return x


def _blurred(x, uniform, chosen, reach=6):
    """Some images out of focus: a Gaussian, each with a standard deviation of its own."""
    import tensorflow as tf

    there = uniform(0, 1) < chosen["p_blur"]
    sharp = tf.where(~there)[:, 0]
    soft = tf.where(there)[:, 0]
    n = tf.shape(soft)[0]
    sigma = tf.gather(uniform(0.5, chosen["blur"]), soft)
    at = tf.range(-reach, reach + 1, dtype="float32")
    kernel = tf.nn.softmax(-(at[:, None] ** 2) / (2 * sigma**2), axis=0)  # (taps, n)
    kernel = tf.repeat(kernel, 3, axis=1)
    side = x.shape[1]
    # One image is three channels of one large image: each channel has a kernel of its own.
    y = tf.transpose(tf.gather(x, soft), (1, 2, 0, 3))
    y = tf.reshape(y, (1, side, side, 3 * n))
    y = tf.pad(y, [[0, 0], [reach, reach], [reach, reach], [0, 0]], "REFLECT")
    y = tf.nn.depthwise_conv2d(y, kernel[:, None, :, None], [1] * 4, "VALID")
    y = tf.nn.depthwise_conv2d(y, kernel[None, :, :, None], [1] * 4, "VALID")
    y = tf.transpose(tf.reshape(y, (side, side, n, 3)), (2, 0, 1, 3))
    return tf.dynamic_stitch(
        [tf.cast(sharp, "int32"), tf.cast(soft, "int32")], [tf.gather(x, sharp), y]
    )


def _compressed(x, uniform, chosen):
    """Some images saved as JPEG of low quality and read again."""
    import tensorflow as tf

    quality = tf.cast(uniform(chosen["quality"], 61), "int32")
    quality = tf.where(uniform(0, 1) < chosen["p_jpeg"], quality, 0)

    def through_file(pair):
        pixels, q = pair

        return tf.cond(
            q > 0, lambda: 255 * tf.image.adjust_jpeg_quality(pixels / 255, q), lambda: pixels
        )

    return tf.map_fn(through_file, (x, quality), fn_output_signature=tf.float32)


@lru_cache(maxsize=2)
def covers(size, seed=0):
    """What may lie on a lesion: where, and of which colour.

    Parameters
    ----------
    size : int
        Pixels a side.

    Returns
    -------
    (ndarray of uint8, shape (n, size, size), ndarray of float32, shape (n, 3))
        How far each pixel is covered, 0..255, and the colour 0..255; in the order of ``COVERS``.
    """
    draw = {"hair": _hairs, "ruler": _ruler, "corners": _corners, "patch": _patch}
    rng, masks, colours = np.random.default_rng(seed), [], []
    large = FINER * size
    for name, count in COVERS.items():
        for _ in range(count):
            mask = Image.new("L", (large, large))
            colours.append(draw[name](ImageDraw.Draw(mask), large, rng))
            mask = np.asarray(mask.resize((size, size), Image.Resampling.BOX))
            masks.append(np.rot90(mask, rng.integers(4)))
    return np.stack(masks), np.array(colours, np.float32)


def _hairs(draw, size, rng):
    """Cubic Bezier curves, few or many, thin or thick, dark or fair."""
    t = np.linspace(0, 1, 30)[:, None]
    for _ in range(rng.integers(1, 25)):
        ends = rng.uniform(-0.1, 1.1, (2, 2))
        between = ends[0] + (ends[1] - ends[0]) * np.array([[0.33], [0.67]])
        one, two = between + rng.normal(0, 0.12, (2, 2))
        curve = (1 - t) ** 3 * ends[0] + 3 * (1 - t) ** 2 * t * one
        curve += 3 * (1 - t) * t**2 * two + t**3 * ends[1]
        width = rng.uniform(0.004, 0.018) * size
        draw.line([tuple(point) for point in curve * size], 255, max(1, round(width)))
    dark = np.array([rng.uniform(10, 90)] * 3)
    fair = np.array([150, 125, 90]) * rng.uniform(0.8, 1.2)
    return fair if rng.random() < 0.1 else dark * [1.1, 1, 0.9]


def _ruler(draw, size, rng):
    """Ticks along one edge, longer ones among them."""
    step, start = size * rng.uniform(0.02, 0.07), rng.uniform(0, 0.05) * size
    short, width = rng.uniform(0.02, 0.06) * size, max(1, round(size * rng.uniform(0.003, 0.009)))
    every = rng.choice([5, 10])
    for tick in range(int(size / step) + 1):
        length = short * (1.7 if tick % every == 0 else 1)
        draw.line([(tick * step, start), (tick * step, start + length)], 255, width)
    return np.array([rng.uniform(10, 60)] * 3)


def _corners(draw, size, rng):
    """The dark rim of a round field of view."""
    radius, middle = rng.uniform(0.5, 0.68) * size, size * rng.uniform(0.45, 0.55, 2)
    draw.rectangle([0, 0, size, size], 255)
    draw.ellipse([*(middle - radius), *(middle + radius)], 0)
    return np.array([rng.uniform(0, 40)] * 3)


def _patch(draw, size, rng):
    """A round sticker that reaches into the image, of any strong colour."""
    radius, along = rng.uniform(0.1, 0.3) * size, rng.uniform(0, 1) * size
    into = rng.uniform(-0.05, 0.08) * size
    draw.ellipse([along - radius, into - radius, along + radius, into + radius], 255)
    colour = rng.uniform(30, 110, 3)
    colour[rng.integers(3)] = rng.uniform(150, 240)
    return colour
