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
    ask, titles, marks = lite.Shipped(), [], []
    for row in drawn.index:
        said = SAID[ask(samples.images[row]).decision]
        truth = SAID["melanoma" if samples.melanoma[row] else "benign"]
        marks.append({truth: "", "no answer": ""}.get(said, " ✗"))
        titles.append(f"{truth}\nmodel: {said}{marks[-1]}")
    wrong, refused = marks.count(" ✗"), sum("no answer" in title for title in titles)
    figure = plots.gallery(
        samples.images[drawn.index],
        titles,
        "The truth, and the model's answer, on images of other clinics: "
        f"{len(titles) - wrong - refused} right, {wrong} wrong, {refused} refused",
    )
    for ax, mark in zip(figure.axes, marks, strict=True):
        ax.title.set_color(plots.MELANOMA if mark else "black")
    settings.write_atomically(PICTURE, lambda path: figure.savefig(path, dpi=110, format="png"))
    plt.close(figure)


if __name__ == "__main__":
    draw()
