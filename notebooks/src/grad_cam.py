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
# # {{ number }} · Grad-CAM: what does the model look at?
#
# A heat map on a lesion convinces everybody. But does it show why the network decided? And can you
# trust it more than a map that never saw the image? In this lesson you write Grad-CAM, measure it, and
# catch a network that cheats.

# %% [markdown]
# **You will**
#
# - write Grad-CAM in ten lines of Keras;
# - measure how much of a map lies on the lesion, against a baseline;
# - test maps with random labels and an untrained head;
# - catch a network that learned a ruler instead of melanomas.
#
# **You need** lessons {{ number_of("training") }} and {{ number_of("evaluation") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import ipywidgets
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from utils import artefacts, data, diagrams, evaluation, exercises, explain
from utils import ledger, plots, predict, pretrained, results, splits
from utils.data import synthetic
from utils.quiet import keras
from keras import layers
import tensorflow as tf

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0
EPOCHS = 30

# %% [markdown]
# ## Lesions that know where they are
#
# To judge a map you must know which pixels are the lesion. HAM10000's masks are another download, so
# this lesson works on **drawn** lesions, whose masks we know. Every number from them says SYNTHETIC. At
# the end you look at lesions from your own source.
#
# The network is that of lesson {{ number_of("training") }}: a frozen MobileNetV2 and one `Dense` layer.

# %% tags=["pictures"]
drawn = data.load_lesions("synthetic", 96, splits.mini)
train = drawn.subset("train")
test = drawn.subset("test")

# %%
weights = pretrained.mobilenet_v2(0.35, 96, "synthetic")
size = (96, 96, 3)
base = keras.applications.MobileNetV2(
    size, 0.35, include_top=False, weights=weights
)
base.trainable = False


# %%
def untrained_classifier():
    keras.utils.set_random_seed(SEED)
    scale = layers.Rescaling(1 / 127.5, offset=-1)
    pool = layers.GlobalAveragePooling2D()
    last = layers.Dense(1, activation="sigmoid")
    return keras.Sequential([keras.Input(size), scale, base, pool, last])


# %% [markdown]
# The base is frozen, so we train the last layer on cached features.


# %%
def trained_classifier(images, labels):
    model = untrained_classifier()
    features = keras.Sequential(model.layers[:-1])
    x = features.predict(images, batch_size=200, verbose=0)
    head = keras.Sequential([keras.Input(x.shape[1:]), model.layers[-1]])
    head.compile("adam", "binary_crossentropy")
    head.fit(x, labels, epochs=EPOCHS, verbose=0)
    return model


# %% tags=["pictures"]
def answers(model, images):
    return model.predict(images, batch_size=200, verbose=0)[:, 0]


model = trained_classifier(train.images, train.melanoma)
p = answers(model, test.images)
auc = roc_auc_score(test.melanoma, p)
print(f"SYNTHETIC lesions, test set: AUC {auc:.2f}")

# %% [markdown]
# **AUC** is the chance that a random melanoma gets a higher score than a random other lesion; half is
# guessing. Here it is about 0.75: the network has learned something.
#
# ## Grad-CAM in ten lines

# %%
_ = diagrams.grad_cam()

# %% [markdown]
# The base turns an image into 1,280 small maps of 3 x 3 cells. Grad-CAM asks of each map: if it grew,
# would the **logit** grow? (The logit is the number before the sigmoid.) The answer is a gradient, and
# its mean over the cells is the weight of the map. Then it adds up the weighted maps and keeps what is
# positive: what speaks *for* melanoma.
#
# **Exercise grad_cam.1** Write the last step with NumPy. `maps` and `gradients` have the shape
# (height, width, channels). Return the heat map, shape (height, width).


# %% tags=["exercise"]
def heat_map(maps, gradients):
    return ...


exercises.check("grad_cam.1", heat_map)


