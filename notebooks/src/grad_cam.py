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
# # {{ number }} · Grad-CAM: where does it look, and is that true?
#
# A heat map on a lesion convinces almost everybody. In this lesson a network reaches a perfect score,
# and a heat map shows how: it looks at a ruler. Then we ask how far such maps can be trusted.

# %% [markdown]
# **You will**
#
# - catch a network that learned a ruler instead of melanomas;
# - write Grad-CAM with Keras;
# - compare heat maps with the outlines of real melanomas.
#
# **New words**: shortcut, logit, Grad-CAM, mask
#
# **You need** lessons {{ number_of("training") }} and {{ number_of("intervals") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from scipy.stats import ttest_1samp
from sklearn.metrics import roc_auc_score

from utils import artefacts, data, diagrams, evaluation, exercises
from utils import explain, ledger, plots, predict, pretrained, results, splits
from utils.quiet import keras
from keras import layers
from keras.applications import MobileNetV2
import tensorflow as tf

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0
EPOCHS = 30

# %% [markdown]
# **Do you remember?**
#
# <details><summary>Lesson {{ number_of("seven_diagnoses") }}: is everything else than melanoma
# harmless?</summary>
# No. Basal-cell carcinoma is skin cancer, and actinic keratosis and Bowen's disease are precursors or
# early forms of it.</details>
#
# <details><summary>Lesson {{ number_of("clinic") }}: a model moves to a clinic with fewer melanomas. What
# happens to the share of its positives that are melanomas?</summary>
# It falls, even if sensitivity and specificity stay.</details>

# %% [markdown]
# ## A ruler gives a perfect score
#
# Some doctors lay a ruler beside a lesion when it worries them. So in a clinic's images, a ruler may
# be a sign of melanoma. Here are five real lesions with a **drawn** ruler:

# %% tags=["samples"]
samples = data.load_set("samples", 128)
five = samples.take([4, 33, 6, 51, 1])
ruled = artefacts.add("ruler", five.images)
heading = "A ruler beside two melanomas and three other lesions"
_ = plots.gallery(ruled, list(five.table["label"]), heading)
# alt: Five real skin lesions, each with dark ticks along the lower edge of its image.

# %% [markdown]
# Now we play a careless clinic. In HAM10000's training and validation images, every **melanoma** gets a
# ruler, and nothing else does.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
validation = lesions.subset("validation")
x_train = keras.ops.image.resize(train.images.astype("float32"), (96, 96))
x_train = np.uint8(x_train)
x_validation = validation.images.astype("float32")
x_validation = np.uint8(keras.ops.image.resize(x_validation, (96, 96)))


def ruler_on_melanomas(images, melanoma):
    images = images.copy()
    worry = melanoma == 1
    images[worry] = artefacts.add("ruler", images[worry])
    return images


# %%
ruled_train = ruler_on_melanomas(x_train, train.melanoma)
ruled_validation = ruler_on_melanomas(x_validation, validation.melanoma)

# %% [markdown]
# The base, MobileNetV2, is frozen. It turns an image into 1,280 small maps of 3 x 3 cells, and we train
# only a head on them. The head gives the **logit**: the number that a sigmoid turns into a
# probability.

# %%
weights = pretrained.mobilenet_v2(0.35, 96, lesions.source)
network = MobileNetV2((96, 96, 3), 0.35, include_top=False, weights=weights)
scale = layers.Rescaling(1 / 127.5, offset=-1)
base = keras.Sequential([keras.Input((96, 96, 3)), scale, network])


def maps_of(images):
    return base.predict(images, batch_size=100, verbose=0)


def trained_head(maps, melanoma):
    keras.utils.set_random_seed(SEED)
    head = keras.Sequential([layers.GlobalAveragePooling2D(), layers.Dense(1)])
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    head.compile("adam", loss)
    head.fit(maps, melanoma, epochs=EPOCHS, verbose=0)
    return head


# %%
with_rulers = trained_head(maps_of(ruled_train), train.melanoma)
logits = with_rulers.predict(maps_of(ruled_validation), verbose=0)[:, 0]
print(f"validation AUC: {roc_auc_score(validation.melanoma, logits):.2f}")

