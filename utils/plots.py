"""Figures, and the course's style. Each function draws what it is given and computes nothing.

Importing this sets ``STYLE`` for all figures, its own and a lesson's: Okabe & Ito's palette, which
colour-blind readers can tell apart, no text below 9 points, a thin grid. Where an image is
shown, ``ax.axis("off")`` takes the grid away. A figure drawn from synthetic lesions says so in its
title."""

import matplotlib.pyplot as plt
import numpy as np

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
OTHER, MELANOMA = PALETTE[0], PALETTE[5]  # the two kinds of lesions, in every figure
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#777777",
    "axes.grid": True,
    "axes.labelsize": 10,
    "axes.prop_cycle": plt.cycler(color=PALETTE),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "figure.constrained_layout.use": True,
    "figure.figsize": [7, 3.2],
    "figure.titlesize": 11,
    "font.size": 10,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.fontsize": 9,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}
plt.style.use(STYLE)
DISCLAIMER = "For education only: not a medical device, not a diagnosis."


def title(text, source):
    """The title, with SYNTHETIC before it where no real lesion was involved."""
    return f"SYNTHETIC lesions: {text}" if source == "synthetic" else text


def gallery(images, titles, heading, columns=5):
    """Images in rows, each with a title of its own above it.

    Parameters
    ----------
    images : sequence of ndarray, shape (h, w, 3), or of PIL.Image.Image
    titles : list of str
        One each; of several lines where there is much to say.
    heading : str
        Of the figure.
    columns : int

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = -(-len(images) // columns)
    height = rows * (8 / columns + 0.2 * (1 + titles[0].count("\n"))) + 0.3
    figure, axes = plt.subplots(rows, columns, figsize=(8, height), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, image, text in zip(axes.flat, images, titles, strict=False):
        ax.imshow(image)
        ax.set_title(text, fontsize=9)
    figure.suptitle(heading)
    return figure


def intervals(found, labels, heading, xlabel, line):
    """Estimates with their intervals, in rows.

    Parameters
    ----------
    found : dict of str to list of utils.evaluation.Estimate
        For the legend; one a row each, from the top.
    labels : list of str
        Of the rows.
    heading, xlabel : str
    line : float
        Where a dashed line stands: zero of a difference, or the AUC of guessing.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, ax = plt.subplots(figsize=(8, 1.3 + 0.38 * len(labels)))
    rows = np.arange(len(labels))[::-1]
    for i, (name, ones) in enumerate(found.items()):
        value, low, high = np.array([(one.value, one.low, one.high) for one in ones]).T
        at = rows + 0.24 * ((len(found) - 1) / 2 - i)
        color = (PALETTE[2], "gray", PALETTE[3])[i]
        ax.errorbar(value, at, xerr=[value - low, high - value], fmt="o", color=color, label=name)
    ax.set_yticks(rows, labels)
    ax.axvline(line, color="black", linestyle="--", linewidth=1)
    ax.set(xlabel=xlabel)
    figure.legend(loc="outside lower left", ncols=len(found))
    figure.suptitle(heading)
    return figure


def overlays(images, maps, titles, heading):
    """Images, and below them a row for each kind of maps: the same images under these maps.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w, 3)
    maps : dict of str to ndarray of float, shape (n, h, w)
        By the name of the row. A row has one scale, from 0 to its largest value.
    titles : list of str
        One above each image.
    heading : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    n = len(images)
    size = {"figsize": (min(8, 0.6 + 1.25 * n), 0.5 + 1.25 * (1 + len(maps))), "squeeze": False}
    figure, axes = plt.subplots(1 + len(maps), n, **size)
    for ax, title_of_image in zip(axes[0], titles, strict=True):
        ax.set_title(title_of_image, fontsize=10)
    for row, name in zip(axes, ("image", *maps), strict=True):
        row[0].set_ylabel(name)
        for i, ax in enumerate(row):
            ax.imshow(images[i])
            if name in maps:
                top = maps[name].max()
                ax.imshow(maps[name][i], cmap="inferno", vmin=0, vmax=top, alpha=0.6)
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
            ax.spines[:].set_visible(False)
    figure.suptitle(heading)
    return figure


def unit_values(units, heading, source):
    """Histograms of the values of a layer's units, one panel for each state of the network.

    Parameters
    ----------
    units : dict of str to array of float
        Values of any shape by the name of the state.
    heading : str
        What is seen.
    source : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    size = {"figsize": (8, 2.8), "sharey": True, "layout": "constrained"}
    figure, axes = plt.subplots(1, len(units), squeeze=False, **size)
    for ax, (name, values) in zip(axes[0], units.items(), strict=True):
        values = np.ravel(values)
        shares = np.full(len(values), 1 / len(values))
        ax.hist(values, bins=24, weights=shares, color=PALETTE[0])
        ax.set(title=name, xlabel="value of a unit")
    axes[0, 0].set(ylabel="share (log scale)", yscale="log", ylim=(1e-4, 2))
    figure.suptitle(title(heading, source))
    return figure