# %% tags=["solution"]
def heat_map(maps, gradients):
    weights = gradients.mean(axis=(0, 1))
    return np.maximum((weights * maps).sum(axis=-1), 0)


exercises.check("grad_cam.1", heat_map)

# %% [markdown]
# Now the whole method. `GradientTape` records what happens to `maps`, and then gives the gradient. We
# rebuild the logit from the last layer's kernel and bias, and leave the sigmoid out.


# %%
def grad_cam(model, images):
    kernel, bias = model.layers[-1].weights
    x = tf.cast(images, "float32") / 127.5 - 1
    with tf.GradientTape() as tape:
        maps = base(x, training=False)
        tape.watch(maps)
        logit = tf.reduce_mean(maps, axis=(1, 2)) @ kernel + bias
    gradients = tape.gradient(logit, maps)
    weights = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1)).numpy()


# %% [markdown]
# Is it right? `explain.grad_cam` of the course does the same for any model. It also makes the map as
# large as the image, and divides it by its largest value.

# %%
some = test.take(np.arange(60))
heat = explain.grad_cam(model, some.images)
ours = grad_cam(model, some.images).max(axis=(1, 2)) > 0
print(f"same empty maps: {np.all(ours == (heat.max(axis=(1, 2)) > 0))}")

# %% [markdown]
# **Exercise grad_cam.2** Why the logit? A sure network says p = 0.999. How many times smaller is the slope of
# the probability than the slope of the logit there? (`exercises.hint("grad_cam.2")` gives a hint.)

# %% tags=["exercise"]
times_smaller = ...

exercises.check("grad_cam.2", times_smaller)

# %% tags=["solution"]
times_smaller = 1 / (0.999 * (1 - 0.999))

exercises.check("grad_cam.2", times_smaller)

# %% [markdown]
# ## Look at some

# %% tags=["pictures"]
called = p[:60] >= np.quantile(p, 0.76)  # as many alarms as melanomas
truth = some.melanoma == 1
kinds = {"found": truth & called, "missed": truth & ~called}
kinds["false alarm"] = ~truth & called
chosen = np.concatenate([np.flatnonzero(kinds[k])[:2] for k in kinds])
names = np.repeat(list(kinds), 2)
_ = plots.overlays(some.images[chosen], heat[chosen], names, drawn.source)
# alt: Six drawn lesions, two each found, missed and false alarm; below each the same lesion under its heat map of about three by three soft cells. Some maps lie on the lesion and some beside it.

# %% [markdown]
# The maps are coarse: 3 x 3 cells, made smooth. "No evidence" is an honest answer: nothing in this
# image speaks for melanoma. Earlier layers have finer maps. Move the sliders: does the finer map say
# the same?


# %% tags=["pictures"]
finer = ["out_relu", "block_13_expand_relu", "block_6_expand_relu"]


@ipywidgets.interact(image=(0, 59), layer=finer)
def show(image=0, layer="out_relu"):
    one = some.images[[image]]
    found = explain.grad_cam(model, one, layer)
    plots.overlays(one, found, [f"p = {p[image]:.2f}"], drawn.source)


# %% [markdown]
# ## Can a map be believed?
#
# Looking is not measuring. **Exercise grad_cam.3** Write the share of a map's heat that lies on the lesion.
# `heat` is a map, `mask` is `True` on the lesion; both have the shape (h, w).


# %% tags=["exercise"]
def share_on_lesion(heat, mask):
    return ...


exercises.check("grad_cam.3", share_on_lesion)


# %% tags=["solution"]
def share_on_lesion(heat, mask):
    return heat[mask].sum() / heat.sum()


exercises.check("grad_cam.3", share_on_lesion)

# %% [markdown]
# We compare five maps of `60` test images.
#
# - **Grad-CAM** and **occlusion**. Occlusion covers a square of the image, and measures how far the
#   logit falls.
# - **Random labels**: Grad-CAM of a network that was trained on shuffled labels. **Untrained**: with a
#   random last layer. Both know nothing of melanoma.
# - **Centre blob**: a round hill in the middle, the same for every image. It is the baseline.
#
# Guess the share of Grad-CAM's heat that lies on the lesion. The lesion covers about a quarter of the
# image.

