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
# # {{ number }} · For whom does it work?
#
# The model that the course ships finds
# {{ quote("shipped_model", "shipped.sensitivity.value", ".0%") }} of the melanomas in the test
# set. That is an average, and an average hides for whom it works. Who is missed more often? And
# does it still hold with another camera?

# %% [markdown]
# **You will**
#
# - compare groups of patients, and know what a small group can show;
# - learn why the worst group always looks bad;
# - see how a shift of the images breaks a model without any warning;
# - estimate skin tone, and say what you may not claim;
# - add age, sex and site to the image.
#
# **You need** lessons {{ number_of("evaluation") }} and {{ number_of("clinic") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from utils import backbone, data, diagrams, evaluation, exercises, ledger
from utils import pretrained, results, shifts, splits
from utils.quiet import keras
from keras import layers

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0

# %% [markdown]
# ## One average, many groups

# %%
_ = diagrams.groups()

# %% [markdown]
# We asked the shipped model about all test images of HAM10000. `results/subgroups.json` holds its answers
# and what is known of each patient, so you need no image for the tables here.

# %%
full = results.committed("subgroups")
table = pd.DataFrame(full["test"])
table["found"] = table["probability"] >= full["threshold"]
melanomas = table[table["melanoma"] == 1]
print(f"{len(table):,} images, {len(melanomas)} of melanomas")
print(f"sensitivity: {melanomas['found'].mean():.2f}")

# %% [markdown]
# **Sensitivity** is the share of melanomas that the model finds. Guess it for women.

# %%
MY_WOMEN = ...
ledger.guess("sensitivity for women", MY_WOMEN)

# %% [markdown]
# **Exercise groups.1** Write `sensitivity_by(table, column)`: for each value of the column the share of
# melanomas that are found, as a pandas Series. (`exercises.hint("groups.1")` gives a hint.)


# %% tags=["exercise"]
def sensitivity_by(table, column):
    return ...


exercises.check("groups.1", sensitivity_by)


# %% tags=["solution"]
def sensitivity_by(table, column):
    melanomas = table[table["melanoma"] == 1]
    return melanomas.groupby(column)["found"].mean()


exercises.check("groups.1", sensitivity_by)

# %%
groups = results.committed("shipped_model")["subgroups"]
large = pd.DataFrame(groups).T.dropna(subset="sensitivity")
large = large[["melanoma_lesions", "sensitivity"]]
large.assign(sensitivity=large["sensitivity"].map("{:.2f}".format))

# %% [markdown]
# Each row has its 95 % interval. Few lesions make it wide: up to the age of 40 there are
# {{ quote("shipped_model", "subgroups.age: up to 40.melanoma_lesions", "d") }}, and the sensitivity
# may be anything from {{ quote("shipped_model", "subgroups.age: up to 40.sensitivity.low", ".2f") }}
# to {{ quote("shipped_model", "subgroups.age: up to 40.sensitivity.high", ".2f") }}. Groups with
# fewer than {{ fact("10", "the rule for groups in shipped_model.json") }} lesions are left out.
#
# Women have {{ quote("shipped_model", "subgroups.sex: female.sensitivity.value", ".2f") }} and men
# {{ quote("shipped_model", "subgroups.sex: male.sensitivity.value", ".2f") }}. Is that difference
# real? The two groups are different lesions, so we cannot pair them. We resample the lesions and
# take the difference each time.


# %%
def gap(male, found):
    return found[male == 1].mean() - found[male == 0].mean()


def men_minus_women(melanomas):
    known = melanomas[melanomas["sex"] != "unknown"]
    male = (known["sex"] == "male").astype(int)
    return evaluation.estimate(gap, male, known["found"], known["group"])


print(f"men minus women: {men_minus_women(melanomas):+.2f}")
women = melanomas.loc[melanomas["sex"] == "female", "found"].mean()
ledger.outcome("sensitivity for women", women)