def predictions(table):
    """The learner's guesses against the outcomes, an axis of its own for each question.

    Parameters
    ----------
    table : DataFrame
        From ``ledger.table()``; a question without a guess shows only its outcome.

    Returns
    -------
    matplotlib.figure.Figure
    """
    size = (8, 0.6 + 0.6 * len(table))
    figure, axes = plt.subplots(len(table), figsize=size, layout="constrained", squeeze=False)
    for ax, (what, row) in zip(axes[:, 0], table.iterrows(), strict=True):
        ax.hlines(0, row["low"], row["high"], color=PALETTE[0], linewidth=3, alpha=0.5)
        (came,) = ax.plot(row["value"], 0, "o", color=PALETTE[0])
        (said,) = ax.plot(row["guess"], 0, "D", color=PALETTE[1], markeredgecolor="k")
        ends = row.min(), row.max()
        if ends[0] >= 0 and ends[1] <= 1:
            ax.set_xlim(-0.02, 1.02)  # shares keep one scale
        else:
            ax.margins(x=0.1)
        ax.set(yticks=[0], yticklabels=[what])
        ax.grid(axis="y", visible=False)
    names = ["outcome, with its interval", "your guess"]
    figure.legend([came, said], names, loc="outside lower center", ncols=2)
    return figure


def auc_by_melanomas(melanomas, images, aucs, heading):
    """The AUC of trainings with different images, by the number of melanoma lesions among them.

    Parameters
    ----------
    melanomas, images : list of int
        Of each training set, in the order of the melanomas.
    aucs : list of utils.evaluation.Estimate
    heading : str
        What is seen.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, ax = plt.subplots(figsize=(8, 3.4))
    for i, (n, n_images, auc) in enumerate(zip(melanomas, images, aucs, strict=True)):
        ax.plot([n, n], [auc.low, auc.high], color=PALETTE[0], linewidth=5, alpha=0.4)
        ax.plot(n, auc.value, "o", color=PALETTE[0])
        text = f"{n_images:,} images,\n{n:.0f} melanoma lesions:\nAUC {auc.value:.3f}"
        side = {"ha": "right"} if i % 2 else {}
        ax.annotate(text, (n / 1.06 if side else 1.06 * n, auc.value), va="center", **side)
    ticks = [20, 50, 100, 200, 500, 1000]
    ax.set_xscale("log")
    ax.set_xticks(ticks, labels=map(str, ticks), minor=False)
    ax.set_xticks([], minor=True)
    ax.set(xlabel="melanoma lesions in training (log scale)", ylabel="AUC on the test set")
    ax.set_xlim(0.8 * min(melanomas), 1.3 * max(melanomas))
    ax.set_title(heading)
    return figure


def ladder(aucs, gains):
    """The paired gain of each step on the step before, from the lowest upwards.

    Parameters
    ----------
    aucs : dict of str to utils.evaluation.Estimate
        By step; may hold more than the steps.
    gains : dict of str to utils.evaluation.Estimate
        By step; blue where the interval does not hold zero.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, ax = plt.subplots(figsize=(8, 1.2 + 0.36 * len(gains)), layout="constrained")
    for row, (name, gain) in enumerate(gains.items()):
        color = PALETTE[0] if gain.low > 0 or gain.high < 0 else "#777777"
        ax.plot([gain.low, gain.high], [row, row], color=color, linewidth=5, alpha=0.4)
        ax.plot(gain.value, row, "o", color=color)
        ax.annotate(
            f"AUC {aucs[name].value:.3f}",
            (1.01, row),
            xycoords=ax.get_yaxis_transform(),
            va="center",
        )
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set(yticks=range(len(gains)), yticklabels=gains)
    ax.set_xlabel("gain in AUC on the step before, with its 95 % interval")
    ax.grid(axis="y", visible=False)
    return figure


def width_and_resolution(grid, colours):
    """Mean AUC of networks by their work, with intervals: a line for each width.

    Parameters
    ----------
    grid : DataFrame
        Columns ``width``, ``input`` (pixels a side), ``MACs``, ``auc``, ``low``, ``high``.
    colours : float
        AUC of the colour baseline, as a dotted line.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, ax = plt.subplots(figsize=(7.5, 3.6))
    looks = (("o-", "high", 5), ("s--", "low", -13))  # the inputs stand above or below the bars
    for (width, of_width), (form, end, dy) in zip(grid.groupby("width"), looks, strict=True):
        work, auc = of_width["MACs"] / 1e6, of_width["auc"]
        bars = [auc - of_width["low"], of_width["high"] - auc]
        ax.errorbar(work, auc, bars, fmt=form, capsize=3, label=f"width {width}")
        for x, y, size in zip(work, of_width[end], of_width["input"], strict=True):
            look = {"textcoords": "offset points", "ha": "center", "fontsize": 9}
            ax.annotate(f"{size} px", (x, y), (0, dy), **look)
    ax.axhline(colours, color="black", linestyle=":", label="colour baseline")
    ax.set(xscale="log", xlabel="million multiply-adds", ylabel="AUC, 95 % interval")
    ax.margins(y=0.12)
    ax.set_xticks([1, 10, 100], ["1", "10", "100"])
    ax.set_title("Width 0.35 stays level, width 1.0 falls at small inputs")
    ax.legend(loc="lower right")
    return figure