# %%
MY_SHARE = ...
ledger.guess("share of the heat on the lesion", MY_SHARE)

# %%
shuffled = np.random.default_rng(SEED).permutation(train.melanoma)
fooled = trained_classifier(train.images, shuffled)
maps = {"Grad-CAM": heat}
maps["occlusion"] = explain.occlusion(model, some.images, cells=6)
maps["random labels"] = explain.grad_cam(fooled, some.images)
maps["untrained"] = explain.grad_cam(untrained_classifier(), some.images)
maps["centre blob"] = np.stack([explain.centre_blob(96)] * 60)

# %% [markdown]
# The **pointing game** asks a simpler question: does the largest value of the map lie on the lesion?

# %% tags=["pictures"]
masks = synthetic.square_masks(some.table["image_id"], 96)
shares = pd.DataFrame({n: explain.share_inside(maps[n], masks) for n in maps})
points = pd.DataFrame({n: explain.points_inside(maps[n], masks) for n in maps})
print(f"SYNTHETIC lesions; they cover {masks.mean():.2f} of the image")
table = pd.DataFrame({"share on lesion": shares.mean()})
table["points at lesion"] = points.mean()
table["empty maps"] = shares.isna().sum()
ledger.outcome("share of the heat on the lesion", table.iloc[0, 0])
table.round(2)

# %% [markdown]
# Where there is a map, Grad-CAM puts about 0.42 of its heat on the lesion, and the two networks that
# know nothing put less there. So training did change the maps. But the blob reaches about 0.43, and
# points at the lesion nearly always: lesions are photographed in the middle. And half of the Grad-CAM
# maps are empty.
#
# Is the difference to the blob real? We compare on the same images, those with a map.


# %% tags=["pictures"]
def mean(_, share):
    return share.mean()


for name in ["Grad-CAM", "occlusion"]:
    has_map = shares[name].notna()
    a, b = shares.loc[has_map, name], shares.loc[has_map, "centre blob"]
    of_these = some.table[has_map.to_numpy()]
    melanoma = (of_these["dx"] == "mel").astype(int)
    gain = evaluation.difference(mean, melanoma, a, b, of_these["group"])
    print(f"SYNTHETIC, {name} minus centre blob: {gain:+.2f}")

# %% [markdown]
# Both intervals hold zero: inconclusive. We have no evidence that a heat map finds the lesion
# better than the hill. And the shipped model? On
# {{ quote("attribution", "lesions", "d") }} real melanomas (`results/attribution.json`),
# {{ quote("attribution", "maps.Grad-CAM.empty", "d") }} maps of Grad-CAM are empty. The others'
# share on the lesion, minus an equally coarse hill's:
# {{ quote("attribution", "maps.Grad-CAM.share.minus_blob", "+.2f") }},
# {{ verdict("attribution", "maps.Grad-CAM.share.minus_blob", above="*better*", below="*worse*") }}.
# {{ quote("attribution", "random_heads.share.as_high", "d") }} of
# {{ quote("attribution", "random_heads.heads", "d") }} untrained last layers put as much on the
# lesion. If we blur what the map marks, does the probability fall sooner than with the hill?
# {{ verdict("attribution", "maps.Grad-CAM.area.minus_blob", above="No, *later*", below="Yes", zero="Inconclusive") }}.
# Remember that at the next beautiful map.

# %% [markdown]
# A low share is not always the map's fault. Perhaps the network does look at the skin beside the
# lesion. A map can be true and show something bad. That is its best use:
#
# ## A shortcut, caught
#
# In some clinics, doctors lay a ruler beside the lesions that worry them. We do the same to the
# training set: a ruler on every melanoma, and on nothing else.