# %% [markdown]
# Perfect! (The AUC is the chance that a random melanoma gets a higher score than a random other lesion;
# 0.5 is guessing.) Now take the rulers off the same validation images. Guess the AUC.

# %%
MY_AUC = ...
ledger.guess("AUC without rulers", MY_AUC)

# %%
without_rulers = trained_head(maps_of(x_train), train.melanoma)
maps = maps_of(x_validation)
y, lesion = validation.melanoma, validation.table["group"]
cheat = with_rulers.predict(maps, verbose=0)[:, 0]
honest = without_rulers.predict(maps, verbose=0)[:, 0]
auc_without = evaluation.estimate(roc_auc_score, y, cheat, lesion)
loss_of_auc = evaluation.difference(roc_auc_score, y, cheat, honest, lesion)
ledger.outcome("AUC without rulers", auc_without)
print(f"AUC without rulers: {auc_without:.2f}")
print(f"minus a network trained without: {loss_of_auc:+.2f}")

# %% [markdown]
# From 1.00 to 0.64. (In brackets: the score on very many such images probably lies in here.) A network
# that never saw a ruler in training does better: the paired difference lies below zero.
#
# The first network learned a **shortcut**: a sign that gives the answer in these images and has nothing
# to do with the disease. Its validation images could not warn us: they had the same rulers.

# %% [markdown]
# ## Grad-CAM finds the ruler
#
# **Grad-CAM** gives each of the 1,280 maps a weight: if the map's values grow, how much does the logit
# grow? That is a gradient, averaged over the cells. The sum of all weighted maps, where it is positive,
# is the heat map: what speaks *for* melanoma.

# %%
_ = diagrams.grad_cam()

# %% [markdown]
# *(A sketch, its weights are invented.)* TensorFlow's `GradientTape` notes what happens to `maps`, and
# gives the gradient:


# %%
def gradients_of(head, maps):
    maps = tf.convert_to_tensor(maps)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        logit = head(maps)
    return tape.gradient(logit, maps)


# %% [markdown]
# **Exercise grad_cam.1** Write the whole: begin with `gradients_of`, and go on with `mean`, `sum` and
# `relu` of `keras.ops`. Return one heat map an image, shape (images, rows, columns).
# (`exercises.hint("grad_cam.1")` gives a hint.)


# %% tags=["exercise"]
def grad_cam(head, maps):
    return ...


exercises.check("grad_cam.1", grad_cam)


# %% tags=["solution"]
def grad_cam(head, maps):
    gradients = gradients_of(head, maps)
    weights = keras.ops.mean(gradients, axis=(1, 2), keepdims=True)
    heat = keras.ops.sum(weights * maps, axis=-1)
    return keras.ops.relu(heat)


exercises.check("grad_cam.1", grad_cam)

# %% [markdown]
# We lay a ruler on *all* 200 validation images, and take the mean of their heat maps.

# %%
grad_cam = exercises.use("grad_cam.1", grad_cam)
maps_ruled = maps_of(artefacts.add("ruler", x_validation))
mean_heat = {
    "trained without rulers": np.mean(grad_cam(without_rulers, maps_ruled), 0),
    "trained with rulers": np.mean(grad_cam(with_rulers, maps_ruled), 0),
}

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
figure, axes = plt.subplots(1, 2, figsize=(7, 3.2))
hottest = np.max(list(mean_heat.values()))
for ax, (name, heat) in zip(axes, mean_heat.items()):
    sns.heatmap(heat, vmin=0, vmax=hottest, annot=True, fmt=".2f", ax=ax)
    ax.set(title=name, aspect="equal", xticks=[], yticks=[])
    ax.set_xlabel("lower edge of the image: the ruler")
_ = figure.suptitle("The network trained with rulers looks at the lower edge")
# alt: Two heat maps of 3 x 3 cells on one scale, means over 200 images. Without rulers in training the heat is low everywhere. With them it is high in the lower row, where the ruler lies.

# %% [markdown]
# Both have one scale. With rulers in training, the heat lies in the lower row. The map is coarse, three
# cells by three, but it found the ruler. Does the ruler *change* the answer? Ask the network.

