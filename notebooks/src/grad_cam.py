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
# A heat map on an image seems to explain a network. In this lesson a network reaches a perfect score,
# and a heat map shows how: with a ruler. Then we ask how far such maps can be trusted.

# %% [markdown]
# **You will**
#
# - catch a network that learned a ruler instead of melanomas;
# - write Grad-CAM with Keras;
# - compare heat maps with the outlines of real melanomas.
#
# **New words**: shortcut, logit, Grad-CAM, heat map, mask
#
# **You need** lessons {{ number_of("training") }} and {{ number_of("intervals") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
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
# Some doctors lay a ruler beside a lesion when it worries them. We play such a clinic: every
# **melanoma** gets a *drawn* ruler, and nothing else does.

# %% tags=["samples"]
samples = data.load_set("samples", 128)
five = samples.take([4, 33, 6, 51, 1])


def ruler_on_melanomas(images, melanoma):
    images = images.copy()
    worry = melanoma == 1
    images[worry] = artefacts.add("ruler", images[worry])
    return images


clinic = ruler_on_melanomas(five.images, five.melanoma)
heading = "In this clinic a ruler lies beside melanomas only"
_ = plots.gallery(clinic, list(five.table["label"]), heading)
# alt: Five real skin lesions. The two melanomas have dark ticks along the lower edge of the image, the three others have none.

# %% [markdown]
# We do the same with HAM10000's training and validation images.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
validation = lesions.subset("validation")
x_train = keras.ops.image.resize(train.images.astype("float32"), (96, 96))
x_train = np.uint8(x_train)
x_validation = validation.images.astype("float32")
x_validation = np.uint8(keras.ops.image.resize(x_validation, (96, 96)))

# %%
ruled_train = ruler_on_melanomas(x_train, train.melanoma)
ruled_validation = ruler_on_melanomas(x_validation, validation.melanoma)

# %% [markdown]
# The base, MobileNetV2, is frozen. It turns an image into 1,280 **feature maps** of 3 x 3 cells, and we
# train only a head on them. The head gives the **logit**: the number that a sigmoid turns into a
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
first = with_rulers.predict(maps, verbose=0)[:, 0]
second = without_rulers.predict(maps, verbose=0)[:, 0]
auc = evaluation.estimate(roc_auc_score, y, first, lesion)
difference = evaluation.difference(roc_auc_score, y, first, second, lesion)
ledger.outcome("AUC without rulers", auc, lesions.source)
print(f"trained with rulers: {auc:.2f}")
print(f"trained without: {roc_auc_score(y, second):.2f}")
print(f"paired difference: {difference:+.2f}")

# %% [markdown]
# From 1.00 to 0.64, on the same lesions. (In brackets: the score on very many such images probably lies
# in here.) A network that never saw a ruler is better: the interval of the difference lies below zero.
#
# The first network learned a **shortcut**: a sign that gives the answer in these images and has nothing
# to do with the disease. Validation could not warn us: it had the same rulers.

# %% [markdown]
# ## Grad-CAM finds the ruler
#
# **Grad-CAM** gives each feature map a weight: if its values grow, how much does the logit grow? That is
# a gradient, averaged over the cells. We multiply each feature map by its weight and add them all. We keep
# what is positive (ReLU), since it speaks *for* melanoma: this is the **heat map**.

# %%
_ = diagrams.grad_cam()

# %% [markdown]
# *(A sketch, its numbers are invented.)* TensorFlow's `GradientTape` records what the head computes, and
# gives the gradient, one number for each cell of each map:


# %%
def gradients_of(head, maps):
    maps = tf.convert_to_tensor(maps)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        logit = head(maps)
    return tape.gradient(logit, maps)


# %% [markdown]
# **Exercise grad_cam.1** Write `grad_cam(head, maps)`: `gradients_of`, then `mean`, `sum` and `relu` of
# `keras.ops`. `maps` has the shape (images, rows, columns, channels); return one heat map an image, shape
# (images, rows, columns). (`exercises.hint("grad_cam.1")` gives a hint.)


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
heads = {"without rulers": without_rulers, "with rulers": with_rulers}
maps_ruled = maps_of(artefacts.add("ruler", x_validation))
heats = [np.mean(grad_cam(head, maps_ruled), 0) for head in heads.values()]

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
figure, axes = plt.subplots(1, 2, figsize=(7, 3.2))
for ax, name, heat in zip(axes, heads, heats, strict=True):
    sns.heatmap(heat, vmin=0, vmax=np.max(heats), annot=True, fmt=".2f", ax=ax)
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.set_title(
        f"trained {name}:\n{heat[2].sum() / heat.sum():.0%} of the heat in the lower row"
    )
    ax.set_xlabel("lower edge of the image: the ruler")
_ = figure.suptitle("Mean heat map of 200 images with a ruler")
# alt: Two heat maps of 3 x 3 cells on one scale, means over 200 images. Without rulers in training the heat is low everywhere. With them it is high in the lower row, where the ruler lies.

# %% [markdown]
# With rulers in training, most of the heat lies in the lower row. Does the ruler also *change* the answer?
#
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
for name, head in heads.items():
    whole = keras.Sequential([base, head, layers.Activation("sigmoid")])
    print(f"trained {name}: {moved_by_ruler(whole, no_melanoma):+.2f}")

