"""Figures. Each function draws what it is given and computes nothing.

Colours: Okabe & Ito's palette and shades of blue: colour-blind readers can tell them apart. A
figure drawn from synthetic lesions says so in its title."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay, PrecisionRecallDisplay, RocCurveDisplay

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
DISCLAIMER = "For education only: not a medical device, not a diagnosis."


def title(text, source):
    """The title, with SYNTHETIC before it where no real lesion was involved."""
    return f"SYNTHETIC lesions: {text}" if source == "synthetic" else text


def training_curves(histories, source):
    """Loss and AUC by epoch, training and validation, over all stages of a training.

    Parameters
    ----------
    histories : list of dict
        Keras's ``history.history`` of each stage, with ``loss``, ``auc`` and their ``val_``; what
        was not measured is not drawn.
    source : str
        ``lesions.source``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    lengths = [len(history.get("loss", [])) for history in histories]
    for ax, key, label in zip(axes, ("loss", "auc"), ("cross-entropy", "ROC AUC"), strict=True):
        for prefix, name, color, line in (
            ("", "training", PALETTE[0], "-"),
            ("val_", "validation", PALETTE[1], "--"),
        ):
            values = [v for history in histories for v in history.get(prefix + key, [])]
            if values:
                ax.plot(range(1, len(values) + 1), values, line, color=color, label=name)
        for end in np.cumsum(lengths[:-1]):
            ax.axvline(end + 0.5, color="black", linewidth=0.8, linestyle=":")
        ax.set(xlabel="epoch (dotted line: next stage begins)", ylabel=label)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend()
    figure.suptitle(title("training", source))
    return figure


def confusion(evaluation, source):
    """The confusion matrix of an ``evaluation.Evaluation``: counts, and shares of each row."""
    figure, ax = plt.subplots(figsize=(4.4, 3.6), layout="constrained")
    counts = evaluation.confusion
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    display = ConfusionMatrixDisplay(shares, display_labels=["benign", "melanoma"])
    display.plot(ax=ax, cmap="Blues", colorbar=False, im_kw={"vmin": 0, "vmax": 1})
    for text, count, share in zip(
        display.text_.ravel(), counts.ravel(), shares.ravel(), strict=True
    ):
        text.set(text=f"{count}\n{share:.0%} of the row", fontsize=11)
    heading = f"{evaluation.name}, threshold {evaluation.threshold:.2f}"
    ax.set(title=title(heading, source), xlabel="model says", ylabel="truth")
    return figure


def roc_and_precision_recall(y, probabilities, source):
    """ROC and precision-recall curves of several models on one test set.

    Parameters
    ----------
    y : array of 0/1, shape (n,)
    probabilities : dict of str to array of float, shape (n,)
        By model name.
    source : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    for ax, display in zip(axes, (RocCurveDisplay, PrecisionRecallDisplay), strict=True):
        ax.set_prop_cycle(color=PALETTE, linestyle=["-", "--", "-.", ":", "-", "--"])
        for name, probability in probabilities.items():
            display.from_predictions(y, probability, name=name, ax=ax)
    axes[0].set(xlabel="1 - specificity", ylabel="sensitivity")
    axes[1].set(xlabel="sensitivity (recall)", ylabel="precision")
    figure.suptitle(title("test set", source))
    return figure


def sample_predictions(images, y, probability, threshold, source):
    """Images with the model's prediction and the truth above; wrong predictions are marked.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w, 3)
        At most 10 are drawn.
    y : array of 0/1, shape (n,)
    probability : array of float, shape (n,)
    threshold : float
    source : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    n = min(len(images), 10)
    rows = (n + 4) // 5
    figure, axes = plt.subplots(rows, 5, figsize=(8, 2.2 * rows), layout="constrained")
    for ax in axes.ravel():
        ax.axis("off")
    kinds = ("benign", "melanoma")
    for ax, image, truth, p in zip(axes.ravel(), images[:n], y, probability, strict=False):
        right = (p >= threshold) == bool(truth)
        ax.imshow(image)
        ax.set_title(
            f"says {kinds[int(p >= threshold)]} ({p:.2f})\nis {kinds[int(truth)]}"
            f"{'' if right else ' - WRONG'}",
            fontsize=9,
            color="black" if right else PALETTE[5],
        )
    figure.suptitle(title("sample predictions. ", source) + DISCLAIMER, fontsize=10)
    return figure


def predictions(table):
    """The learner's guesses against the outcomes, a line for each question.

    Parameters
    ----------
    table : DataFrame
        From ``ledger.table()``; a question without a guess shows only its outcome.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, ax = plt.subplots(figsize=(8, 1.2 + 0.4 * len(table)), layout="constrained")
    rows = range(len(table))
    ax.hlines(rows, table["low"], table["high"], color=PALETTE[0], linewidth=3, alpha=0.5)
    ax.plot(table["value"], rows, "o", color=PALETTE[0], label="outcome, with its interval")
    ax.plot(table["guess"], rows, "D", color=PALETTE[1], markeredgecolor="k", label="your guess")
    ax.set(yticks=rows, yticklabels=table.index, xlim=(0, 1), ylim=(len(table) - 0.5, -0.5))
    ax.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def ladder(rungs, lines, source):
    """Mean AUC of recipes, each one change above the one below.

    Parameters
    ----------
    rungs : dict of str to utils.evaluation.Estimate
        The test AUC of each, from the lowest rung to the highest.
    lines : dict of str to float
        AUC of the baselines, as vertical lines.
    source : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, ax = plt.subplots(figsize=(8, 1.4 + 0.4 * len(rungs)), layout="constrained")
    for y, e in enumerate(rungs.values()):
        ax.plot([e.low, e.high], [y, y], color=PALETTE[0], linewidth=6, alpha=0.3)
        ax.plot(e.seeds, [y] * len(e.seeds), "|", color="black", markersize=9)
        ax.plot(e.value, y, "o", color=PALETTE[0])
        ax.annotate(f"{e.value:.3f}", (e.high, y), (5, -3), textcoords="offset points")
    for (name, value), style in zip(lines.items(), ("--", ":"), strict=False):
        ax.axvline(value, color=PALETTE[5], linestyle=style, label=f"{name}, {value:.3f}")
    ax.set(yticks=range(len(rungs)), yticklabels=rungs, xlabel="ROC AUC, test set")
    ax.set_xlim(0.48, 1.0)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    figure.suptitle(title("one change a rung, 95 % intervals by lesion", source), fontsize=10)
    return figure