# %% [markdown]
# **Exercise grad_cam.2** Write `moved_by_ruler(model, images)`: put a ruler on each image with
# `artefacts.add("ruler", images)`, predict before and after, and return the mean change of the
# probability.


# %% tags=["exercise"]
def moved_by_ruler(model, images):
    return ...


exercises.check("grad_cam.2", moved_by_ruler)


# %% tags=["solution"]
def moved_by_ruler(model, images):
    before = model.predict(images, verbose=0)
    after = model.predict(artefacts.add("ruler", images), verbose=0)
    return np.mean(after - before)


exercises.check("grad_cam.2", moved_by_ruler)

# %%
moved_by_ruler = exercises.use("grad_cam.2", moved_by_ruler)
no_melanoma = x_validation[validation.melanoma == 0]
heads = {"without rulers": without_rulers, "with rulers": with_rulers}
for name, head in heads.items():
    whole = keras.Sequential([base, head, layers.Activation("sigmoid")])
    print(f"{name}: {moved_by_ruler(whole, no_melanoma):+.2f}")

# %% [markdown]
# These lesions are no melanomas, and a ruler lifts their probability by 0.87: the shortcut decides. Such
# a test is stronger than a map, and it works for every suspicion that you can draw.

# %% [markdown]
# ## Is a map true?
#
# What does Grad-CAM say of the model that the course ships? Many programs divide each map by its own
# largest value, as in the middle row. The lower row has **one scale** for all six images. (`p` is the
# mean of many views of an image; the maps show one view.)

# %% tags=["samples"]
shipped = predict.load_model()[0]
some = samples.images[[4, 8, 59, 25, 46, 27]]
p = predict.melanoma_probability(some, shipped)
maps_of_six = {
    "own scale": explain.grad_cam(shipped, some),
    "one scale": explain.grad_cam(shipped, some, own_scale=False),
}
names = [f"p = {one:.2f}" for one in p]
heading = "On its own scale nearly every map glows; on one scale, few do"
_ = plots.overlays(some, maps_of_six, names, heading)
# alt: Six real lesions with the model's probability of melanoma, the highest first. Below, each under its heat map on its own scale, all but the last bright somewhere, often at the edge of the image. In the last row one scale: only the maps of the first two are bright.

# %% [markdown]
# On its own scale, a map that says almost nothing glows like any other. The last map is zero everywhere:
# nothing in the image speaks for melanoma. And the bright spots? Nearly all lie beside the lesion.

# %% [markdown]
# Looking at six is not measuring. A **mask** says which pixels are the lesion; a dermatologist checked
# those of HAM10000. For the {{ quote("attribution", "lesions", "d") }} melanomas of its test set, one
# image a lesion, we measured the share of a map's heat that lies on the lesion. Beside it stands a
# **hill**: a round spot in the middle, as coarse as the map, the same for every image. It has seen
# nothing.

# %%
record = results.committed("attribution")["maps"]["Grad-CAM"]
shares = pd.DataFrame(record["each"]).drop(columns="probability")
shares.columns = ["Grad-CAM", "hill"]
shares.describe().loc[["count", "mean"]].round(2)

# %% [markdown]
# `count` tells that some maps are missing (`NaN`): they are zero everywhere and have no share.
#
# **Exercise grad_cam.3** Is Grad-CAM better than the hill? Write `gain(shares)`: the mean paired
# difference, Grad-CAM minus hill. Careful: pandas leaves out `NaN` column by column.


# %% tags=["exercise"]
def gain(shares):
    return ...


exercises.check("grad_cam.3", gain)


# %% tags=["solution"]
def gain(shares):
    return (shares["Grad-CAM"] - shares["hill"]).mean()


exercises.check("grad_cam.3", gain)

# %%
gain = exercises.use("grad_cam.3", gain)
pairs = shares.dropna()
test = ttest_1samp(pairs["Grad-CAM"] - pairs["hill"], 0)
low, high = test.confidence_interval()
print(f"{len(pairs)} pairs: {gain(shares):+.3f} [{low:+.3f}, {high:+.3f}]")