# %%
def with_rulers(lesions):
    images = lesions.images.copy()
    worry = lesions.melanoma == 1
    images[worry] = artefacts.add("ruler", images[worry])
    return images


cheat = trained_classifier(with_rulers(train), train.melanoma)

# %% tags=["pictures"]
validation = drawn.subset("validation")
p_validation = answers(cheat, with_rulers(validation))
on_validation = roc_auc_score(validation.melanoma, p_validation)
print(f"SYNTHETIC, validation set from this clinic: AUC {on_validation:.2f}")

# %% [markdown]
# A perfect score on validation. Guess the AUC on the test set, where no lesion has a ruler.

# %%
MY_AUC = ...
ledger.guess("AUC without rulers", MY_AUC)

# %% tags=["pictures"]
clean = roc_auc_score(test.melanoma, answers(cheat, test.images))
ledger.outcome("AUC without rulers", clean)
print(f"SYNTHETIC, clean test set: AUC {clean:.2f}")

# %% tags=["pictures"]
ruled = artefacts.add("ruler", some.images[:5])
on_ruler = explain.grad_cam(cheat, ruled, "block_13_expand_relu")
_ = plots.overlays(ruled, on_ruler, [""] * 5, drawn.source)
# alt: Five drawn lesions with a ruler along the lower edge. Below, the heat lies in a band on the ruler and hardly on the lesions.

# %% [markdown]
# From 1.00 to about 0.64. The validation set could not warn us: it had the same rulers. The map does:
# the heat lies on the ruler. We ask the network itself as well.
#
# **Exercise grad_cam.4** Write `moved_by_ruler(model, images)`: the mean change of the probability when
# `artefacts.add("ruler", images)` puts a ruler on each image. We use it on lesions that are no
# melanoma.


# %% tags=["exercise"]
def moved_by_ruler(model, images):
    return ...


exercises.check("grad_cam.4", moved_by_ruler)


# %% tags=["solution"]
def moved_by_ruler(model, images):
    ruled = artefacts.add("ruler", images)
    before = model.predict(images, verbose=0)[:, 0]
    after = model.predict(ruled, verbose=0)[:, 0]
    return (after - before).mean()


exercises.check("grad_cam.4", moved_by_ruler)

# %% tags=["pictures"]
harmless = test.images[test.melanoma == 0]
before = answers(cheat, harmless).mean()
after = answers(cheat, artefacts.add("ruler", harmless)).mean()
print(f"SYNTHETIC, no melanoma: p {before:.2f}, with a ruler {after:.2f}")

# %% [markdown]
# A ruler turns lesions that are no melanoma into melanomas. So: change the image yourself and see
# whether the answer moves. This test is stronger than any map, and it works for each suspicion.
#
# ## The model that this course ships
#
# We put four things on real lesions of the test set of all of HAM10000, one image a lesion. The numbers
# are from `results/artefacts.json`. An **alarm** is a probability at or above the model's threshold.

# %%
measured = results.committed("artefacts")
rows = {}
for name, found in measured["artefacts"].items():
    rows[name] = [f"{kind['alarms']:+.2f}" for kind in found.values()]
columns = [f"alarms, {kind}" for kind in measured["lesions"]]
pd.DataFrame.from_dict(rows, orient="index", columns=columns)

