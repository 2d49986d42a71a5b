# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/{{ repository }}/blob/{{ branch }}/{{ notebook }})
#
# # {{ number }} · Your project: what can you find out about a question of your own?
#
# You have images and a question of your own: another disease, leaves, cracks in a wall. Do your images hold
# an answer, and how far can you trust it? Here we ask a new question of HAM10000. Then you set a path, and
# the same cells ask yours.

# %% [markdown]
# **You will**
#
# - turn a folder and a table into three sets that share no group;
# - find out whether a network is better than two baselines;
# - write a card that says what your model cannot do.
#
# **New words**: basal-cell carcinoma, group, majority class, colour baseline, model card
#
# **You need** lessons {{ number_of("splitting") }} and {{ number_of("evaluation") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from utils import baselines, data, diagrams, evaluation, exercises
from utils import images, ledger, plots, pretrained, settings, splits
from utils.data import own
from utils.quiet import keras
from keras import layers
from keras.applications import MobileNetV2

# %% tags=["parameters"]
SOURCE = "auto"
FOLDER = ""  # the folder of your images; empty: HAM10000
CSV = "labels.csv"  # your table, in that folder
FILE = "file"  # its columns: the file of each image,
LABEL = "label"  # what it shows,
GROUP = "group"  # and whose it is
POSITIVE = "bcc"  # the label that you ask for
LIMITS = ""  # what your numbers do not say, in your words
SIZE = 28  # pixels a side; 96 for images of your own
COST_OF_MISS = 10  # false alarms that one miss is worth
EPOCHS = 20
SEED = 0

# %% [markdown]
# **Do you remember?**
#
# <details><summary>Lesson {{ number_of("deployment") }}: why does a service look at the size of an image
# before it decodes it?</summary>
# A small file can hold so many pixels that decoding fills the memory.</details>
#
# <details><summary>Lesson {{ number_of("groups") }}: two groups get different scores. What do you ask
# next?</summary>
# What else differs between them. And how many lesions each has.</details>

# %% [markdown]
# ## Three sets that share no group
#
# A **basal-cell carcinoma** (`bcc`) is the most common skin cancer; it grows slowly. Our question: `bcc`
# against everything else. ("Everything else" is not harmless: it holds melanomas.)

# %%
_ = diagrams.own_project()

# %% [markdown]
# The table needs three columns: the file, the label, and the **group**, which names what must stay together
# in one set. That is the patient, if you know the patient; else the lesion, or the tree. The next cell brings
# HAM10000 into that form, or takes your folder. Into HAM10000's table it puts two kinds of faults, as people
# make them when they type.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
folder, table_file, source = FOLDER, Path(FOLDER) / CSV, "folder"
limits = LIMITS or (own.NO_LIMITS if FOLDER else own.LIMITS_OF_HAM10000)
if not FOLDER:
    ham, source = data.load_table(SOURCE)
    ham = ham.assign(group=splits.lesion_groups(ham))
    if source == "synthetic":  # drawing all of them takes minutes
        ham = ham[ham["group"].str[-1].isin(["0", "5"])]
    squares = data.load_lesions(SOURCE, SIZE, lambda _: ham, in_memory=False)
    paths = [Path(path) for path in squares.images]
    typed = squares.table[["dx", "group"]].set_axis([LABEL, GROUP], axis=1)
    typed[FILE] = [path.name for path in paths]
    folder, table_file = paths[0].parent, settings.scratch() / CSV
    typed = pd.concat([typed, typed[::90]], ignore_index=True)
    typed.loc[::9, LABEL] = typed[LABEL].str.upper() + " "
    typed.to_csv(table_file, index=False)

# %%
rows = own.read_labels(table_file, FILE, LABEL, GROUP)
print(f"{len(rows):,} rows, {rows['file'].nunique():,} files")
rows["label"].value_counts()

# %% [markdown]
# Do you see both? A model that is trained on this table takes `BCC` for "everything else". And an image with two
# rows counts twice.
#
# **Exercise your_project.1** Write `clean(table)` for such a table. Labels get small letters and no blanks at
# their ends; of rows that are then equal, one stays. (`exercises.hint("your_project.1")` gives a hint.)