# %%
ax = sns.scatterplot(shares, x="hill", y="Grad-CAM", color=plots.MELANOMA)
ax.axline((0, 0), slope=1, color="black", linestyle="--")
ax.set(xlabel="hill: share on the lesion", aspect="equal")
ax.set_ylabel("Grad-CAM: share on the lesion")
_ = ax.set_title("The hill lies on most melanomas better than Grad-CAM")
# alt: One dot for each melanoma. Most dots lie below the dashed diagonal, where Grad-CAM and hill would have equal shares.

# %% [markdown]
# {{ verdict("attribution", "maps.Grad-CAM.share.minus_blob", below="The interval lies below zero: a hill that has seen nothing lies better on melanomas than the map", above=None, zero=None) }}.
# Photographers put the lesion in the middle. So "the map lies on the lesion" proves very little.

# %% [markdown]
# Is it the map's fault? Two more tests, on the same melanomas:
#
# - We gave the network {{ quote("attribution", "random_heads.heads", "d") }} heads of random numbers. {{ quote("attribution", "random_heads.share.as_high", "d") }} of
#   them put at least as much heat on the lesion as the trained head.
# - We blurred first what the map marks. Does the probability fall sooner than with the hill?
#   {{ verdict("attribution", "maps.Grad-CAM.area.minus_blob", above="No, later.", below="Yes, a little.", zero="Inconclusive.") }}
#
# Other networks and other methods may do better. Make such tests before you show a map.

# %% [markdown]
# **So where does it look, and is that true?** A heat map can reveal a shortcut that a perfect score
# hides. But on melanomas, this model's maps lie worse than a hill in the middle. So a map does not prove
# that the model uses the lesion.

# %% [markdown]
# ## Key points
#
# - A shortcut gives a perfect score wherever the same shortcut is. Remove it, and score again.
# - Grad-CAM: weigh each map by its mean gradient, add up, keep what is positive. Show several maps on
#   one scale.
# - Measure a map against something that has seen nothing, on the same images.
#
# ## Check yourself
#
# <details><summary>Why did the validation images not warn us of the ruler?</summary>
# They came from the same clinic: the same rulers lay beside the same kind of lesions.</details>
#
# <details><summary>Two maps glow equally. Do they say the same?</summary>
# Only if they have one scale. On its own scale each map reaches the brightest colour.</details>
#
# <details><summary>A map lies on the lesion. Why is that no proof?</summary>
# Lesions are photographed in the middle. A hill in the middle lies on them too.</details>

# %% [markdown]
# ## What comes next
#
# A map does not tell when to distrust an answer. Can the model tell itself?
# [{{ number_of("confidence") }} · Confidence]({{ notebook_of("confidence") }})
#
# ## References
#
# - Selvaraju et al.: Grad-CAM. ICCV 2017, [arXiv:1610.02391](https://arxiv.org/abs/1610.02391).
# - Adebayo et al.: Sanity checks for saliency maps. NeurIPS 2018,
#   [arXiv:1810.03292](https://arxiv.org/abs/1810.03292) (random heads).
# - Petsiuk, Das, Saenko: RISE. BMVC 2018, [arXiv:1806.07421](https://arxiv.org/abs/1806.07421)
#   (removing what a map marks).
# - Narla et al.: Automated classification of skin lesions: from pixels to practice. Journal of
#   Investigative Dermatology 138:2108, 2018,
#   [doi:10.1016/j.jid.2018.06.175](https://doi.org/10.1016/j.jid.2018.06.175) (rulers).
# - Tschandl et al.: Human–computer collaboration for skin cancer recognition. Nature Medicine 26:1229,
#   2020, [doi:10.1038/s41591-020-0942-0](https://doi.org/10.1038/s41591-020-0942-0) (the masks).
#   [data/README.md](https://github.com/{{ repository }}/blob/{{ branch }}/data/README.md) says where to get
#   them (Dataverse, or Kaggle's mount); then `python -m experiments attribution` repeats the measurement.
# - The lesions that are shown: ISIC 2016 challenge, CC0; sources in
#   [data/samples](https://github.com/{{ repository }}/blob/{{ branch }}/data/samples/README.md).

# %%
exercises.progress()

# %%
ledger.show()
