"""Diagrams: each function draws one idea of a lesson and returns a Matplotlib figure.

They are schematic: lesions are drawn shapes, scores are invented. Coordinates are inches, so that
shapes and texts keep their places. Colours are Okabe & Ito's and never alone: a shape, a hatch or
a word says the same. What a docstring says is to be seen is the figure's text in ``ALT``."""

from functools import wraps

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, RED, INK, GREY, LIGHT = "#56B4E9", "#D55E00", "#222222", "#8A8A8A", "#BDBDBD"
LAYERS = 154  # of MobileNetV2 without its top, as Keras counts
ALT = {}  # function name: alternative text of its figure


def diagram(draw):
    """Draw in one style, whatever theme a notebook has set, and register the alternative text."""

    @wraps(draw)
    def drawn(*args, **kwargs):
        plt.draw_if_interactive()  # loads a notebook's backend before the context
        own = {"font.family": "DejaVu Sans", "lines.linewidth": 1.3, "hatch.linewidth": 0.6}
        with plt.style.context(["default", own | {"figure.dpi": plt.rcParams["figure.dpi"]}]):
            return draw(*args, **kwargs)

    ALT[draw.__name__] = " ".join(draw.__doc__.split("\n\n")[0].split())
    return drawn


def canvas(width, height):
    """Empty axes as large as their figure, whose coordinates are inches."""
    ax = plt.figure(figsize=(width, height), facecolor="white").add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(0, height))
    ax.axis("off")
    return ax


def tint(color, share=0.2):
    """The colour mixed with white."""
    return tuple(1 - share * (1 - c) for c in to_rgb(color))


def write(ax, x, y, text, size=9, ha="center", **style):
    """Lines of text, their capitals centred on y, so that texts in a row share a baseline."""
    lines = text.split("\n")
    for i, line in enumerate(lines):
        below = (1.3 * (i - (len(lines) - 1) / 2) + 0.36) * size / 72
        ax.text(x, y - below, line, fontsize=size, ha=ha, **{"color": INK} | style)


def head(ax, x, y, text, **style):
    write(ax, x, y, text, 10.5, fontweight="bold", **style)


def box(ax, x, y, w, h, text="", color=BLUE, fill=0.2, frozen=False, **style):
    """A rounded box around (x, y); a frozen one is grey and hatched."""
    look = {"facecolor": tint(color, fill), "edgecolor": color, "linewidth": 1.3}
    if frozen:
        look |= {"facecolor": "#F2F2F2", "edgecolor": GREY, "hatch": "////"}
    shape = f"round,pad=0,rounding_size={min(0.07, w / 3, h / 3)}"
    patch = FancyBboxPatch((x - w / 2, y - h / 2), w, h, boxstyle=shape, **look | style)
    write(ax, x, y, text)
    return ax.add_artist(patch)


def arrow(ax, start, end, color=INK, **style):
    look = {"arrowstyle": "-|>", "mutation_scale": 10, "shrinkA": 0, "shrinkB": 0, "linewidth": 1.3}
    ax.add_artist(FancyArrowPatch(start, end, color=color, **look | style))


def arrows(ax, y, *spans):
    """Arrows to the right at height y, each from one x to another."""
    for left, right in spans:
        arrow(ax, (left, y), (right, y))


def line(ax, *points, color=INK, **style):
    ax.plot(*zip(*points, strict=True), color=color, **style)


def bracket(ax, start, end, dx=0, dy=0, color=INK):
    """A line from start to end whose two ends turn by (dx, dy) towards what it embraces."""
    (x0, y0), (x1, y1) = start, end
    line(ax, (x0 + dx, y0 + dy), start, end, (x1 + dx, y1 + dy), color=color)


def lesion(ax, x, y, size, kind=4, turn=0, color=GREY):
    """A drawn lesion on skin, in a frame; ``kind`` gives its form."""
    frame = box(ax, x, y, size, size, color=color, facecolor="#F8E3CF")
    angle, rng = np.linspace(0, 2 * np.pi, 90), np.random.default_rng(kind)
    for share, shade in ((0.3, "#A8703C"), (0.16, "#6B3F1D")):
        waves = zip((1, 2, 3), rng.uniform(0.08, 0.24, 3), rng.uniform(0, 6, 3), strict=True)
        r = share * size * (1 + sum(a * np.cos(k * angle + p) for k, a, p in waves))
        z = r * np.exp(1j * angle) * np.exp(1j * np.radians(turn))
        form = Polygon(np.stack([x + z.real, y + z.imag], axis=1), color=shade, linewidth=0)
        ax.add_artist(form).set_clip_path(frame)


def photo(ax, x, y, size):
    """A drawn photo that is not a lesion: hills under a sun."""
    frame = box(ax, x, y, size, size, color=GREY, facecolor=tint(SKY, 0.35))
    shapes = [Circle((x + 0.2 * size, y + 0.22 * size), 0.1 * size, color=ORANGE)]
    for left, top, shade in ((-0.75, 0.15, 0.6), (-0.25, -0.05, 0.9)):
        hill = np.array([(left, -0.5), (left + 0.5, top), (left + 1, -0.5)])
        shapes.append(Polygon((x, y) + size * hill, color=tint(GREEN, shade), linewidth=0))
    for shape in shapes:
        ax.add_artist(shape).set_clip_path(frame)