# %% [markdown]
# The interval, from {{ quote("subgroups", "sex_gap.test.low", "+.2f") }} to
# {{ quote("subgroups", "sex_gap.test.high", "+.2f") }}:
# {{ verdict("subgroups", "sex_gap.test", above=None, below=None) }}. Still, the row looks bad. But we
# looked at {{ fact("13", "rows of the table above") }} rows before we chose this one. What is that worth?
#
# ## The worst group always looks bad
#
# Suppose that the model finds exactly `0.88` of the melanomas in **every** group. We draw `10`
# groups of `20` melanomas each. Guess the sensitivity of the worst one.

# %%
MY_WORST = ...
ledger.guess("sensitivity of the worst of ten equal groups", MY_WORST)

# %% [markdown]
# **Exercise groups.2** Write `worst(n_groups, n_melanomas, sensitivity, rng)`: draw how many melanomas are
# found in each group (`rng.binomial`), and return the lowest sensitivity.


# %% tags=["exercise"]
def worst(n_groups, n_melanomas, sensitivity, rng):
    return ...


exercises.check("groups.2", worst)


# %% tags=["solution"]
def worst(n_groups, n_melanomas, sensitivity, rng):
    found = rng.binomial(n_melanomas, sensitivity, n_groups)
    return found.min() / n_melanomas


exercises.check("groups.2", worst)

# %%
rng = np.random.default_rng(SEED)
found = rng.binomial(20, 0.88, (2000, 10)) / 20
lowest = found.min(axis=1)
print(f"mean of the worst: {lowest.mean():.2f}")
ledger.outcome("sensitivity of the worst of ten equal groups", lowest.mean())
figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
sns.histplot(lowest, bins=np.arange(0.375, 1, 0.05), ax=ax)
ax.axvline(0.88, color="black", linestyle="--", label="truth, all groups")
ax.legend(loc="upper left")
_ = ax.set(xlabel="sensitivity of the worst of ten groups", ylabel="draws")
# alt: Histogram of the worst of ten equal groups over 2,000 draws. Nearly all of it lies to the left of a dashed line at 0.88, the truth for all groups.

# %% [markdown]
# All groups are equal, and the worst one still has about 0.76. A worst row that was picked afterwards
# is a **question for other data**, not a finding. We have other data: the validation images, which are
# other lesions. (The model's threshold was chosen on them, but for all people together.) Is the gap there too?

# %%
validation = pd.DataFrame(full["validation"])
validation["found"] = validation["probability"] >= full["threshold"]
others = validation[validation["melanoma"] == 1]
print(f"{len(others)} other melanomas: {men_minus_women(others):+.2f}")

# %% [markdown]
# {{ verdict("subgroups", "sex_gap.validation", above=None, below=None, zero="Inconclusive") }} too. That is
# no proof of equality: all melanomas together give
# {{ quote("subgroups", "sex_gap.pooled", "+.2f") }}, and a gap of the upper end would matter. It stays
# **unresolved**. To protect yourself, name the groups before you look, and count the melanomas behind
# each.
#
# ## One row that is no accident
#
# `dx_type` says how a diagnosis was confirmed. Every melanoma was cut out and looked at under the
# microscope (`histo`). Harmless moles often were only watched (`follow_up`).

# %%
alarms = table[table["melanoma"] == 0].groupby("dx_type")["found"]
display(alarms.agg(["size", "mean"]).round(2))
histo = table[table["dx_type"] == "histo"]
for name, part in {"all images": table, "histo only": histo}.items():
    auc = roc_auc_score(part["melanoma"], part["probability"])
    print(f"{name}: AUC {auc:.2f}")

# %% [markdown]
# The watched moles are easy: only 0.01 of them raise an alarm. Among lesions that looked dangerous
# enough to be cut out, the **AUC** (the chance that a random melanoma gets a higher score than a
# random other lesion) is
# {{ quote("shipped_model", "subgroups.confirmed by: histo.roc_auc.value", ".2f") }} instead of
# {{ quote("shipped_model", "shipped.roc_auc.value", ".2f") }}. That is the harder and the more
# honest question.
#
# ## Another camera
#
# We change the images: step by step darker, blurred, compressed, turned, or warmer.

