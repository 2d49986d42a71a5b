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
# # {{ number }} · Better models: climb a ladder, one change a rung
#
# Train all layers. Augment. Balance the classes. Get more images. Average several models. Every blog
# recommends all of it at once, and then nobody knows what helped. We change one thing at a time and
# measure each step against the one before.

# %% [markdown]
# **You will**
#
# - train all layers with AdamW, a warm-up and a cosine;
# - use Keras's augmentation layers, in a model and in a pipeline;
# - average eight views of an image;
# - read a ladder of paired gains, measured on {{ quote("ladder", "n_images", ",") }} test images.
#
# **You need** lessons {{ number_of("fine_tuning") }} and {{ number_of("evaluation") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from utils import data, diagrams, evaluation, exercises
from utils import ledger, models, plots, pretrained, results, splits
from utils.baselines import baseline_probabilities
from utils.quiet import keras
from keras import layers
import tensorflow as tf

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0
EPOCHS = 6

# %% [markdown]
# ## Which step helps most?

# %%
_ = diagrams.ladder()

# %% [markdown]
# Each rung keeps everything of the rung below and changes one thing. We score a rung by its **AUC**:
# the chance that a random melanoma gets a higher score than a random other lesion; half is guessing.
# The **gain** of a rung is the paired difference to the rung below, on the same images.
#
# Guess before you look: by how much does the AUC rise if the training set grows from 600 images to
# 6,015?

# %%
MY_GAIN = ...  # such as 0.05
ledger.guess("gain in AUC from all images", MY_GAIN)

# %% [markdown]
# First we climb three rungs ourselves, with 600 images. The baseline to beat sees colours only.

# %%
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
validation = lesions.subset("validation")
test = lesions.subset("test")
y = validation.melanoma
baselines = baseline_probabilities(train, validation, test)
colours, test_colours = baselines["colour baseline"]
print(f"colour baseline: AUC {roc_auc_score(y, colours):.2f}")

# %% [markdown]
# ## All layers learn
#
# One function builds every model of this lesson. Here the whole base learns. `first` takes layers
# that come before everything else. The network sees 48 x 48 pixels, which saves time. BatchNorm
# learns too, with a momentum of `0.9`, for the reason in lesson {{ number_of("fine_tuning") }}.

# %%
INPUT = 48
weights = pretrained.mobilenet_v2(0.35, 96, lesions.source)


def network(first=()):
    keras.utils.set_random_seed(SEED)
    base = keras.applications.MobileNetV2(
        (INPUT, INPUT, 3), 0.35, include_top=False, weights=weights
    )
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9
    inputs = keras.Input((SIZE, SIZE, 3))
    x = inputs
    for layer in first:
        x = layer(x)
    x = layers.Resizing(INPUT, INPUT)(x)
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = layers.GlobalAveragePooling2D()(base(x))
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))


# %% [markdown]
# The new head is random. Its first gradients would disturb all layers. So the learning rate starts at
# zero and rises: the **warm-up**. Then it falls along half a cosine to zero. The last steps are tiny,
# so we need no early stopping. `AdamW` is Adam that also pulls every weight slightly towards zero.

# %%
BATCH = 64
steps = EPOCHS * int(np.ceil(len(train) / BATCH))
warm_up = steps // 10
rate = keras.optimizers.schedules.CosineDecay(
    0.0, steps - warm_up, warmup_target=1e-3, warmup_steps=warm_up
)

figure, ax = plt.subplots(figsize=(6, 2.4), layout="constrained")
ax.plot([float(rate(step)) for step in range(steps)])
_ = ax.set(xlabel="step", ylabel="learning rate")
# alt: The learning rate by step. It rises in a straight line to 0.001 in the first tenth, then falls along half a cosine to zero.

# %% [markdown]
# **Exercise better_models.1** Write this schedule yourself: `my_rate(step, steps, warm_up, peak)`. It rises in a
# straight line from 0 to `peak` at step `warm_up`. Then it falls along half a cosine to 0 at step
# `steps`. (`exercises.hint("better_models.1")` gives a hint.)


# %% tags=["exercise"]
def my_rate(step, steps, warm_up, peak):
    return ...


exercises.check("better_models.1", my_rate)