# %% tags=["exercise"]
def clean(table):
    return ...


exercises.check("your_project.1", clean)


# %% tags=["solution"]
def clean(table):
    label = table["label"].str.strip().str.lower()
    return table.assign(label=label).drop_duplicates()


exercises.check("your_project.1", clean)

# %%
clean = exercises.use("your_project.1", clean)
table = own.with_images(clean(rows), folder, POSITIVE)
print(f"{len(table):,} rows, {table['positive'].sum()} of them positive")

# %% [markdown]
# `positive` is now a column: 1 for our label, else 0. Where a row has no label, or two rows contradict each other,
# `own.with_images` stops and says so.
#
# A fifth of the images becomes the test set, a fifth the validation set. How many
# *lesions* with a basal-cell carcinoma does the test set hold? Guess.

# %%
MY_LESIONS = ...
ledger.guess("positive groups in the test set", MY_LESIONS)

# %%
folds = StratifiedGroupKFold(5, shuffle=True, random_state=SEED)
parts = list(folds.split(table, table["positive"], groups=table["group"]))
table["split"] = "train"
table.loc[parts[0][1], "split"] = "test"
table.loc[parts[1][1], "split"] = "validation"
sets_of_a_group = table.groupby("group")["split"].nunique()
print(f"{(sets_of_a_group > 1).sum()} groups are in two sets")

# %%
counts = table.groupby(["positive", "split"]).agg(
    images=("file", "size"), groups=("group", "nunique")
)
in_test = counts.loc[(1, "test"), "groups"]
ledger.outcome("positive groups in the test set", in_test, source)
counts

# %% [markdown]
# Of ten thousand images, the test set holds 66 lesions of the kind that we ask for. A large folder can be a
# small study: the groups of the rarer class decide how sure your numbers are.

# %% [markdown]
# ## Is the network better than two baselines?
#
# Each image becomes a square of `SIZE` pixels.

# %%
small = [images.square(images.read(path), SIZE) for path in table["path"]]
pixels = np.stack(small)
y = table["positive"].to_numpy()
train = (table["split"] == "train").to_numpy()
validation = (table["split"] == "validation").to_numpy()
test = (table["split"] == "test").to_numpy()
y_val, y_test = y[validation], y[test]

# %% [markdown]
# First the baselines. The **majority class** always says "everything else". The **colour baseline** is
# trees on nine colour values, without any shape (lesson {{ number_of("data") }}).

# %%
trees = baselines.colour_baseline(pixels[train], y[train])
colours = trees.predict_proba(baselines.colour_features(pixels))[:, 1]

# %% [markdown]
# Then the network: a frozen base, whose features we compute once, and a head that is trained on them.

# %%
weights = pretrained.mobilenet_v2(0.35, 96, SOURCE if FOLDER else source)
base = MobileNetV2((96, 96, 3), 0.35, include_top=False, weights=weights)
network = keras.Sequential([keras.Input((SIZE, SIZE, 3))])
network.add(layers.Resizing(96, 96))
network.add(layers.Rescaling(1 / 127.5, offset=-1))
network.add(base)
network.add(layers.GlobalAveragePooling2D())
features = network.predict(pixels, batch_size=128, verbose=0)

# %%
keras.utils.set_random_seed(SEED)
head = keras.Sequential([keras.Input((1280,)), layers.Dropout(0.3)])
head.add(layers.Dense(1, activation="sigmoid"))
# Eight steps in one call of TensorFlow: the same training in half the time.
head.compile("adam", "binary_crossentropy", steps_per_execution=8)
head.fit(features[train], y[train], epochs=EPOCHS, verbose=0)
ours = head.predict(features, verbose=0)[:, 0]

# %% [markdown]
# Only one image in twenty is positive. Many tutorials let these count more in training. Does that raise the AUC (the
# chance that a random positive image gets a higher score than a random other one)?
#
# **Exercise your_project.2** Train `weighted`, a new head like ours. This time a positive image counts
# `20` times: `class_weight` of `fit`. `gain`: the paired difference of the AUCs on validation images,
# `weighted` minus `ours` (`evaluation.difference`, with `table["group"]`).

