"""Draws the picture at the top of the README: samples with the truth and the model's answer."""

import matplotlib.pyplot as plt

from utils import data, lite, plots, settings

PICTURE = settings.ROOT / "models" / "answers.png"
SAID = {"melanoma": "melanoma", "benign": "not melanoma", "refused": "no answer"}
EACH = 5  # melanomas, and as many others


def draw():
    """Ask the shipped model about samples that a seed drew, right or wrong, and keep the figure."""
    samples = data.load_set("samples", 256)
    drawn = samples.table.groupby("label").sample(EACH, random_state=0)
    drawn = drawn.sample(frac=1, random_state=0)  # in an order that gives no answer away
    ask, titles, outcomes = lite.Shipped(), [], []
    for row in drawn.index:
        truth = "melanoma" if samples.melanoma[row] else "benign"
        said = ask(samples.images[row]).decision
        outcomes.append({truth: "right", "refused": "refused"}.get(said, "wrong"))
        mark = " ✗" * (outcomes[-1] == "wrong")
        titles.append(f"{SAID[truth]}\nmodel: {SAID[said]}{mark}")
    figure = plots.gallery(
        samples.images[drawn.index],
        titles,
        "The truth, and the model's answer, on images of other clinics: "
        + ", ".join(f"{outcomes.count(one)} {one}" for one in ("right", "wrong", "refused")),
    )
    for ax, outcome in zip(figure.axes, outcomes, strict=True):
        ax.title.set_color(plots.MELANOMA if outcome == "wrong" else "black")
    settings.write_atomically(PICTURE, lambda path: figure.savefig(path, dpi=110, format="png"))
    plt.close(figure)


if __name__ == "__main__":
    draw()