# %% tags=["solution"]
def my_rate(step, steps, warm_up, peak):
    if step < warm_up:
        return peak * step / warm_up
    done = (step - warm_up) / (steps - warm_up)
    return peak * (1 + np.cos(np.pi * done)) / 2


exercises.check("better_models.1", my_rate)

# %% [markdown]
# Now train all layers. How good are they on images they know, and on new ones?


# %%
def fit(model):
    adam = keras.optimizers.AdamW(rate, weight_decay=1e-4)
    adam.build(model.trainable_variables)  # now: halves the time before step 1
    model.compile(optimizer=adam, loss="binary_crossentropy")
    options = dict(batch_size=BATCH, epochs=EPOCHS, verbose=0)
    model.fit(train.images, train.melanoma, **options)


def auc_of(model, images, labels):
    p = model.predict(images, batch_size=200, verbose=0)[:, 0]
    return roc_auc_score(labels, p)


def row(model):
    training_auc = auc_of(model, train.images, train.melanoma)
    return [training_auc, auc_of(model, validation.images, y)]


# %%
all_layers = network()
fit(all_layers)
aucs = pd.DataFrame({"all layers": row(all_layers)}).T
aucs.columns = ["training AUC", "validation AUC"]
aucs.round(2)

# %% [markdown]
# After 6 epochs the training AUC is 1.00: nearly every melanoma has a higher score than every
# other training image. The validation AUC is about 0.82. With 600 images and
# {{ fact("400,000", "410,208 without the head") }} weights the network **memorises**: it stores
# the images instead of learning what they share.
#
# ## Augmentation: a new view in every epoch

# %%
_ = diagrams.augmentation()

# %% [markdown]
# A lesion has no top. Turned or mirrored it is the same lesion. Keras has layers that change images at
# random. Two checks first: they must change images in training, and leave them alone in prediction.

# %%
augment = [
    layers.RandomFlip("horizontal_and_vertical", seed=SEED),
    layers.RandomRotation(0.25, fill_mode="reflect", seed=SEED),
]
views = keras.Sequential(augment)
some = train.images[:64].astype("float32")
for on in [True, False]:
    change = np.abs(views(some, training=on) - some).mean()
    print(f"training={on}: a pixel changes by {change:.0f} on average")

# %% [markdown]
# `fit` calls a model with `training=True`, `predict` with `training=False`. Look at the views as well:

# %% tags=["pictures"]
figure, axes = plt.subplots(1, 8, figsize=(8, 1.5), layout="constrained")
lesion = np.repeat(some[:1], 8, axis=0)
for ax, image in zip(axes, views(lesion, training=True), strict=True):
    ax.imshow(np.array(image) / 255)
    ax.axis("off")
_ = figure.suptitle(plots.title("One lesion, eight views", lesions.source))
# alt: The same lesion eight times, each time flipped or turned in another way.

# %% [markdown]
# Augmentation can stand in two places.
#
# - **In the model**, as its first layers: it is saved with the model, runs on the GPU and switches
#   itself off in prediction.
# - **In the pipeline**, with `dataset.map`: the CPU makes views while the GPU trains. The saved model
#   is free of it. You must say `training=True`, and leave it out of validation and test. It stands
#   *after* `cache`, or every epoch sees the same views.

# %%
pipeline = tf.data.Dataset.from_tensor_slices((train.images, train.melanoma))
pipeline = pipeline.cache().shuffle(len(train), seed=SEED).batch(BATCH)
pipeline = pipeline.map(lambda x, y: (views(x, training=True), y))
pipeline = pipeline.prefetch(tf.data.AUTOTUNE)

# %% [markdown]
# We put it into the model, which needs one argument:

# %%
augmented = network(first=augment)
fit(augmented)
aucs.loc["augmentation"] = row(augmented)
aucs.round(2)

# %%
p_plain = all_layers.predict(validation.images, batch_size=200, verbose=0)[:, 0]
p = augmented.predict(validation.images, batch_size=200, verbose=0)[:, 0]
groups = validation.table["group"]
gain = evaluation.difference(roc_auc_score, y, p, p_plain, groups)
print(f"augmentation minus all layers: {gain:+.2f}")