# %% tags=["exercise"]
weighted = ...
gain = ...

answer = (weighted, gain)
given = dict(table=table, features=features, ours=ours)
exercises.check("your_project.2", answer, **given)

# %% tags=["solution"]
keras.utils.set_random_seed(SEED)
weighted = keras.models.clone_model(head)
weighted.compile("adam", "binary_crossentropy", steps_per_execution=8)
weighted.fit(
    features[train],
    y[train],
    epochs=EPOCHS,
    class_weight={0: 1, 1: 20},
    verbose=0,
)
p_weighted = weighted.predict(features[validation], verbose=0)[:, 0]
group = table["group"][validation]
gain = evaluation.difference(
    roc_auc_score, y_val, p_weighted, ours[validation], group
)

answer = (weighted, gain)
given = dict(table=table, features=features, ours=ours)
exercises.check("your_project.2", answer, **given)

# %%
weighted, gain = exercises.use("your_project.2", answer, **given)
print(f"AUC, with weights minus ours: {gain:+.3f}")

# %% [markdown]
# -0.003: inconclusive. A lower threshold also finds more positives, without another training.
#
# We choose the threshold on validation images, too: the cheapest one, if a miss costs as much as `10` false alarms.
# (This price is yours to choose.) Then all choices are made, and we open the test set, once.

# %%
judged = []
constant = np.full(len(y), y[train].mean())
models = {"network": ours, "colours": colours, "majority class": constant}
for name, p in models.items():
    threshold = evaluation.choose_threshold(y_val, p[validation], COST_OF_MISS)
    groups = table["group"][test]
    found = evaluation.evaluate(name, y_test, p[test], groups, threshold)
    judged.append(found)
shown = ["roc_auc", "sensitivity", "specificity", "accuracy"]
evaluation.as_table(judged).loc[shown]

# %%
better = evaluation.difference(
    roc_auc_score, y_test, ours[test], colours[test], groups
)
print(f"AUC, network minus colours: {better:+.3f}")

# %% [markdown]
# In brackets is the 95 % interval: the score on very many such images probably lies in here. That of the
# paired difference lies above zero: here the network is better than colours.
#
# *Sensitivity* is the share of positive images that are found, *specificity* the share of others left alone. The
# majority class finds nothing, and has the highest accuracy: where a class is rare, leave accuracy off the card.

# %% [markdown]
# **Exercise your_project.3** Ask another question with the same split. `question`: another label of the
# table. `auc_of_colours`: the AUC that the colour baseline reaches for it on validation. (How few groups does it rest on?)

# %% tags=["exercise"]
question = ...
auc_of_colours = ...

answer = (question, auc_of_colours)
exercises.check("your_project.3", answer, table=table, pixels=pixels)

# %% tags=["solution"]
question = "vasc"
asked = (table["label"] == question).to_numpy(int)
other_trees = baselines.colour_baseline(pixels[train], asked[train])
seen = baselines.colour_features(pixels[validation])
scores = other_trees.predict_proba(seen)[:, 1]
auc_of_colours = roc_auc_score(asked[validation], scores)

answer = (question, auc_of_colours)
exercises.check("your_project.3", answer, table=table, pixels=pixels)

# %% [markdown]
# ## A card says what the model cannot do
#
# Which lesions does the network call `bcc`? We count one image of each lesion, so shares differ from the table's.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
called = ours >= judged[0].threshold
tested = table.assign(called=called)[test]
one_each = tested.drop_duplicates(["group", "label"])
kinds = one_each.groupby("label")["called"].agg(["sum", "size", "mean"])
figure, ax = plt.subplots(figsize=(7, 3))
colors = {"mel": plots.MELANOMA} | {POSITIVE: plots.PALETTE[2]}
for label, (n, size, share) in kinds.sort_values("mean").iterrows():
    row = f"{label} ({n:.0f} of {size:,.0f})"
    interval = evaluation.exact(n, size)
    color = colors.get(label, plots.OTHER)
    ax.hlines(row, interval.low, interval.high, color)
    ax.plot(share, row, "o", color=color)