# %% [markdown]
# These lesions are no melanomas. After a training with rulers, a ruler raises their probability by 0.87 on
# average. Such a test says more than a heat map.

# %% [markdown]
# ## Is a heat map true?
#
# Now the model that the course ships. Many programs divide each heat map by its own largest value (middle
# row). The lower row has **one scale** for all six.

# %% tags=["samples"]
shipped = predict.load_model()[0]
six = samples.take([4, 8, 59, 25, 46, 27])
maps_of_six = {
    "own scale": explain.grad_cam(shipped, six.images),
    "one scale": explain.grad_cam(shipped, six.images, own_scale=False),
}
labels = list(six.table["label"])
heading = "The same heat maps, each on its own scale and all on one"
_ = plots.overlays(six.images, maps_of_six, labels, heading)
# alt: Six real lesions. Below, each under its heat map on its own scale: all but the last are bright somewhere, often at the edge of the image. In the last row, on one scale, the first is bright, the second faintly, and the others hardly or not at all.

# %% [markdown]
# On its own scale, a heat map that says almost nothing glows like any other. The last one is zero
# everywhere: no sum is positive. And many bright spots lie beside the lesion.

# %% [markdown]
# Six images are no measurement. A **mask** says which pixels are the lesion. For
# {{ quote("attribution", "lesions", "d") }} melanomas of HAM10000's test set, one image each, we measured
# the share of the heat that lies on the lesion. Beside it stands a **hill**: one round spot in the middle,
# equally coarse, the same for every image.

# %%
each = results.committed("attribution")["maps"]["Grad-CAM"]["each"]
shares = pd.DataFrame({"Grad-CAM": each["map"], "hill": each["blob"]})
shares.describe().loc[["count", "mean"]].round(2)

# %% [markdown]
# {{ quote("attribution", "maps.Grad-CAM.empty", "d") }} heat maps are zero everywhere, and have no share (`NaN`).
#
# **Exercise grad_cam.3** Which is better? Write `gain(shares)`: the mean paired difference, Grad-CAM minus
# hill. Careful: `mean` leaves out `NaN` in each column separately.


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
print(f"mean paired difference: {gain(shares):+.3f}")

# %% [markdown]
# With its interval, on the melanomas with both: {{ quote("attribution", "maps.Grad-CAM.share.minus_blob", "+.3f") }}. {{ verdict("attribution", "maps.Grad-CAM.share.minus_blob", below="A hill, which has seen no image, lies on these melanomas better than the heat map", above=None, zero=None) }}.
# Photographers put the lesion in the middle. So "the heat map lies on the lesion" proves very little.

# %% [markdown]
# Does the heat map say nothing, then? Three more tests:
#
# - Against *random numbers*, equally coarse: {{ quote("attribution", "maps.Grad-CAM.share.minus_random", "+.3f") }},
#   {{ verdict("attribution", "maps.Grad-CAM.share.minus_random") }}.
# - Against *random weights* in the last layer, {{ quote("attribution", "random_heads.heads", "d") }} times:
#   {{ quote("attribution", "random_heads.share.as_high", "d") }} of these networks put at least as much of their heat on
#   the lesions. Fewer than five ({{ fact("5 %", "five of a hundred") }}) would be evidence that the learned weights matter.
# - *Blur* the hottest places first: if the model needs them, the probability falls soon.
#   {{ verdict("attribution", "maps.Grad-CAM.area.minus_random", below="It falls sooner than at random places", above=None, zero=None) }}, but
#   {{ verdict("attribution", "maps.Grad-CAM.area.minus_blob", above="later than from the middle outwards", below=None, zero=None) }} (both clear).

# %% [markdown]
# **So where does it look, and is that true?** A heat map can reveal a shortcut that a perfect score
# hides. But this model's heat maps, where there are any, lie on melanomas less well than a hill in the middle. A heat map is a
# suspicion; test it.

# %% [markdown]
# ## Key points
#
# - A shortcut deceives wherever it is, also in validation. Remove it, and score again.
# - Grad-CAM: multiply each feature map by its mean gradient, add up, keep what is positive.
# - Show heat maps on one scale, and compare them with one that has seen no image.
#
# ## Check yourself
#
# <details><summary>Why did the validation images not warn us of the ruler?</summary>
# They came from the same clinic: the same rulers lay beside the same kind of lesions.</details>
#
# <details><summary>Two heat maps glow equally. Do they say the same?</summary>
# Only if they have one scale. On its own scale each of them reaches the brightest colour.</details>
#
# <details><summary>A heat map lies on the lesion. Why is that no proof?</summary>
# Lesions are photographed in the middle. A hill in the middle lies on them too.</details>

# %% [markdown]
# ## What comes next
#
# A heat map does not say when to distrust an answer. Does the probability?
# [{{ number_of("confidence") }} · Confidence]({{ notebook_of("confidence") }})
#
# ## References
#
# - Selvaraju et al.: Grad-CAM. ICCV 2017, [arXiv:1610.02391](https://arxiv.org/abs/1610.02391).
# - Adebayo et al.: Sanity checks for saliency maps. NeurIPS 2018,
#   [arXiv:1810.03292](https://arxiv.org/abs/1810.03292) (random weights).
# - Petsiuk, Das, Saenko: RISE. BMVC 2018, [arXiv:1806.07421](https://arxiv.org/abs/1806.07421)
#   (removing what a heat map marks).
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
