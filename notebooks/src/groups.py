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
# # {{ number }} · Groups: for whom does it work?
#
# One number for all people can hide a group that the model fails. So we compare groups. But two
# groups differ in many things at once: a gap may have another cause than the one on its label. In
# this lesson you find such a cause.

# %% [markdown]
# **You will**
#
# - compare groups, with the number of lesions beside each share;
# - measure a clear gap between two border colours of the images;
# - find what else differs between them, and measure again.
#
# **New words**: sensitivity, confounder, histology, follow-up
#
# **You need** lessons {{ number_of("intervals") }} and {{ number_of("evaluation") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from utils import data, diagrams, evaluation, exercises
from utils import ledger, plots, results, shifts

# %% tags=["parameters"]
SEED = 0
RESAMPLES = 300

# %% [markdown]
# **Do you remember?**
#
# <details><summary>Lesson {{ number_of("not_a_lesion") }}: the detector refuses nothing. Are all images
# good?</summary>
# No. A mild disturbance can hide melanomas and still lie near the training images.</details>
#
# <details><summary>Lesson {{ number_of("grad_cam") }}: a heat map lies on the lesion. Does that show why
# the model answered?</summary>
# No. Only a change of the image shows what the answer
# depends on.</details>

# %% [markdown]
# ## Are men and women served alike?
#
# The model that the course ships scored all validation and test images of HAM10000. Its answers lie in
# the repository: you need no download.

# %%
record = results.committed("subgroups")
sets = {name: pd.DataFrame(record[name]) for name in ["validation", "test"]}
table = pd.concat(sets, names=["subset"]).reset_index("subset")
table["found"] = table["probability"] >= record["threshold"]
names = ["up to 40", "41 to 60", "over 60"]
table["age_band"] = pd.cut(table["age"], [-1, 40, 60, 200], labels=names)
melanomas = table[table["melanoma"] == 1]
print(f"{len(melanomas)} images of {melanomas['group'].nunique()} melanomas")

# %% [markdown]
# The **sensitivity** is the share of the melanomas' images that the model finds. Images of one lesion
# are alike, so the number of *lesions* tells how much a group can show.
#
# **Exercise groups.1** Write `by_group(melanomas, column)`: a DataFrame with a row for each value of the
# column. Its two columns are `lesions`, the number of different lesions (`group` names them), and
# `found`, the share of the images found. (`exercises.hint("groups.1")` gives a hint.)


# %% tags=["exercise"]
def by_group(melanomas, column):
    return ...


exercises.check("groups.1", by_group)


# %% tags=["solution"]
def by_group(melanomas, column):
    groups = melanomas.groupby(column, observed=True)
    return groups.agg(lesions=("group", "nunique"), found=("found", "mean"))


exercises.check("groups.1", by_group)

# %%
by_group = exercises.use("groups.1", by_group)
columns = ["sex", "age_band", "localization"]
groups = pd.concat({name: by_group(melanomas, name) for name in columns})
groups = groups[groups["lesions"] >= 20]
groups.round(2)

# %% [markdown]
# We leave out groups with fewer than `20` lesions: they show little. The others need intervals. As in lesson
# {{ number_of("intervals") }}, we draw lesions again and again, each with all its images (`merge`), and compute
# the measure each time:


# %%
def estimate(measure, table):
    rng = np.random.default_rng(SEED)
    lesions = table[["group"]].drop_duplicates()
    values = []
    for _ in range(RESAMPLES):
        drawn = lesions.sample(frac=1, replace=True, random_state=rng)
        values.append(measure(drawn.merge(table, on="group")))
    low, high = np.quantile(values, [0.025, 0.975])
    return evaluation.Estimate(measure(table), low, high)


def sensitivity(melanomas):
    return melanomas["found"].mean()


# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
figure, ax = plt.subplots(figsize=(8, 3.4))
labels = []
for row, (column, value) in enumerate(groups.index):
    own = estimate(sensitivity, melanomas[melanomas[column] == value])
    ax.hlines(row, own.low, own.high, color=plots.MELANOMA)
    ax.plot(own.value, row, "o", color=plots.MELANOMA)
    lesions = groups.loc[(column, value), "lesions"]
    labels.append(f"{value} ({lesions} lesions)")
ax.axvline(melanomas["found"].mean(), color="black", linestyle="--")
ax.set(yticks=range(len(labels)), yticklabels=labels)
ax.invert_yaxis()
ax.set(xlabel="sensitivity, with its interval (dashed: all)")
_ = figure.suptitle(f"Sensitivity in {len(labels)} groups of melanomas")
# alt: Nine groups with their sensitivities and intervals, beside a dashed line for all melanomas. Most intervals hold the line. The widest and lowest is that of people up to 40, with 31 lesions.