# %% tags=["pictures"]
# SYNTHETIC: a drawn lesion
drawn = (
    data.load_lesions("synthetic", 96, splits.mini).subset("test").images[:1]
)
figure, axes = plt.subplots(2, 5, figsize=(8, 3.4), layout="constrained")
for column, name in zip(axes.T, shifts.SHIFTS, strict=True):
    for ax, severity in zip(column, [2, 4], strict=True):
        ax.imshow(shifts.shift(name, drawn, severity)[0])
        ax.set_title(f"{name} {severity}", fontsize=9)
        ax.axis("off")
# alt: SYNTHETIC. A drawn lesion in two rows, severity 2 and 4: darker, blurred, compressed, turned and warmer.

# %% [markdown]
# A small model first: a frozen network, and a logistic regression on its features, as in lesson
# {{ number_of("transfer") }}. Its threshold finds
# {{ fact("90 %", "the quantile in the cell below") }} of the validation melanomas.

# %%
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train, test = lesions.subset("train"), lesions.subset("test")
weights = pretrained.mobilenet_v2(0.35, 96, lesions.source)
base = backbone.mobilenet_v2(0.35, SIZE, 96, weights)
network = keras.Sequential([base, layers.GlobalAveragePooling2D()])
model = make_pipeline(StandardScaler(), LogisticRegression(C=0.001))
_ = model.fit(network.predict(train.images, verbose=0), train.melanoma)


# %%
def ask(images):
    x = network.predict(images, verbose=0)
    return model.predict_proba(x)[:, 1]


small = lesions.subset("validation")
threshold = np.quantile(ask(small.images)[small.melanoma == 1], 0.1)
answers = {"unchanged": ask(test.images)}
for name in ["darker", "warmer", "turned"]:
    answers[name] = ask(shifts.shift(name, test.images, 2))

# %% [markdown]
# **Exercise groups.3** Write `lost(melanoma, before, after, threshold)`: of the melanomas found before the
# shift, the share that is missed after it. `before` and `after` are probabilities.


# %% tags=["exercise"]
def lost(melanoma, before, after, threshold):
    return ...


exercises.check("groups.3", lost)


# %% tags=["solution"]
def lost(melanoma, before, after, threshold):
    found = (melanoma == 1) & (before >= threshold)
    return (after[found] < threshold).mean()


exercises.check("groups.3", lost)

# %%
answers["quarter turn"] = ask(np.rot90(test.images, axes=(1, 2)))
rows = {}
for name, p in answers.items():
    sensitivity = (p >= threshold)[test.melanoma == 1].mean()
    rows[name] = [roc_auc_score(test.melanoma, p), p.mean(), sensitivity]