ax.set(xlabel=f"share of the groups called {POSITIVE}", xlim=(0, 1))
_ = ax.set_title(f"What the network calls {POSITIVE}, by diagnosis")
# alt: Dots with intervals: the share of the test lesions that the network calls bcc, by diagnosis, with counts. It is highest for bcc itself, next for akiec and df, and lowest for nv.

# %% [markdown]
# A large share of the actinic keratoses (`akiec`), and a small one of the moles (`nv`). So the number of false
# alarms depends on which lesions a clinic sees.
#
# A **model card** is a page that goes with a model: question, numbers, limits. The limits are yours to
# write (`LIMITS`). What can your numbers not tell?

# %%
score = judged[0].metrics
colours_auc = judged[1].metrics["roc_auc"]
card = f"""# {plots.title(f"{POSITIVE} against everything else", source)}

> {plots.DISCLAIMER}

- **Test**: {test.sum():,} images of {SIZE} px, {y_test.sum()} of them
  positive, from {in_test} groups; none was seen in training
- **AUC** [95 % interval]: {score["roc_auc"]:.2f}; colours {colours_auc:.2f}
- **Network minus colours**, paired: {better:+.2f}
- **Finds** {score["sensitivity"]:.2f} of the positive images
- **Leaves alone** {score["specificity"]:.2f} of the others
- **Right when it says {POSITIVE}**: {score["precision"]:.2f}
- **Limits**: {limits}
"""

# %%
place = settings.make_folder(settings.results() / "your_project")
settings.write_text(place / "card.md", card)
keras.Sequential([network, head]).save(place / "model.keras")
print(card)

# %% [markdown]
# The card lies beside the model, in `runs/results/your_project`. Of the images that the network calls
# `bcc`, only 0.29 are: the class is rare.
#
# **Now you.** Set `FOLDER`, `CSV`, the columns, `POSITIVE` and `SIZE = 96` at the top, and run all cells.
# Images of people need their consent, and a file name must not hold a person's name.

# %% [markdown]
# **So what can you find out?** Whether your images hold an answer, by how much a network is better than
# colours (here {{ shown("+0.09") }} AUC), and for which kinds it fails. Not whether it works elsewhere: for
# that you need images from there.
#
# ## Key points
#
# - Name the group before you split. The groups of the rarer class decide how sure you can be.
# - Put two baselines beside the network, and compare by the paired difference.
# - Open the test set once, after all choices. Write the limits on the card.

# %% [markdown]
# ## Check yourself
#
# <details><summary>Your folder holds thousands of X-rays of forty patients. What is the group, and how large
# is your study?</summary>
# The patient. It is a study of forty, and the test set has about eight of them.</details>
#
# <details><summary>The majority class has an accuracy of {{ shown("0.949") }}. What does that tell
# you?</summary>
# That accuracy says little here: always "everything else" is right that often, and finds nothing.</details>
#
# <details><summary>A colleague tries five networks on your test set and reports the best. What do you
# say?</summary>
# The best of five is luck, at least in part. Choose on validation images, and score one network on the
# test.</details>
#
# ## What comes next
#
# You have finished the course. Below are your guesses: were you too sure, or not sure enough? For a longer
# card, read that of [the course's model](https://github.com/{{ repository }}/blob/{{ branch }}/models/README.md).
#
# ## References
#
# - Mitchell et al.: Model Cards for Model Reporting. FAT* 2019,
#   [arXiv:1810.03993](https://arxiv.org/abs/1810.03993).
# - Collins et al.: TRIPOD+AI statement: updated guidance for reporting clinical prediction models. BMJ
#   385:e078378, 2024, [doi:10.1136/bmj-2023-078378](https://doi.org/10.1136/bmj-2023-078378).
# - Tschandl, Rosendahl, Kittler: The HAM10000 dataset. Scientific Data 5:180161, 2018,
#   [doi:10.1038/sdata.2018.161](https://doi.org/10.1038/sdata.2018.161).
# - scikit-learn:
#   [StratifiedGroupKFold](https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.StratifiedGroupKFold.html).

# %%
exercises.progress()

# %%
ledger.show()