# %% [markdown]
# The training AUC falls to about 0.89: the network can no longer store every view. On validation it
# gains about 0.03, and the interval reaches to both sides of zero: **inconclusive**. That does not mean
# that augmentation is useless. 200 images cannot show such a gain.
#
# ## Eight views of one image
#
# Views help in prediction too. Ask the model about an image and its mirror images, and average.
#
# **Exercise better_models.2** Which different images do flips and quarter turns make of a square? Write
# `views_of(image)`: a list of all of them, each once, the image itself first. `image` has the shape
# (n, n, 3).


# %% tags=["exercise"]
def views_of(image):
    return ...


exercises.check("better_models.2", views_of)


# %% tags=["solution"]
def views_of(image):
    mirrored = image[:, ::-1]
    found = []
    for start in [image, mirrored]:
        for turns in range(4):
            found.append(np.rot90(start, turns))
    return found


exercises.check("better_models.2", views_of)

# %% [markdown]
# `models.symmetric_views` makes these views of many images at once.


# %%
def eight_views(model, images):
    probabilities = []
    for view in models.symmetric_views(images):
        probabilities.append(
            model.predict(view, batch_size=200, verbose=0)[:, 0]
        )
    return np.mean(probabilities, axis=0)


p_eight = eight_views(augmented, validation.images)
gain = evaluation.difference(roc_auc_score, y, p_eight, p, groups)
print(f"eight views minus one: {gain:+.3f}")

# %% [markdown]
# About 0.02, and the interval holds zero: **inconclusive**. It is narrow all the same, since both scores
# come from the same network and move together. The price is eight predictions for each image.
#
# ## The test set, opened once
#
# We have climbed three rungs. The top of our ladder, all layers with augmentation and eight views, meets
# the test set and the colour baseline.

# %%
on_test = eight_views(augmented, test.images)
truth = test.melanoma
test_groups = test.table["group"]
top = evaluation.estimate(roc_auc_score, truth, on_test, test_groups)
over_colours = evaluation.difference(
    roc_auc_score, truth, on_test, test_colours, test_groups
)
print(f"top of our ladder: AUC {top:.2f}")
print(f"minus the colour baseline: {over_colours:+.2f}")

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
_ = results.keep(
    f"better_models-{SIZE}px",
    lesions.source,
    lesions.table,
    dict(SIZE=SIZE, SEED=SEED, EPOCHS=EPOCHS),
    {"top": top, "top minus colours": over_colours},
    headline=("roc_auc", top),
)

# %% [markdown]
# Better than the colours by about 0.05, and inconclusive: 200 images again.
#
# ## The ladder on all of HAM10000
#
# 200 images cannot decide about such gains. So we measured eleven rungs on the 1,999 test images of
# all of HAM10000: images of 64 px, three trainings a rung, 20 epochs of 600 images at first. That takes
# over an hour, so the numbers come from `results/ladder.json`.
#
# Two rungs are **controls**. All 6,015 images also mean more steps, and fewer melanomas among them:
# one in nine instead of one in four. So "more steps" and "natural class mix" come first, each with 600 images.

# %%
ladder = results.committed("ladder")
gains = ladder["gains"]
figure = plots.ladder(ladder["roc_auc"], gains)
ledger.outcome("gain in AUC from all images", gains["all images"])
# alt: Ten gains in AUC with their intervals, from last 20 layers to three trainings together, and a line at zero.

# %% [markdown]
# Each line is the gain on the rung below, with its interval; grey lines hold zero. Read from below:
#
# - **Last 20 layers** and **all layers**: inconclusive. More layers alone are not shown to help.
# - **Augmentation** is the first clear step: {{ quote("ladder", "gains.augmentation", "+.3f") }}.
# - **Seven diagnoses** instead of two answers, and **more steps**: inconclusive.
#
# %% [markdown]
# Now the two controls. 600 images with the **natural class mix** are much worse:
# {{ quote("ladder", "gains.natural class mix", "+.3f") }}. They hold about
# {{ fact("66", "600 x 221 / 1,999") }} melanomas instead of 144. From there, **all images** bring
# {{ quote("ladder", "gains.all images", "+.3f") }}, with as many steps and the same mix. Without
# the controls you would see only the sum of the two. **Eight views** and **three trainings
# together** bring {{ quote("ladder", "gains.eight views", "+.3f") }} and
# {{ quote("ladder", "gains.three trainings together", "+.3f") }}: little, but clear.
#
# **Exercise better_models.3** Ten intervals at 95 %: one of them may miss zero by chance. A strict rule for ten
# comparisons (Bonferroni) makes each interval `1.43` times as wide. Which gains stay above zero? Each
# `gains[name]` has `value`, `low` and `high`. Give a set of names.