def slabs(ax, x, y, w, h, n, frozen=0, color=BLUE):
    """A network's body: n blocks from x to x + w, the first ones frozen."""
    for i in range(n):
        at, tall = x + w * (i + 0.5) / n, h * (1 - 0.55 * i / n)
        box(ax, at, y, 0.68 * w / n, tall, color=color, fill=0.45, frozen=i < frozen)


def grid(ax, x, y, size, n, marks=(), color=BLUE):
    """A feature map of n x n cells around (x, y), with the cells (row, column) of marks filled."""
    edges, cells = size * (np.arange(n + 1) / n - 0.5), np.full((n, n, 3), 0.95)
    for place in marks:
        cells[place] = tint(color, 0.75)
    look = {"edgecolor": LIGHT, "linewidth": 0.8, "antialiased": True}
    ax.pcolormesh(x + edges, y - edges, cells, **look)


@diagram
def transfer_learning():
    """Above, ImageNet photos pass through MobileNetV2's base to 1,000 classes. Below, the same
    base feeds a new small head that gives the probability of melanoma. The base is frozen but for
    its last layers, which are trained after the head."""
    ax = canvas(8, 4.6)
    head(ax, 0.3, 4.35, "Learned once, by others: 1.3 million photos of ImageNet", ha="left")
    head(ax, 0.3, 2.15, "Reused by you: photos of skin lesions", ha="left")
    for y, frozen in ((3.3, 0), (1.1, 12)):
        box(ax, 2.95, y, 2.5, 1.05, color=GREY if frozen else BLUE, fill=0.06)
        slabs(ax, 1.76, y, 2.38, 0.82, 14, frozen)
        arrows(ax, y, (1.28, 1.62), (4.28, 4.6), (6.5, 6.8))
    for i in (2, 1, 0):
        photo(ax, 0.68 + 0.07 * i, 3.23 + 0.07 * i, 0.68)
    lesion(ax, 0.75, 1.1, 0.8)
    write(ax, 2.95, 3.97, f"base: MobileNetV2, {LAYERS} layers")
    write(ax, 2.85, 1.77, "the same base, frozen")
    write(ax, 3.9, 0.33, "the last layers:\ntrained later", color=BLUE)
    arrow(ax, (3.95, 2.7), (3.95, 1.72), BLUE)
    write(ax, 4.05, 2.5, "the same weights", ha="left", color=BLUE)
    box(ax, 5.55, 3.3, 1.62, 0.36, "Dense 1,000", GREY, linestyle="--")
    write(ax, 5.55, 2.93, "not reused", color="#666666")
    write(ax, 7.36, 3.3, "1,000 classes:\ndog, teapot, …")
    write(ax, 5.55, 2.05, "new head, trained first")
    box(ax, 5.55, 1.1, 1.76, 1.62, color=ORANGE, fill=0.06)
    layers = ("GlobalAveragePooling", "Dropout 0.3", "Dense 128", "Dropout 0.2", "Dense 1, sigmoid")
    for i, name in enumerate(layers):
        box(ax, 5.55, 1.7 - 0.3 * i, 1.62, 0.24, name, ORANGE)
    write(ax, 7.36, 1.1, "probability\nof melanoma", fontweight="bold")
    return ax.figure


@diagram
def linear_probe():
    """A lesion, scaled to the range from -1 to 1, passes through the frozen base, MobileNetV2. Its
    3 x 3 x 1,280 outputs are averaged to 1,280 features, and a logistic regression, the only part
    that is trained, gives the probability of melanoma."""
    ax, y = canvas(8, 2.4), 1.25
    names = ("image", "base: MobileNetV2", "output", "features", "linear probe")
    for name, x in zip(names, (0.6, 2.3, 4.05, 5.15, 6.25), strict=True):
        head(ax, x, 2.15, name)
    lesion(ax, 0.6, y, 0.8)
    write(ax, 0.6, 0.5, "pixels from\n−1 to 1")
    box(ax, 2.3, y, 2.0, 1.05, color=GREY, fill=0.06)
    slabs(ax, 1.36, y, 1.88, 0.82, 12, 12)
    write(ax, 2.3, 0.5, f"❄ frozen: {LAYERS} layers\nlearned from ImageNet")
    for shift in (0.12, 0.06, 0):
        marks = () if shift else ((0, 1), (1, 1), (2, 0))
        grid(ax, 4.0 + shift, y + shift, 0.56, 3, marks)
    write(ax, 4.05, 0.5, "3 × 3 places,\n1,280 channels")
    for i, share in enumerate((0.1, 0.7, 0.3, 0.05, 0.5, 0.2, 0.8)):
        look = {"facecolor": tint(BLUE, share), "edgecolor": BLUE, "linewidth": 0.8}
        ax.add_artist(Rectangle((5.07, y + 0.3 - 0.12 * i), 0.16, 0.12, **look))
    write(ax, 5.15, 0.5, "1,280\nnumbers")
    box(ax, 6.25, y, 0.96, 0.7, "logistic\nregression", ORANGE, 0.45)
    write(ax, 6.25, 0.5, "the only part\nthat is trained")
    arrows(ax, y, (1.04, 1.26), (3.34, 3.66), (4.48, 5.0), (5.3, 5.72), (6.77, 7.12))
    write(ax, 4.73, y + 0.34, "average")
    write(ax, 7.36, y, "0.7", 10.5, fontweight="bold")
    write(ax, 7.36, 0.5, "probability\nof melanoma")
    return ax.figure