# %% [markdown]
# Women: 0.90, men: 0.93 (rounded). Is that a gap? We resample all lesions, and take the difference each time. The model's
# threshold was chosen on validation images, so we ask the test images alone, too.


# %%
def men_minus_women(melanomas):
    found = melanomas.groupby("sex")["found"].mean()
    return found["male"] - found["female"]


tested = melanomas[melanomas["subset"] == "test"]
print(f"both sets   {estimate(men_minus_women, melanomas):+.2f}")
print(f"test alone  {estimate(men_minus_women, tested):+.2f}")

# %% [markdown]
# Both are inconclusive. That is no proof of equality: the test images allow a gap of {{ shown("0.14") }}.
#
# And the lowest row, people up to 40? The lowest of nine rows looks bad even where all groups are
# equal. We picked it *because* it is low. So it is a question for new data.

# %% [markdown]
# ## A clear gap between border colours
#
# HAM10000 does not record skin tone. A rough estimate is the *typology angle*, from the colour of an
# image's border: the larger, the lighter. Beyond 90 degrees the border has more blue than yellow. That comes from
# the lamp or the camera, not from skin.

# %% tags=["samples"]
samples = data.load_set("samples", 128)
angles = shifts.typology_angle(samples.images)
order = np.argsort(angles)
rows = order[[2, 12, 28, 44, 57]]
tones = shifts.skin_tone(angles[rows])
titles = [f"{a:.0f}°\n{t}" for a, t in zip(angles[rows], tones, strict=True)]
_ = plots.gallery(
    samples.images[rows], titles, "Borders show skin, lens or lamp"
)
# alt: Five lesions by the angle of their border: a tan one whose border is the dark rim of a lens, a light yellowish one, two very light ones, and a bluish-grey one.

# %%
table["tone"] = shifts.skin_tone(table["ita"]).astype(str)
pd.crosstab(table["tone"], table["melanoma"], margins=True)

# %% [markdown]
# The first border is the rim of a lens, not skin: the estimate is rough. Two bands hold most melanomas.
# The **AUC** is the chance that a random melanoma gets a higher score than a random other lesion.
#
# **Exercise groups.2** Write `gap(table)`: the AUC of the images whose `tone` is "very light", minus that
# of the "bluish" ones. The columns are `melanoma` and `probability`.


# %% tags=["exercise"]
def gap(table):
    return ...


exercises.check("groups.2", gap)


# %% tags=["solution"]
def gap(table):
    light = table[table["tone"] == "very light"]
    bluish = table[table["tone"] == "bluish"]
    auc = roc_auc_score(light["melanoma"], light["probability"])
    return auc - roc_auc_score(bluish["melanoma"], bluish["probability"])


exercises.check("groups.2", gap)

# %%
gap = exercises.use("groups.2", gap)
print(f"very light minus bluish: {estimate(gap, table):+.2f}")

# %% [markdown]
# A clear gap: 0.10. Is the model worse on bluish images? Or does something else differ between them?
#
# **Exercise groups.3** Write `uneven(table, column)`. For each value of the column, take its share among
# the very light images and its share among the bluish ones. Return the largest difference, without
# its sign. (`pd.crosstab` helps.)


# %% tags=["exercise"]
def uneven(table, column):
    return ...


exercises.check("groups.3", uneven)


# %% tags=["solution"]
def uneven(table, column):
    shares = pd.crosstab(table[column], table["tone"], normalize="columns")
    return (shares["very light"] - shares["bluish"]).abs().max()


exercises.check("groups.3", uneven)

# %% [markdown]
# Sex, age, site, diagnosis, or the way in which the diagnosis was confirmed (`dx_type`): how large is the
# largest difference? Guess, from 0 to 1.

# %%
MY_DIFFERENCE = ...
ledger.guess("largest difference between the bands", MY_DIFFERENCE)

# %%
uneven = exercises.use("groups.3", uneven)
columns = ["sex", "age_band", "localization", "dx", "dx_type"]
differences = pd.Series({name: uneven(table, name) for name in columns})
ledger.outcome("largest difference between the bands", differences.max())
differences.sort_values().round(2).to_frame("largest difference")

# %% [markdown]
# How a lesion was confirmed: by **histology** (`histo`: cut out, and looked at under the microscope), by
# **follow-up** (watched for a time, and it did not change), by doctors who agreed (`consensus`), or by another
# microscope (`confocal`). These are the lesions that are no melanoma:

# %%
others = table[table["melanoma"] == 0]
ways = pd.crosstab(others["dx_type"], others["tone"])[["very light", "bluish"]]
alarms = others.groupby("dx_type")["found"].mean()
ways["false alarms, all bands"] = alarms
ways.round(2)