# %% tags=["exercise"]
still_shown = ...

exercises.check("better_models.3", still_shown, gains=gains)

# %% tags=["solution"]
still_shown = set()
for name, one in gains.items():
    if one.value - 1.43 * (one.value - one.low) > 0:
        still_shown.add(name)

exercises.check("better_models.3", still_shown, gains=gains)

# %% [markdown]
# ## Does class balance help?
#
# In the natural mix one image in nine is a melanoma. Three remedies are popular. **Class weights**
# let a melanoma count more (lesson {{ number_of("training") }}). **Balanced batches** show
# melanomas more often. **Focal loss** counts images less that are already right. We trained all
# layers with each, on {{ fact("1,500", "experiment ladder") }} images, with as many steps, two
# trainings each.

# %%
balance = ladder["balance_gains"]
shown = {}
for name in balance:
    auc = ladder["balance"][name].value
    shown[name] = [f"{auc:.3f}", f"{balance[name]['roc_auc']:+.3f}"]
columns = ["AUC", "gain on plain training"]
pd.DataFrame.from_dict(shown, orient="index", columns=columns)

# %% [markdown]
# All three intervals hold zero: **inconclusive**. Balanced batches may help a little; with these images
# we cannot tell. What such methods surely change is the size of the probabilities.
#
# **Exercise better_models.4** A network is trained with a weight of 4 for melanomas and 1 for the rest. A weight
# multiplies the *odds* p / (1 - p) of every answer by about 4. Which threshold gives the same
# decisions as `0.5` without weights?

# %% tags=["exercise"]
same_decisions = ...

exercises.check("better_models.4", same_decisions, weight=4)

# %% tags=["solution"]
same_decisions = 4 / (1 + 4)

exercises.check("better_models.4", same_decisions, weight=4)

# %% [markdown]
# ## Key points
#
# - Change one thing at a time, and compare with the rung below on the same images.
# - All layers with few images memorise. Augmentation is the remedy.
# - Augmentation layers must be off in prediction: check it.
# - More images help most. Give every other step a control.
# - Ten comparisons need a stricter rule than one.
#
# ## Check yourself
#
# <details><summary>Why does the learning rate begin at zero?</summary>
# The head is random, and its first gradients would push all layers in meaningless
# directions.</details>
#
# <details><summary>How do you check that augmentation is off in prediction?</summary>
# Call the layers with <code>training=False</code>: nothing may change.</details>
#
# <details><summary>Class weights raise the sensitivity from {{ fact("0.3", "an example") }} to {{ fact("0.8", "an example") }}. What do you ask first?</summary>
# The specificity, and the sensitivity of the unweighted model at that specificity.</details>
#
# ## What comes next
#
# The model that the course ships, in `models/`, stands on the top rungs: all layers, augmentation,
# seven diagnoses, all images. What does it look at? [{{ number_of("grad_cam") }} · Grad-CAM]({{ notebook_of("grad_cam") }})
#
# ## References
#
# - Loshchilov, Hutter: Decoupled Weight Decay Regularization. ICLR 2019,
#   [arXiv:1711.05101](https://arxiv.org/abs/1711.05101).
# - Loshchilov, Hutter: SGDR: Stochastic Gradient Descent with Warm Restarts. ICLR 2017,
#   [arXiv:1608.03983](https://arxiv.org/abs/1608.03983) (the cosine).
# - Lin, Goyal, Girshick, He, Dollár: Focal Loss for Dense Object Detection. ICCV 2017,
#   [arXiv:1708.02002](https://arxiv.org/abs/1708.02002).
# - Lakshminarayanan, Pritzel, Blundell: Simple and Scalable Predictive Uncertainty Estimation using
#   Deep Ensembles. NeurIPS 2017, [arXiv:1612.01474](https://arxiv.org/abs/1612.01474).
# - Keras: [Data augmentation](https://keras.io/guides/transfer_learning/) in the guide on transfer
#   learning.

# %%
ledger.show()