columns = ["AUC", "mean probability", "sensitivity"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(2)

# %%
y, turned, unturned = test.melanoma, answers["turned"], answers["unchanged"]
lesion = test.table["group"]
change = evaluation.difference(roc_auc_score, y, turned, unturned, lesion)
print(f"AUC, turned minus unchanged: {change:+.2f}")

# %% [markdown]
# Look at "turned". The AUC is no lower: 0.78 against 0.75, inconclusive. But the mean probability falls from
# 0.25 to 0.14, and the sensitivity from 0.85 to 0.60. Why?
#
# A quarter turn does nothing of the kind, so the angle is not the cause. Any other turn has to mix
# neighbouring pixels, and that blurs a small image.
#
# **A shift can leave the AUC alone and still break every threshold.** The AUC sees only the order.
#
# Now the shipped model, on all 1,999 test images of HAM10000. Guess its AUC on images with a blur
# of severity 4. Unchanged images have {{ quote("subgroups", "shifts.unchanged.roc_auc", ".2f") }}.

# %%
MY_BLUR = ...
ledger.guess("AUC, blurred 4", MY_BLUR)

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
names = {"roc_auc": "AUC", "calibration_error": "calibration error"}
names["sensitivity"] = "sensitivity"
curves = full["shifts"]
frames = [pd.DataFrame(curves[k]).assign(shift=k) for k in shifts.SHIFTS]
figure, axes = plt.subplots(1, 3, figsize=(8, 3.6), layout="constrained")
look = dict(x="severity", hue="shift", style="shift", dashes=False)
for ax, (key, label) in zip(axes, names.items(), strict=True):
    sns.lineplot(pd.concat(frames), y=key, ax=ax, markers=True, **look)
    before = curves["unchanged"][key]
    ax.axhline(before, color="black", ls=":", label="unchanged")
    ax.set(title=label, ylabel="", xticks=shifts.SEVERITIES)
    handles = ax.get_legend_handles_labels()
    ax.legend().remove()
figure.legend(*handles, ncols=6, loc="outside lower center", fontsize=9)
ledger.outcome("AUC, blurred 4", curves["blurred"][3]["roc_auc"])
# alt: Three panels over severity 1 to 4. A dotted line shows the unchanged images. Left the AUC, {{ quote("subgroups", "shifts.unchanged.roc_auc", ".2f") }} unchanged; at severity 4 turned {{ quote("subgroups", "shifts.turned.3.roc_auc", ".2f") }}, warmer {{ quote("subgroups", "shifts.warmer.3.roc_auc", ".2f") }}, darker {{ quote("subgroups", "shifts.darker.3.roc_auc", ".2f") }}, blurred {{ quote("subgroups", "shifts.blurred.3.roc_auc", ".2f") }}, compressed {{ quote("subgroups", "shifts.compressed.3.roc_auc", ".2f") }}. Middle the calibration error, {{ quote("subgroups", "shifts.unchanged.calibration_error", ".2f") }} unchanged; at severity 4 turned {{ quote("subgroups", "shifts.turned.3.calibration_error", ".2f") }}, warmer {{ quote("subgroups", "shifts.warmer.3.calibration_error", ".2f") }}, darker {{ quote("subgroups", "shifts.darker.3.calibration_error", ".2f") }}, blurred {{ quote("subgroups", "shifts.blurred.3.calibration_error", ".2f") }}, compressed {{ quote("subgroups", "shifts.compressed.3.calibration_error", ".2f") }}. Right the sensitivity, {{ quote("subgroups", "shifts.unchanged.sensitivity", ".2f") }} unchanged; at severity 4 turned {{ quote("subgroups", "shifts.turned.3.sensitivity", ".2f") }}, warmer {{ quote("subgroups", "shifts.warmer.3.sensitivity", ".2f") }}, darker {{ quote("subgroups", "shifts.darker.3.sensitivity", ".2f") }}, blurred {{ quote("subgroups", "shifts.blurred.3.sensitivity", ".2f") }}, compressed {{ quote("subgroups", "shifts.compressed.3.sensitivity", ".2f") }}.

# %% [markdown]
# A blur of severity 4 changes the AUC by
# {{ quote("subgroups", "shifts.blurred.3.change", "+.2f") }}, paired on the same images, and the
# **calibration error** (how far probabilities are from observed shares) by
# {{ quote("subgroups", "shifts.blurred.3.calibration_change", "+.2f") }}. The mean probability is
# {{ quote("subgroups", "shifts.blurred.3.mean_probability", ".4f") }}, and the model finds
# {{ quote("subgroups", "shifts.blurred.3.sensitivity", ".0%") }} of the melanomas. Nothing stops
# with an error. "Turned" changes the AUC by
# {{ quote("subgroups", "shifts.turned.3.change", "+.3f") }}:
# {{ verdict("subgroups", "shifts.turned.3.change") }}.

# %% [markdown]
# The guard of lesson {{ number_of("confidence") }} refuses
# {{ quote("subgroups", "shifts.blurred.3.refused", ".0%") }} of these images. Now look at
# "warmer". At severity 4 its AUC changes by
# {{ quote("subgroups", "shifts.warmer.3.change", "+.2f") }}, its sensitivity by
# {{ quote("subgroups", "shifts.warmer.3.sensitivity_change", "+.2f") }}, and the guard refuses
# {{ quote("subgroups", "shifts.warmer.3.refused", ".0%") }}. The mean probability goes from
# {{ quote("subgroups", "shifts.unchanged.mean_probability", ".2f") }} to
# {{ quote("subgroups", "shifts.warmer.3.mean_probability", ".2f") }}. Another share of melanomas
# among the patients would move it, too. Only images of the new camera **with a diagnosis** tell
# the two apart.

# %% [markdown]
# ## Skin tone
#
# HAM10000 does not record it. The **individual typology angle** (ITA) estimates how light skin is
# from its colour, here from the border of each image. Over 55 degrees is "very light", under 10
# degrees "brown" or "dark". Which share of the 1,999 test images is under 10 degrees?

# %%
MY_DARK = ...
ledger.guess("share of images with dark borders", MY_DARK)

# %%
table["tone"] = shifts.skin_tone(table["ita"])
dark = (table["tone"] == "brown, dark").mean()
ledger.outcome("share of images with dark borders", dark)
figure, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
diagnosis = table["melanoma"].map({1: "melanoma", 0: "everything else"})
tones = table["tone"].cat.remove_unused_categories()
bars = dict(hue=diagnosis.rename(""), multiple="stack", shrink=0.8)
sns.histplot(x=tones, ax=ax, **bars)
_ = ax.set(xlabel="", ylabel="test images")
# alt: Bars of the test images by band of ITA. Brown or dark, tan and intermediate are small, light has {{ quote("subgroups", "tones.test.light.images", "d") }}, very light {{ quote("subgroups", "tones.test.very light.images", "d") }}, and bluish {{ quote("subgroups", "tones.test.bluish.images", "d") }}.

# %%
rows = {}
for subset in ["test", "validation"]:
    for name, tone in full["tones"][subset].items():
        row = [tone["images"], tone["melanomas"], "too few melanomas"]
        if "roc_auc" in tone:
            row[2] = f"{tone['roc_auc']:.2f}"
        rows[subset, name] = row
columns = ["images", "melanomas", "AUC"]
pd.DataFrame(rows, index=columns).T

# %% [markdown]
# Only {{ quote("subgroups", "tones.test.brown, dark.images", "d") }} images are "brown, dark",
# with {{ quote("subgroups", "tones.test.brown, dark.melanomas", "d") }} melanomas. We looked at
# all of them. Most show the black rim of a lens, hair, red light, or a lesion that reaches the
# border. In none could we be sure of dark skin. So **nothing can be claimed** about it. The right
# sentence for a model card: "not tested on dark skin".
#
# {{ quote("subgroups", "tones.test.bluish.images", "d") }} borders are "bluish".
# There the lamp and the white balance decide the colour. ITA measures the camera here as much as
# the skin.

# %% [markdown]
# Is the model worse for such images? On the test set
# {{ quote("subgroups", "tones.test.bluish.roc_auc", ".2f") }} against
# {{ quote("subgroups", "tones.test.very light.roc_auc", ".2f") }}, on the validation set
# {{ quote("subgroups", "tones.validation.bluish.roc_auc", ".2f") }} against
# {{ quote("subgroups", "tones.validation.very light.roc_auc", ".2f") }}. Both together, very light
# borders minus bluish ones: {{ quote("subgroups", "tone_gap.all", "+.2f") }}. Is it the skin? Watched
# moles (`follow_up`) are easy, and they are {{ quote("subgroups", "tones.test.bluish.follow_up", ".0%") }} of
# the bluish and {{ quote("subgroups", "tones.test.very light.follow_up", ".0%") }} of the very light test
# images. Without them the difference is
# {{ quote("subgroups", "tone_gap.without follow-up", "+.2f") }}:
# {{ verdict("subgroups", "tone_gap.without follow-up", above=None, below=None) }}. The way of confirmation
# explains it: a **confounder**.

# %% [markdown]
# ## Age, sex and site beside the image
#
# Doctors know more than an image. We give a logistic regression the model's **log-odds**,
# `log(p / (1 - p))`, and the age. It learns from the validation images; the test set is opened once.
#
# **Exercise groups.4** Write `with_age(validation, test)`: fit `LogisticRegression` on the columns `log_odds` and
# `age` of `validation`, with `melanoma` as the target. Return the probabilities of `test`.


# %% tags=["exercise"]
def with_age(validation, test):
    return ...


exercises.check("groups.4", with_age)


# %% tags=["solution"]
def with_age(validation, test):
    columns = ["log_odds", "age"]
    model = LogisticRegression()
    model.fit(validation[columns], validation["melanoma"])
    return model.predict_proba(test[columns])[:, 1]


exercises.check("groups.4", with_age)

# %%
for part in [validation, table]:
    part["log_odds"] = logit(part["probability"].clip(1e-5, 1 - 1e-5))
    part["age"] = part["age"].fillna(validation["age"].mean())
columns = ["log_odds", "age"]
both = LogisticRegression().fit(validation[columns], validation["melanoma"])
with_both = both.predict_proba(table[columns])[:, 1]
y, alone, lesion = table["melanoma"], table["probability"], table["group"]
gain = evaluation.difference(roc_auc_score, y, with_both, alone, lesion)
print(f"gain in AUC from age: {gain:+.3f}")

# %% [markdown]
# Age alone changes the AUC by
# {{ quote("subgroups", "beside.image and age.roc_auc.gain", "+.3f") }}:
# {{ verdict("subgroups", "beside.image and age.roc_auc.gain") }}. More columns, from
# `results/subgroups.json`. **Average precision** is the mean share of melanomas among the alarms,
# over all thresholds. Which row would you take?

# %%
rows = {}
for name, measures in full["beside"].items():
    rows[name] = {"AUC": f"{measures['roc_auc']['value']:.3f}"}
    for measure, result in measures.items():
        if "gain" in result:
            rows[name][f"gain, {measure}"] = f"{result['gain']:+.3f}"
pd.DataFrame.from_dict(rows, orient="index").fillna("")

# %% [markdown]
# Age, sex and site change the AUC by
# {{ quote("subgroups", "beside.image, age, sex and site.roc_auc.gain", "+.3f") }}:
# {{ verdict("subgroups", "beside.image, age, sex and site.roc_auc.gain") }}; and the average
# precision by
# {{ quote("subgroups", "beside.image, age, sex and site.average_precision.gain", "+.3f") }}:
# {{ verdict("subgroups", "beside.image, age, sex and site.average_precision.gain") }}. The way of
# confirmation changes the AUC by
# {{ quote("subgroups", "beside.image and way of confirmation.roc_auc.gain", "+.3f") }}:
# {{ verdict("subgroups", "beside.image and way of confirmation.roc_auc.gain", above="a clear gain", below=None, zero=None) }}.
#
# Should you use it? **No.** Before the biopsy nobody knows this column. A doctor who orders one already
# suspects a melanoma. The model would learn what doctors think, not what skin shows.
#
# The last row is a warning too: age, sex and site **alone**, without any image, have an AUC of
# {{ quote("subgroups", "beside.age, sex and site alone.roc_auc.value", ".2f") }}. In this collection they tell who was examined and why. In
# another clinic that differs.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
name = f"groups-{SIZE}px"
facts = dict(SIZE=SIZE, SEED=SEED)
first = ("AUC, turned 2 minus unchanged", change)
found = {"turned 2 minus unchanged": change}
_ = results.keep(name, lesions.source, lesions.table, facts, found, first)

# %% [markdown]
# ## Key points
#
# - An average hides for whom a model works. Show each group with its interval and its melanomas.
# - The worst of many groups looks bad even if all are equal. Name groups beforehand.
# - A shift of the images can spare the AUC and still break the threshold, without a warning.
# - What is not in the data cannot be claimed: no dark skin, no claim.
# - A column that is known only afterwards is a leak.
#
# ## Check yourself
#
# <details><summary>A group has 4 melanomas, and 2 are found. What do you report?</summary>
# The counts, and that they are too few for a sensitivity.</details>
#
# <details><summary>A new clinic has another camera. What do you do before you use the model there?</summary>
# Collect images with a diagnosis, and measure sensitivity and calibration there. The share of refused
# images shows strong shifts only, and the mean probability also moves with the patients.</details>
#
# <details><summary>Why is AUC lower among lesions that were cut out?</summary>
# The easy ones, which nobody found suspicious, are gone.</details>
#
# ## What comes next
#
# [Lesson {{ number_of("deployment") }}]({{ notebook_of("deployment") }}): a service, a page, and a file for a phone.
#
# ## References
#
# - Chardon, Cretois, Hourseau: Skin colour typology and suntanning pathways. International Journal of
#   Cosmetic Science 13:191, 1991.
# - Daneshjou et al.: Disparities in dermatology AI performance. Science Advances 8:eabq6147, 2022,
#   [doi:10.1126/sciadv.abq6147](https://doi.org/10.1126/sciadv.abq6147).

# %%
ledger.show()