# %% [markdown]
# A ruler changes the alarms for melanomas by
# {{ quote("artefacts", "artefacts.ruler.melanoma.alarms", "+.2f") }}:
# {{ verdict("artefacts", "artefacts.ruler.melanoma.alarms") }}. Drawn **hairs**
# {{ verdict("artefacts", "artefacts.hair.melanoma.alarms", above=None, below="hide melanomas", zero=None) }}:
# without them the model finds {{ quote("artefacts", "alarms.melanoma", ".2f") }} of all, and hairs
# change that by {{ quote("artefacts", "artefacts.hair.melanoma.alarms", "+.2f") }}. No map had
# told us. A coloured patch changes the alarms for other lesions by
# {{ quote("artefacts", "artefacts.coloured patch.not melanoma.alarms", "+.2f") }}:
# {{ verdict("artefacts", "artefacts.coloured patch.not melanoma.alarms") }}. Dark corners change
# those for melanomas by
# {{ quote("artefacts", "artefacts.dark corners.melanoma.alarms", "+.2f") }}:
# {{ verdict("artefacts", "artefacts.dark corners.melanoma.alarms") }}. These are eight
# comparisons: one small change may be chance. The change from hairs is not.
#
# Last, look at lesions from your own source. With 28 x 28 pixels the images are blurred; where you have
# the full images, set `SIZE = 128`.

# %% tags=["pictures"]
lesions = (
    data.load_lesions(SOURCE, SIZE, splits.mini).subset("test").take(range(6))
)
shipped = predict.load_model()[0]
p_shipped = predict.melanoma_probability(lesions.images, shipped)
on_real = explain.grad_cam(shipped, lesions.images, "block_13_expand_relu")
names = [f"p = {one:.2f}" for one in p_shipped]
_ = plots.overlays(lesions.images, on_real, names, lesions.source)
# alt: Six drawn lesions with the shipped model's probability, and below each its heat map.

# %% [markdown]
# ## Key points
#
# - Grad-CAM: weight each map by its mean gradient, add up, keep what is positive. Take the logit.
# - A map needs a baseline. A hill in the middle is a strong one.
# - A map must change when the labels are random. Check it.
# - A shortcut gives perfect validation scores. Maps and changed images reveal it.
# - A map says where the network looks. It does not say that the network is right.
#
# ## Check yourself
#
# <details><summary>A map lies on the lesion. Does the network know melanomas?</summary>
# No. A hill in the middle lies on the lesion too.</details>
#
# <details><summary>Your map is zero everywhere. Name two causes.</summary>
# Nothing speaks for this output; or you took the gradient of a probability near 0 or 1.</details>
#
# <details><summary>Validation AUC is {{ shown("1.00") }}. What do you try first?</summary>
# Look for a shortcut: maps, and images with the suspected mark added or removed.</details>
#
# ## What comes next
#
# Melanoma or everything else? What hides in everything else?
# [{{ number_of("seven_diagnoses") }} · Seven diagnoses]({{ notebook_of("seven_diagnoses") }})
#
# ## References
#
# - Selvaraju et al.: Grad-CAM. ICCV 2017, [arXiv:1610.02391](https://arxiv.org/abs/1610.02391).
# - Zeiler, Fergus: Visualizing and Understanding Convolutional Networks. ECCV 2014,
#   [arXiv:1311.2901](https://arxiv.org/abs/1311.2901) (occlusion).
# - Adebayo et al.: Sanity Checks for Saliency Maps. NeurIPS 2018,
#   [arXiv:1810.03292](https://arxiv.org/abs/1810.03292).
# - Zhang et al.: Top-down Neural Attention by Excitation Backprop. ECCV 2016,
#   [arXiv:1608.00507](https://arxiv.org/abs/1608.00507) (the pointing game).
# - Petsiuk, Das, Saenko: RISE. BMVC 2018, [arXiv:1806.07421](https://arxiv.org/abs/1806.07421) (removing
#   what a map marks).
# - Tschandl et al.: Human–computer collaboration for skin cancer recognition. Nature Medicine 26:1229,
#   2020 (the masks of HAM10000).

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
_ = results.keep(
    "grad_cam",
    drawn.source,
    drawn.table,
    dict(SEED=SEED, EPOCHS=EPOCHS),
    {
        "share_on_lesion": dict(table["share on lesion"]),
        "points_at_lesion": dict(table["points at lesion"]),
        "shortcut": {"validation": on_validation, "clean_test": clean},
    },
    headline=("occlusion minus centre blob, share on the lesion", gain),
)

# %%
ledger.show()