def resampled_aucs(n=60, n_resamples=2000):
    """Invented scores of models A and B on n lesions: counts and both AUCs of each resample."""
    rng = np.random.default_rng(4)
    sick = np.arange(n) < n // 4
    a = rng.normal(size=n) + 1.3 * sick
    counts = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples)
    weight = counts[:, sick, None] * counts[:, None, ~sick]
    won = [scores[sick][:, None] > scores[~sick] for scores in (a, a - 0.25 * sick)]
    return counts, [(weight * w).sum((1, 2)) / weight.sum((1, 2)) for w in won]


@diagram
def bootstrap():
    """A test set of 60 dots is drawn again with replacement: some dots are missing, some larger.
    Each draw gives an AUC. A histogram of 2,000 AUCs has its middle 95 % marked: the interval."""
    ax = canvas(8, 3.6)
    counts, (auc, _) = resampled_aucs()
    place, sick = np.random.default_rng(2).permutation(60), np.arange(60) < 15

    def dots(x, y, count):
        xs, ys = x + 0.135 * (place % 12 - 5.5), y - 0.135 * (place // 12 - 2)
        for kind, color, mark, area in ((sick, RED, "D", 16), (~sick, BLUE, "o", 20)):
            drawn = kind & (count > 0)
            ax.scatter(xs[drawn], ys[drawn], area * count[drawn], color, marker=mark, linewidth=0)
        left = count == 0
        ax.scatter(xs[left], ys[left], 9, "white", edgecolor=LIGHT, linewidth=0.8)

    for x, text in ((1.05, "Test set"), (3.3, "Drawn with replacement"), (6.67, "2,000 AUCs")):
        head(ax, x, 3.35, text)
    dots(1.05, 1.9, np.ones(60, int))
    ax.scatter([0.38], [1.25], 16, RED, marker="D", linewidth=0)
    ax.scatter([0.38], [1.03], 20, BLUE, linewidth=0)
    write(ax, 0.5, 1.25, "melanoma", ha="left")
    write(ax, 0.5, 1.03, "everything else", ha="left")
    for i, y in enumerate((2.75, 1.9, 1.05)):
        dots(3.3, y, counts[i])
        inner = 1.9 + 0.2 * (1 - i)
        arrow(ax, (1.97, inner), (2.38, y))
        write(ax, 4.55, y, f"AUC {auc[i]:.2f}")
        arrow(ax, (4.98, y), (5.42, inner))
    write(ax, 3.3, 0.52, "… 2,000 times")
    write(ax, 3.3, 0.25, "ring: not drawn · large: drawn twice or more", color="#666666")
    low, high = np.quantile(auc, (0.025, 0.975))
    heights, edges = np.histogram(auc, low + (high - low) * np.arange(-5, 21) / 16)
    xs = 5.65 + 0.082 * np.arange(len(edges))
    for i, tall in enumerate(1.7 * heights / heights.max()):
        look = {"facecolor": tint(BLUE, 0.65), "edgecolor": "white"}
        if not 5 <= i < 21:
            look = {"facecolor": "#F2F2F2", "edgecolor": GREY, "hatch": "/////"}
        ax.add_artist(Rectangle((xs[i], 1.2), 0.082, tall, linewidth=0.8, **look))
    line(ax, (xs[0], 1.2), (xs[-1], 1.2))
    bracket(ax, (xs[5], 1.03), (xs[21], 1.03), dy=0.08, color=BLUE)
    for x, end in ((xs[5], low), (xs[21], high)):
        write(ax, x, 0.87, f"{end:.2f}", color=BLUE)
    write(ax, (xs[5] + xs[21]) / 2, 0.45, "95 % interval:\nthe middle 95 %", color=BLUE)
    return ax.figure


@diagram
def split_by_lesion():
    """Left, split by image: photos of lesions A, B and C lie in training and in test, marked as
    leaks. Right, split by lesion: all photos of a lesion lie on one side."""
    ax = canvas(8, 3.5)
    colors = {"A": BLUE, "B": ORANGE, "C": GREEN, "D": PINK}
    for left, title, rows in ((0, "image", "AAA DBB DCC"), (4, "lesion", "BBA CCA DDA")):
        head(ax, left + 2, 3.25, f"Split by {title}")
        for x, w, side in ((1.15, 1.6, "training"), (3.2, 0.9, "test")):
            box(ax, left + x, 1.65, w, 2.36, color=GREY, fill=0.06)
            write(ax, left + x, 0.26, side)
        for row, names in enumerate(rows.split()):
            y = 2.46 - 0.74 * row
            for x, name in zip((0.78, 1.52, 3.2), names, strict=True):
                lesion(ax, left + x, y, 0.5, ord(name), 70 * x + 50 * row, color=colors[name])
                write(ax, left + x, y - 0.35, name, fontweight="bold")
            if names[1] == names[2]:
                arrow(ax, (1.83, y), (2.89, y), RED, arrowstyle="<|-|>", linestyle="--")
                write(ax, 2.35, y + 0.13, "leak", color=RED, fontweight="bold")
    write(ax, 6.35, 1.72, "no leak", color="#00704F", fontweight="bold")
    return ax.figure


def block(ax, x, y, thick, side, color):
    """A stack of maps: as high and deep as the maps' side, as thick as they are many."""
    dx, dy = 0.3 * side, 0.16 * side
    low, high, left, right = y - side / 2, y + side / 2, x - thick / 2, x + thick / 2
    front = ((left, low), (right, low), (right, high), (left, high))
    top = ((left, high), (right, high), (right + dx, high + dy), (left + dx, high + dy))
    end = ((right, low), (right + dx, low + dy), (right + dx, high + dy), (right, high))
    for corners, share in ((front, 0.5), (top, 0.2), (end, 0.3)):
        look = {"facecolor": tint(color, share), "edgecolor": color, "linewidth": 1.1}
        ax.add_artist(Polygon(corners, joinstyle="round", **look))


@diagram
def mobilenet_strip():
    """MobileNetV2 as a strip, from left to right. The side of the maps falls in five steps from 96
    to 3 pixels, and the boxes become lower. The image has 3 channels, the maps 16, 8, 16, 32 and
    112, and the output 1,280, by far the thickest box."""
    ax, y = canvas(8, 3.3), 1.75
    stages = ((96, 3), (48, 16), (24, 8), (12, 16), (6, 32), (3, 112), (3, 1280))
    xs = (0.55, 1.8, 2.75, 3.6, 4.5, 5.5, 7.1)
    sizes = [(0.034 * channels**0.5, 1.8 * side / 96) for side, channels in stages]
    for i, (x, (thick, side)) in enumerate(zip(xs, sizes, strict=True)):
        block(ax, x, y, thick, side, BLUE if i else GREY)
        if i:
            before, reach = sizes[i - 1]
            start = xs[i - 1] + before / 2 + 0.3 * reach + 0.08
            arrows(ax, y, (start, x - thick / 2 - 0.06))
    for x, (side, channels) in zip(xs, stages, strict=True):
        px, many = (" px", " channels") if channels in (3, 1280) else ("", "")
        write(ax, x, 0.37, f"{side} x {side}{px}\n{channels:,}{many}")
    head(ax, 0.55, 3.1, "image")
    head(ax, 7.1, 3.1, "output")
    write(ax, 1.42, 2.25, "first\n3 x 3")
    bracket(ax, (2.2, 2.5), (5.72, 2.5), dy=-0.09)
    write(ax, 3.96, 2.68, "17 blocks: maps made from maps")
    write(ax, 6.07, 1.98, "1 x 1")
    return ax.figure


@diagram
def inverted_residual(channels=24, factor=6):
    """Bars are as tall as they have channels: a narrow input is expanded, filtered channel by
    channel and projected back to narrow; a shortcut adds the input."""
    ax = canvas(8, 3.7)
    xs, y, narrow, wide = (0.85, 2.85, 4.65, 6.65), 1.8, 2.04 / factor, 2.04
    talls = (narrow, wide, wide, narrow)
    names = ("expand\n1 × 1\nReLU6", "depthwise\n3 × 3\nReLU6", "project\n1 × 1\nlinear")
    for i, (x, tall) in enumerate(zip(xs, talls, strict=True)):
        box(ax, x, y, 0.2, tall, color=BLUE, fill=0.5)
        write(ax, x, 0.5, f"{channels * (factor if tall == wide else 1)}\nchannels")
        if i == 3:
            break
        left, right, color = x + 0.28, xs[i + 1] - 0.28, (ORANGE, GREEN, PINK)[i]
        a, b = tall / 2 - 0.06, talls[i + 1] / 2 - 0.06
        corners = ((left, y + a), (right, y + b), (right, y - b), (left, y - a))
        for edge, width in ((color, 9.3), (tint(color, 0.22), 6.7)):  # thick lines: round corners
            ax.add_artist(Polygon(corners, color=edge, linewidth=width, joinstyle="round"))
        write(ax, (left + right) / 2, y, names[i])
    line(ax, (0.85, 2.05), (0.85, 3.15), (7.2, 3.15), (7.2, 2.1), linestyle="--")
    arrow(ax, (7.2, 2.15), (7.2, 1.98))
    write(ax, 4.03, 3.32, "shortcut: adds the input, where input and output have the same shape")
    ax.add_artist(Circle((7.2, y), 0.15, facecolor="white", edgecolor=INK, linewidth=1.3))
    ax.plot([7.2], [y], "+", color=INK, markersize=11, markeredgewidth=1.3)
    arrows(ax, y, (0.3, 0.68), (6.8, 7.04), (7.37, 7.75))
    return ax.figure


@diagram
def frozen_and_trainable(stage):
    """MobileNetV2's base as a row of blocks, then pooling and the new head. Frozen blocks are grey
    and hatched, trainable ones are orange; brackets name them. BatchNorm layers stay frozen.

    ``stage`` is "head", "last 20 layers" or "all layers"."""
    trained = {"head": 0, "last 20 layers": 20, "all layers": LAYERS}[stage]
    ax, y, n = canvas(8, 2.5), 0.95, 15
    still = n - round(n * trained / LAYERS)
    slabs(ax, 1.2, y, 3, 1.1, n, still, ORANGE)
    split = 1.2 + 0.2 * still
    frozen = f"❄ frozen: {LAYERS - trained} layers"
    rest = f"last {trained}: trainable,\nexcept BatchNorm"
    if still == 0:
        rest = f"all {LAYERS} layers: trainable, except BatchNorm"
    parts = [(1.2, split, frozen), (split, 4.2, rest)]
    for left, right, text in (*parts, (5.55, 6.79, "head: trainable")):
        if right > left:
            bracket(ax, (left + 0.03, 1.67), (right - 0.03, 1.67), dy=-0.08)
            write(ax, (left + right) / 2, 1.83 + 0.08 * text.count("\n"), text)
    head(ax, 0.25, 2.3, f"Stage: {stage}", ha="left")
    lesion(ax, 0.55, y, 0.6)
    box(ax, 4.87, y, 0.7, 0.6, "average\npooling", GREY)
    box(ax, 5.86, y, 0.56, 0.6, "Dense\n128", ORANGE, 0.45)
    box(ax, 6.48, y, 0.56, 0.6, "Dense\n1", ORANGE, 0.45)
    write(ax, 7.11, y, "probability", ha="left")
    arrows(ax, y, (0.9, 1.16), (4.24, 4.48), (5.26, 5.54), (6.8, 7.04))
    return ax.figure


@diagram
def cached_features():
    """Above, plain training: in each of 10 epochs all 600 images pass through the frozen base and
    the head. Below, cached features: the images pass the base once, its 600 x 1,280 numbers are
    kept, and only the head runs in each epoch."""
    ax = canvas(8, 4.1)
    for y, name, cached in ((3.0, "Plain", False), (0.95, "Cached features", True)):
        head(ax, 0.3, y + 0.87, name, ha="left")
        for i in (2, 1, 0):
            lesion(ax, 0.72 + 0.07 * i, y - 0.07 + 0.07 * i, 0.5, i)
        write(ax, 0.79, y - 0.55, "600 images")
        slabs(ax, 1.75, y, 2.0, 0.9, 12, 12)
        write(ax, 2.75, y - 0.62, "❄ frozen base")
        box(ax, 6.25, y, 0.9, 0.6, "head", ORANGE, 0.45)
        write(ax, 7.2, y, "probability", ha="left")
        arrows(ax, y, (1.18, 1.68), (6.76, 7.12))
        start = 5.55 if cached else 0.3
        bracket(ax, (start, y + 0.55), (6.8, y + 0.55), dy=-0.09, color=ORANGE)
    write(ax, 3.55, 3.71, "in each of 10 epochs: 600 images through base and head", color=INK)
    arrows(ax, 3.0, (3.82, 5.74))
    write(ax, 2.75, 1.6, "once: 600 images")
    bracket(ax, (0.3, 1.45), (5.0, 1.45), dy=-0.09)
    arrows(ax, 0.95, (3.82, 4.1), (5.02, 5.74))
    for row, column in np.ndindex(5, 6):
        share = (0.1, 0.7, 0.3, 0.05, 0.5, 0.2, 0.8)[(3 * row + 2 * column) % 7]
        look = {"facecolor": tint(BLUE, share), "edgecolor": BLUE, "linewidth": 0.8}
        ax.add_artist(Rectangle((4.17 + 0.13 * column, 1.14 - 0.13 * row), 0.13, 0.13, **look))
    write(ax, 4.56, 0.33, "600 x 1,280\nnumbers in memory")
    write(ax, 6.2, 1.71, "in each epoch")
    return ax.figure


@diagram
def batchnorm(momentum=0.999):
    """A BatchNorm layer has two sources of mean and variance. In fit it takes those of the batch,
    and moves its moving averages a little towards them. In predict, and when it is frozen, it takes
    the moving averages."""
    ax = canvas(8, 3.7)
    fit, batch, averages, predict = 3.1, 2.3, 1.4, 0.6
    for y, name in ((fit, "fit"), (predict, "predict, or frozen")):
        head(ax, 0.3, y, name, ha="left")
        box(ax, 4.3, y, 2.2, 0.5, "(x - mean) / deviation", GREY)
        arrows(ax, y, (2.85, 3.15), (5.45, 5.85))
        write(ax, 5.95, y, "to the next layer", ha="left")
    for i in (3, 2, 1, 0):
        lesion(ax, 2.3 + 0.08 * i, fit - 0.07 + 0.05 * i, 0.44, i)
    write(ax, 2.4, fit - 0.47, "32 images")
    lesion(ax, 2.42, predict, 0.44)
    box(ax, 4.3, batch, 2.2, 0.44, "mean, variance of the batch", ORANGE, 0.35)
    box(ax, 4.3, averages, 2.2, 0.44, "moving averages", BLUE, 0.35)
    arrow(ax, (4.3, batch + 0.25), (4.3, fit - 0.28))
    arrow(ax, (4.3, averages - 0.25), (4.3, predict + 0.28))
    arrow(ax, (4.3, batch - 0.25), (4.3, averages + 0.25), BLUE)
    step = f"each step moves them\n1/{round(1 / (1 - momentum)):,} of the way"
    write(ax, 4.45, (batch + averages) / 2, step, ha="left", color=BLUE)
    return ax.figure


@diagram
def confusion_matrix():
    """Rows are the truth, columns what the model says: left alone and false alarm above, missed and
    found melanoma below. Specificity reads the upper row, sensitivity the lower row, precision the
    right column."""
    ax = canvas(7.4, 4.2)
    names = ("left alone", "false alarm", "missed melanoma", "found melanoma")
    terms = ("true negative", "false positive", "false negative", "true positive")
    for i, name in enumerate(names):
        x, y = 2.75 + 1.9 * (i % 2), 2.8 - 1.2 * (i // 2)
        box(ax, x, y, 1.8, 1.1, color=(SKY, ORANGE, RED, GREEN)[i], fill=0.25)
        write(ax, x, y + 0.3, "✓✗✗✓"[i], 13)
        write(ax, x, y, name, 10, fontweight="bold")
        write(ax, x, y - 0.28, terms[i])
    head(ax, 3.7, 3.95, "The model says")
    head(ax, 0.95, 3.58, "Truth")
    for x, y, text in ((2.75, 3.58, "everything else"), (0.95, 2.8, "everything\nelse")):
        write(ax, x, y, text, 10)
    for x, y in ((4.65, 3.58), (0.95, 1.6)):
        write(ax, x, y, "melanoma", 10)
    for y, rate, part in ((2.8, "Specificity", "left alone"), (1.6, "Sensitivity", "found")):
        bracket(ax, (5.78, y - 0.5), (5.78, y + 0.5), dx=-0.09)
        write(ax, 5.95, y + 0.27, rate, 10, ha="left", fontweight="bold")
        write(ax, 5.95, y - 0.08, f"{part} ÷\nall of this row", ha="left")
    bracket(ax, (3.8, 0.85), (5.5, 0.85), dy=0.09)
    write(ax, 4.65, 0.65, "Precision", 10, fontweight="bold")
    write(ax, 4.65, 0.38, "found ÷ all of this column")
    return ax.figure


@diagram
def prevalence(shares=(0.24, 0.06), sensitivity=0.9, specificity=0.8, lesions=1000):
    """Two grids of 1,000 lesions, judged by the same model. At 24 % prevalence 216 of 368 alarms
    are true, at 6 % only 54 of 242."""
    ax = canvas(8, 4.1)
    names = ("found melanoma", "false alarm", "missed melanoma", "left alone")
    kinds = ((17, RED, "D"), (20, ORANGE, "o"), (14, INK, "x"), (5, LIGHT, "o"))
    for left, share in zip((0.35, 4.25), shares, strict=True):
        sick = round(lesions * share)
        found, false = round(sick * sensitivity), round((lesions - sick) * (1 - specificity))
        ends = np.cumsum((found, false, sick - found))
        parts = zip(np.split(np.arange(lesions), ends), kinds, strict=True)
        for place, (area, color, mark) in parts:
            x, y = left + 0.05 + 0.087 * (place // 25), 3.45 - 0.087 * (place % 25)
            ax.scatter(x, y, area, color, marker=mark, linewidth=1.2 * (mark == "x"))
        head(ax, left, 3.8, f"Prevalence {100 * share:.0f} %: {sick} of {lesions:,}", ha="left")
        precision = f"{100 * found / (found + false):.0f} %"
        text = f"{found} of {found + false} alarms are true: {precision}"
        head(ax, left, 0.98, text, ha="left")
    for x, name, (area, color, mark) in zip((0.9, 2.9, 4.5, 6.4), names, kinds, strict=True):
        ax.scatter([x], [0.55], 1.6 * area, color, marker=mark, linewidth=1.2 * (mark == "x"))
        write(ax, x + 0.14, 0.55, name, ha="left")
    rates = f"the same model: sensitivity {sensitivity:.2g}, specificity {specificity:.2g}"
    write(ax, 4, 0.22, rates, color="#666666")
    return ax.figure


@diagram
def ladder():
    """A ladder of five steps. Each changes one thing more than the step below, and a bracket
    compares the two."""
    ax = canvas(8, 4.6)
    steps = ("head alone", "last 20 layers", "all layers", "augmentation", "all images")
    for x, text in (
        (1.6, "Step"),
        (4.0, "Changes so far"),
        (6.4, "Compared with the step below"),
    ):
        head(ax, x, 4.35, text)
    for x in (0.42, 2.78):
        line(ax, (x, 0.5), (x, 4.1), color=LIGHT, linewidth=5, zorder=0)
    for i, (name, color) in enumerate(zip(steps, (GREY, BLUE, GREEN, PINK, ORANGE), strict=True)):
        y = 0.85 + 0.72 * i
        box(ax, 1.6, y, 2.6, 0.36, f"+ {name}" if i else name, color)
        for k in range(1, 5):
            if k <= i:
                old = {"color": GREY} if k < i else {"color": color, "text": "+"}
                box(ax, 3.0 + 0.4 * k, y, 0.28, 0.28, **old)
            else:
                ax.plot([3.0 + 0.4 * k], [y], ".", color=LIGHT, markersize=4)
        if i:
            bracket(ax, (5.4, y - 0.66), (5.4, y - 0.06), dx=-0.09, color=color)
            write(ax, 5.55, y - 0.36, f"gain of {name}", ha="left")
    write(ax, 4, 0.2, "gain: the paired difference on the same test images, with its 95 % interval")
    return ax.figure


@diagram
def grad_cam():
    """Grad-CAM. The network makes maps of an image. Each map gets a weight from the gradient of the
    logit. The weighted sum, without its negative parts, is the heat map."""
    ax = canvas(8, 3.3)
    lesion(ax, 0.75, 1.75, 0.9)
    write(ax, 0.75, 1.08, "image")
    slabs(ax, 1.6, 1.75, 1.1, 1.3, 5)
    write(ax, 2.15, 0.85, "network")
    arrows(ax, 1.75, (1.25, 1.55), (2.8, 3.1), (6.35, 6.8))
    chosen = (
        (2.65, ((1, 1),), GREEN, "+ 2.0"),
        (1.75, ((1, 1), (1, 2)), GREEN, "+ 0.5"),
        (0.85, ((2, 0), (0, 0)), RED, "- 1.0"),
    )
    head(ax, 3.55, 3.13, "maps")
    head(ax, 4.75, 3.13, "weights")
    for y, marks, color, weight in chosen:
        grid(ax, 3.55, y, 0.72, 3, marks)
        write(ax, 4.15, y, "x", 11)
        box(ax, 4.75, y, 0.8, 0.36, weight, color)
        line(ax, (5.2, y), (5.45, 1.75), color=LIGHT)
    box(ax, 5.9, 1.75, 0.8, 0.5, "sum,\nReLU")
    lesion(ax, 7.3, 1.75, 0.9)
    ax.add_artist(Circle((7.3, 1.75), 0.26, color=RED, alpha=0.55, linewidth=0))
    write(ax, 7.3, 1.08, "heat map")
    write(ax, 4.75, 0.25, "a weight: the mean gradient of the logit with respect to its map")
    return ax.figure


@diagram
def diagnoses():
    """Seven diagnoses and two questions. The first asks for melanoma alone. The second asks for
    melanoma, basal-cell carcinoma and actinic keratosis: what is cancer or its precursor."""
    ax = canvas(8, 3.2)
    names = {
        "mel": ("melanoma", RED),
        "bcc": ("basal-cell\ncarcinoma", ORANGE),
        "akiec": ("actinic\nkeratosis", ORANGE),
        "nv": ("mole", BLUE),
        "bkl": ("benign\nkeratosis", BLUE),
        "df": ("dermato-\nfibroma", BLUE),
        "vasc": ("blood\nvessels", BLUE),
    }
    for i, (dx, (name, color)) in enumerate(names.items()):
        x = 0.75 + 1.08 * i
        box(ax, x, 1.6, 0.98, 0.95, color=color)
        head(ax, x, 1.88, dx)
        write(ax, x, 1.46, name)
    bracket(ax, (0.28, 2.3), (1.22, 2.3), dy=-0.09, color=RED)
    bracket(ax, (1.36, 2.3), (7.7, 2.3), dy=-0.09)
    head(ax, 0.75, 2.95, "Question 1")
    write(ax, 0.75, 2.5, "melanoma?")
    write(ax, 4.5, 2.5, 'everything else, called "benign" so far')
    bracket(ax, (0.28, 0.9), (3.38, 0.9), dy=0.09, color=ORANGE)
    bracket(ax, (3.52, 0.9), (7.7, 0.9), dy=0.09, color=BLUE)
    head(ax, 0.75, 0.25, "Question 2")
    write(ax, 1.83, 0.68, "cancer or precursor?")
    write(ax, 5.6, 0.68, "harmless")
    return ax.figure


@diagram
def line_and_ellipse():
    """Left, a classifier's line between two clouds of training images: two stars far from both
    lie on a side of it all the same. Right, an ellipse around all training images: both stars lie
    outside."""
    ax, rng = canvas(8, 3.1), np.random.default_rng(4)
    along, aside = np.array([0.8, 0.6]), np.array([-0.6, 0.8])
    spread = 0.42 * rng.normal(size=(2, 26, 1)) * along + 0.13 * rng.normal(size=(2, 26, 1)) * aside
    for x, heading in (
        (2, "A classifier asks: which side?"),
        (6, "A detector asks: how far away?"),
    ):
        middle = np.array((x, 1.45))
        head(ax, x, 2.85, heading)
        for i, (color, mark) in enumerate(((BLUE, "o"), (RED, "s"))):
            own = middle + (0.3 - 0.6 * i) * aside + spread[i]
            ax.plot(*own.T, mark, color=color, markersize=3.5, markeredgewidth=0)
        for star in ((-1.25, -0.2), (1.5, -0.75)):
            ax.plot(*(middle + star), "*", color=INK, markersize=13)
    line(ax, (0.55, 0.36), (3.45, 2.54), color=INK, linestyle="--")
    write(ax, 0.62, 2.3, "not melanoma", ha="left", color=BLUE)
    write(ax, 3.5, 0.25, "melanoma", color=RED)
    angle = np.linspace(0, 2 * np.pi, 90)
    outline = np.array((6, 1.45)) + np.outer(1.3 * np.cos(angle), along)
    outline += np.outer(0.68 * np.sin(angle), aside)
    ax.plot(*outline.T, color=GREEN, linewidth=2)
    write(ax, 7.8, 0.25, "outside: refused", ha="right")
    write(ax, 0.75, 0.95, "no lesion")
    return ax.figure


@diagram
def confounder():
    """Follow-up moles are more frequent among very light images, and they are easy for the model.
    So a difference in AUC appears between very light and bluish images, whether or not the skin's
    colour has a part in it."""
    ax = canvas(8, 2.6)
    box(ax, 4, 2.1, 2.3, 0.62, "follow-up moles:\na confounder", ORANGE)
    box(ax, 1.3, 0.65, 2.2, 0.62, "colour at the border:\nvery light or bluish", BLUE)
    box(ax, 6.7, 0.65, 2.2, 0.62, "how well the model\nranks: the AUC", RED)
    arrow(ax, (2.85, 1.85), (1.6, 1.02))
    arrow(ax, (5.15, 1.85), (6.4, 1.02))
    write(ax, 1.55, 1.6, "half of the very light,\nfew of the bluish")
    write(ax, 6.45, 1.6, "easy for\nthe model")
    arrow(ax, (2.45, 0.65), (5.55, 0.65), GREY, linestyle="--")
    write(ax, 4, 0.85, "does the colour itself matter?")
    return ax.figure


@diagram
def service():
    """An image passes three gates before the model: the size, the decoder and the detector. The
    first two may send it back with status 422 and a sentence; the detector may refuse it."""
    ax, y = canvas(8, 2.5), 1.75
    lesion(ax, 0.6, y, 0.6)
    gates = (
        ("size", "422", "over 10 MB, or\ntoo many pixels"),
        ("decoder", "422", "not an image,\nor cut off"),
        ("detector", "200", "refused:\nno lesion"),
    )
    for i, (name, status, text) in enumerate(gates):
        x = 2.1 + 1.7 * i
        box(ax, x, y, 0.95, 0.62, name, GREY)
        arrow(ax, (x, y - 0.36), (x, y - 0.72))
        write(ax, x, y - 0.9, status, 10, fontweight="bold", color=RED if i < 2 else INK)
        write(ax, x, y - 1.27, text, color="#666666")
        arrow(ax, (x - 1.15, y), (x - 0.52, y))
    box(ax, 7.2, y, 1.1, 0.62, "model", BLUE)
    arrow(ax, (6.05, y), (6.6, y))
    arrow(ax, (7.2, y - 0.36), (7.2, y - 0.72))
    write(ax, 7.2, y - 0.9, "200", 10, fontweight="bold")
    write(ax, 7.2, y - 1.27, "decision and\nits limits", color="#666666")
    head(ax, 0.6, 2.3, "image")
    return ax.figure


@diagram
def own_project():
    """From a folder of images and a table, through three sets that share no group, to a card.
    Training images make the network and the colour baseline, validation images choose, and the
    test images are scored once. Their numbers go to the card."""
    ax = canvas(8, 2.7)
    for shift in (0.14, 0.07, 0):
        lesion(ax, 0.62 + shift, 2.0 + shift, 0.7)
    write(ax, 0.7, 1.42, "folder of images")
    box(ax, 0.7, 0.8, 1.05, 0.72, "file, label,\ngroup", color=GREY, fill=0.08)
    write(ax, 0.7, 0.27, "table (CSV)")
    uses = (
        (2.25, BLUE, "training set", "network, colour baseline"),
        (1.35, ORANGE, "validation set", "comparisons, threshold"),
        (0.45, GREEN, "test set", "one score each, once"),
    )
    for y, color, name, use in uses:
        arrow(ax, (1.35, 1.35), (1.75, 1.35 + 0.8 * (y - 1.35)))
        box(ax, 2.45, y, 1.3, 0.56, name, color=color)
        arrow(ax, (3.15, y), (3.5, y))
        box(ax, 4.5, y, 1.9, 0.56, use, color=color, fill=0.06)
    for y in (1.95, 1.05):
        arrow(ax, (4.5, y), (4.5, y - 0.29))
    arrow(ax, (5.5, 0.45), (6.18, 0.85))
    box(ax, 7.0, 1.35, 1.5, 1.5, color=INK, fill=0.04)
    head(ax, 7.0, 1.85, "card")
    write(ax, 7.0, 1.25, "question\nnumbers\nlimits")
    return ax.figure