# %% [markdown]
# Follow-up moles are easy for the model: it calls 1 % of them melanoma. And 876 of them are very light, 63 bluish.

# %%
_ = diagrams.confounder()

# %% [markdown]
# A **confounder** goes along with the group *and* with the result, so that the group looks like the
# cause. To check it, leave it out on both sides:


# %%
def suspected(table):
    return table[table["dx_type"] != "follow_up"]


def fall(table):
    return gap(table) - gap(suspected(table))


print(f"without follow-up moles: {estimate(gap, suspected(table)):+.2f}")
print(f"the gap is smaller by:   {estimate(fall, table):+.2f}")
test = table[table["subset"] == "test"]
print(f"without, test set alone: {estimate(gap, suspected(test)):+.2f}")

# %% [markdown]
# Without them the gap is clearly smaller. The rest, 0.04, is inconclusive: it may be zero, and it may be
# {{ shown("0.09") }}. But on the test images, which chose nothing, it is clear. So follow-up moles explain only a part.

# %% [markdown]
# ## What is left without the easy moles
#
# All melanomas are confirmed by histology. What is the AUC
# on the test set, if the other lesions are, too?


# %%
def auc(table):
    return roc_auc_score(table["melanoma"], table["probability"])


def loss(table):
    return auc(table[table["dx_type"] == "histo"]) - auc(table)


cut_out = test[test["dx_type"] == "histo"]
print(f"AUC of all {len(test):,} images   {estimate(auc, test):.2f}")
print(f"histology only, {len(cut_out):,}  {estimate(auc, cut_out):.2f}")
print(f"difference              {estimate(loss, test):+.2f}")

# %% [markdown]
# Against other lesions that were cut out the model reaches 0.83, not 0.90: a clear loss. **Report both.**
#
# Is a follow-up mole easy because it looks harmless, or because it was photographed elsewhere? Ask the
# colour of the border alone:


# %%
def border(moles):
    return roc_auc_score(moles["dx_type"] != "follow_up", moles["ita"])


print(f"AUC of the border: {estimate(border, table[table['dx'] == 'nv']):.2f}")

# %% [markdown]
# The border tells follow-up moles from other moles with an AUC of 0.87. So the model may use the light or the
# camera.
#
# And dark skin? {{ shown("44") }} images are in the band "brown, dark", with {{ shown("7") }} melanomas. Most of those that
# we looked at show the rim of a lens, hair or red light. So nothing can be claimed, and a model card should
# say: *not tested on dark skin*.

# %% [markdown]
# **So for whom does it work?** Better for lesions like follow-up moles than for lesions that were cut out. Between
# men and women {{ shown("253") }} melanomas decide nothing, and for dark skin nothing is known.
#
# ## Key points
#
# - Put the number of lesions beside every group, and name the groups before you look.
# - A gap between groups needs a second question: what else differs between them?
# - An average over easy cases is no promise for difficult ones. Report both.

# %% [markdown]
# ## Check yourself
#
# <details><summary>The gap between men and women is inconclusive. May the card say "works equally for
# both"?</summary>
# No. It may give the difference with its interval, and say that it decides nothing.</details>
#
# <details><summary>Without the confounder the gap is inconclusive. Is it zero?</summary>
# That is not shown. The interval still holds {{ shown("0.09") }}, and on the test images alone the gap is clear.</details>
#
# <details><summary>Should <code>dx_type</code> become an input of the model, since it explains so
# much?</summary>
# No. It is written after a doctor suspected a melanoma, so a clinic does not have it when it
# asks.</details>
#
# ## What comes next
#
# All these images come from two places. What of a third?
# [{{ number_of("elsewhere") }} · Elsewhere]({{ notebook_of("elsewhere") }})
#
# ## References
#
# - Chardon, Cretois, Hourseau: Skin colour typology and suntanning pathways. International Journal of
#   Cosmetic Science 13:191, 1991,
#   [doi:10.1111/j.1467-2494.1991.tb00561.x](https://doi.org/10.1111/j.1467-2494.1991.tb00561.x).
# - Daneshjou et al.: Disparities in dermatology AI performance on a diverse, curated clinical image
#   set. Science Advances 8:eabq6147, 2022,
#   [doi:10.1126/sciadv.abq6147](https://doi.org/10.1126/sciadv.abq6147).
# - Hernán, Robins: [Causal Inference: What If](https://www.hsph.harvard.edu/miguel-hernan/causal-inference-book/),
#   chapter 7, on confounding.
# - The lesions that are shown: ISIC 2016 challenge, CC0; sources in
#   [data/samples](https://github.com/{{ repository }}/blob/{{ branch }}/data/samples/README.md).

# %%
exercises.progress()

# %%
ledger.show()
