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
# # 06 · Better models: which step is worth its minutes?
#
# Two-stage training on 600 pictures was not shown to beat nine colour numbers (lesson 04). There is a long
# list of remedies: sharper pictures, more layers, augmentation, class weights, more data, ensembles. Every
# blog recommends all of them at once. This lesson builds a **ladder**: one change at a time, each rung
# measured against the one below, with its interval and its price in minutes. Some famous rungs turn out
# to be painted on the wall.
#
# **You will be able to**
#
# - train all layers with warm-up and cosine decay, and say what BatchNorm does meanwhile;
# - augment in the input pipeline, check that it is off in prediction, and see what a careless chain of
#   layers does to the pictures;
# - show that class weights mostly move the threshold;
# - read a learning curve, and say what more data would be worth;
# - use test-time augmentation and ensembles, and tell their gain from noise;
# - take the same code to several GPUs, and say what several machines would need.
#
# **You need** lessons 04 and 05. **Time**: 50 minutes to read and work through, 5 minutes to run on a CPU (2
# cores, synthetic lesions); on a free T4 GPU about two (an estimate, not measured).
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import functools
import shutil
import time
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from utils import backbone, data, evaluation, exercises, ledger, plots
from utils import pretrained, results, settings, splits, training
import keras
import tensorflow as tf

tf.get_logger().setLevel("ERROR")  # it warns of many models in one program: here they are meant

# %% [markdown]
# What you may change. `SIZE` is the pictures' side in pixels, `SIZES` are those compared with it; `EPOCHS` is
# for heads, `FULL_EPOCHS` for trainings of all layers. `SEEDS` repeats every training. With `FULL`, all of
# HAM10000 is used instead of 1,000 pictures; `PICTURES` are the sizes of training set compared with all.
# `MEMBERS` join the ensemble: a width of MobileNetV2 or another architecture, at an input size.

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SIZES = "64"
ALPHA = 0.35
SEED = 0
SEEDS = 1
EPOCHS = 15
FULL_EPOCHS = 4
FULL = False
PICTURES = "300"
MEMBERS = "0.35@64,EfficientNetB0@96"
ALL_GPUS = False

# %% [markdown]
# ## The rules of the ladder
#
# 1. One change a rung; everything else stays as on the rung below.
# 2. All rungs are judged on the same lesions. We look at **validation** as we climb. The answers for the
#    test part are kept in a drawer, which is opened once, at the end.
# 3. Every rung is trained from the same seeds, and the mean counts. Intervals come from resampling lesions.
# 4. A gain whose interval holds zero is called noise, also if we like it.
#
# So first the lesions and the two baselines that every rung has to stand beside: the colour baseline and the
# majority class.

# %%
select = splits.full if FULL else splits.mini
lesions = data.load_lesions(SOURCE, size=SIZE, select=select)
train, validation, test = (lesions.subset(name) for name in splits.SUBSETS)
seeds = range(SEED, SEED + SEEDS)
simple = evaluation.baselines(train, validation, test)
for name, (p, _) in simple.items():
    print(f"{name}: validation AUC {roc_auc_score(validation.melanoma, p):.3f}")

# %% [markdown]
# The lower rungs have 600 pictures to learn from, those of HAM10k-Mini, also where all of HAM10000 is at
# hand. So the training pictures get an order: Mini's first, then the others at random.

# %%
full_table = lesions.table.drop(columns=["group", "split"])
in_mini = set(splits.mini(full_table)["image_id"] if FULL else full_table["image_id"])
order = np.random.default_rng(SEED).permutation(len(train))
order = order[np.argsort(~train.table["image_id"].isin(in_mini).to_numpy()[order], kind="stable")]


def first(n):
    """The first n training pictures of the order."""
    rows = order[:n]
    return data.Lesions(train.images[rows], train.table.iloc[rows].reset_index(drop=True), "")


few = first(600)
print(f"{len(few)} of {len(train):,} training pictures, {few.melanoma.sum()} of them melanomas")

# %% [markdown]
# The network sees 96 x 96 pixels, whatever the pictures have. It is built once, and every training begins
# with the weights that it had then.

# %%
INPUT = 96
strategy = training.all_gpus(ALL_GPUS)  # more of this at the end


@functools.cache
def network(pixels, size=INPUT, width=ALPHA):
    """MobileNetV2, and the weights that it begins with."""
    file = pretrained.mobilenet_v2(width, size, lesions.source)
    with strategy.scope():
        base = backbone.mobilenet_v2(width, pixels, size, file)
    return base, base.get_weights()


def fresh(*which):
    base, beginning = network(*which)
    base.set_weights(beginning)
    return base


weights = pretrained.describe(pretrained.mobilenet_v2(ALPHA, INPUT, lesions.source))
print("Weights:", weights)

# %% [markdown]
# What a training answers is kept on disk until the lesson is through: if the runtime dies in the middle of
# the ladder, run all again, and it goes on from there. `climb` trains a rung from every seed, shows its
# validation AUC, and puts its answers into `rungs`.

# %%
NAME = f"06_better_models-{'full' if FULL else 'mini'}-{SIZE}px"
# Answers of other settings must not be taken for these.
WORK = settings.results() / f"{NAME}-{lesions.source}-{ALPHA}-{SEED}-{EPOCHS}-{FULL_EPOCHS}"


def kept(name, work):
    """The arrays that ``work()`` returns, from disk if they are there, and the minutes it took."""
    path = settings.make_folder(WORK) / f"{name}.npz"
    if path.exists():
        with np.load(path) as arrays:
            return dict(arrays)
    start = time.monotonic()
    found = work() | {"minutes": (time.monotonic() - start) / 60}
    settings.write_atomically(path, lambda p: np.savez(p, **found))
    return found


def on_validation(several):
    """Mean AUC of several trainings on validation, with its interval and each training's."""
    groups = validation.table["group"]
    return evaluation.estimate(roc_auc_score, validation.melanoma, several, groups, 200)


def text(e):
    seeds = f", seeds {min(e.seeds):.3f}-{max(e.seeds):.3f}" if len(e.seeds) > 1 else ""
    return f"{e:.3f}" + seeds


rungs, minutes = {}, {}


def train_all(name, work, seeds=seeds):
    """Puts the answers of ``work(seed)``, for every seed, into ``rungs``: (seeds, ...) a part."""
    runs = [kept(f"{name}-{seed}", lambda seed=seed: work(seed)) for seed in seeds]
    rungs[name] = {part: np.array([run[part] for run in runs]) for part in runs[0]}
    minutes[name] = float(np.mean(rungs[name].pop("minutes")))


def climb(name, work, seeds=seeds):
    train_all(name, work, seeds)
    found = on_validation(rungs[name]["validation"])
    print(f"{name}: validation AUC {text(found)}; {minutes[name]:.1f} minutes a training")
    return found


# %% [markdown]
# ## Rung 1 and 2: sharper pictures
#
# The bottom rung is the head alone on frozen features (lesson 04). The pictures may have 28 pixels a side or
# many more, and the network may look at them at 96 or at 128. **Predict**: the validation AUC of the head
# alone with the sharpest pictures below.

# %%
MY_AUC_OF_SHARP_PICTURES = ...

ledger.guess("06 validation AUC of a head on sharper pictures", MY_AUC_OF_SHARP_PICTURES)


# %%
@functools.cache
def at(pixels):
    """The 600 pictures, validation and test with another number of pixels."""
    if pixels == SIZE:
        return few, validation, test
    wanted = pd.concat([part.table["image_id"] for part in (few, validation, test)])

    def rows(table):
        table = select(table)
        return table[table["image_id"].isin(wanted)]

    there = data.load_lesions(lesions.source, pixels, rows)
    return [there.subset(name) for name in splits.SUBSETS]


def two_stages(seed, parts, size=INPUT, epochs=(EPOCHS, 0)):
    """The recipe of lesson 04 on 600 pictures: head alone, then perhaps the last 20 layers."""
    keras.utils.set_random_seed(seed)
    base = fresh(parts[0].images.shape[1], size)
    model = training.melanoma_classifier(base)
    training.two_stages(base, model, *parts[:2], epochs=epochs, verbose=0)
    pairs = zip(("validation", "test"), parts[1:], strict=True)
    return {name: model.predict(part.images, verbose=0)[:, 0] for name, part in pairs}


sharpness, left_out = {}, {}
for pixels in sorted({28, SIZE, *(int(s) for s in SIZES.split(","))}):
    try:
        parts = at(pixels)
    except ValueError as error:  # Kaggle's table has 28 px only
        left_out[f"{pixels} px"] = str(error)
        print(f"{pixels} px is left out. {error}")
        continue
    sharpness[pixels] = {
        size: climb(
            f"head alone {pixels} px, seen at {size}",
            lambda seed, parts=parts, size=size: two_stages(seed, parts, size),
        )
        for size in (INPUT, 128)
    }
sharpest = sharpness[max(sharpness)][INPUT]
ledger.outcome("06 validation AUC of a head on sharper pictures", sharpest)

# %% [markdown]
# As a table: a row for the pixels of the pictures, a column for what the network sees.

# %%
shown = {
    f"{pixels} px": {f"seen at {size}": text(e) for size, e in row.items()}
    for pixels, row in sharpness.items()
}
pd.DataFrame.from_dict(shown, orient="index")

# %% [markdown]
# On real lesions, over three seeds, with the 2,000 validation pictures of all of HAM10000:
#
# | pictures | seen at 96 | seen at 128 |
# | --- | --- | --- |
# | 28 px | {{ quote("06_better_models-full-128px", "sharpness.28 px.seen at 96", ".3f") }} | {{ quote("06_better_models-full-128px", "sharpness.28 px.seen at 128", ".3f") }} |
# | 64 px | {{ quote("06_better_models-full-128px", "sharpness.64 px.seen at 96", ".3f") }} | {{ quote("06_better_models-full-128px", "sharpness.64 px.seen at 128", ".3f") }} |
# | 96 px | {{ quote("06_better_models-full-128px", "sharpness.96 px.seen at 96", ".3f") }} | {{ quote("06_better_models-full-128px", "sharpness.96 px.seen at 128", ".3f") }} |
# | 128 px | {{ quote("06_better_models-full-128px", "sharpness.128 px.seen at 96", ".3f") }} | {{ quote("06_better_models-full-128px", "sharpness.128 px.seen at 128", ".3f") }} |
#
# Sharper pictures bring a *frozen* network nothing that could be told from noise: what it knows of skin is
# coarse. Seen at 128 it is worse, but that column changes two things: the nearest weights at hand were those
# trained at 224.

# %% [markdown]
# ## Rung 3 and 4: more layers
#
# Rung 3 lets the last 20 layers learn, as lesson 00 does. Rung 4 lets **all** of them learn, with three
# changes that belong together:
#
# - the learning rate rises for one epoch (**warm-up**: the head is new, and its first gradients are
#   nonsense) and then falls along a half **cosine** to zero, so there is no need to choose an epoch;
# - AdamW, which pulls the weights a little towards zero in every step;
# - BatchNorm learns too, with a momentum of 0.9 (lesson 04's trap).
#
# **Exercise 06.1** Write `rate(step, steps, warm_up, peak)`: the learning rate before step number `step`
# (from 0) of a training of `steps` steps. It rises in a straight line from 0 to `peak` during the first
# `warm_up` steps and then falls to 0 along half a cosine: from `peak` at step `warm_up` through half of it
# in the middle to 0 at step `steps`.


# %% tags=["exercise", "nbval-check-output"]
def rate(step, steps, warm_up, peak):
    return ...


exercises.check("06.1", rate)


# %% tags=["solution"]
def rate(step, steps, warm_up, peak):
    if step < warm_up:
        return peak * step / warm_up
    done = (step - warm_up) / (steps - warm_up)
    return peak * (1 + np.cos(np.pi * done)) / 2


exercises.check("06.1", rate)

# %% [markdown]
# `training.all_layers` does all this. It has no validation set to stop by, because nothing is chosen on the
# way; and after every epoch it writes a backup, so that a killed training goes on with the next epoch and
# ends at the same weights. Our function around it builds the model, trains it, and answers.

# %%
PARTS = {"validation": validation, "test": test}


def all_layers(
    seed,
    pictures,
    name,
    base=None,
    parts=PARTS,
    views=None,
    classes=7,  # or 2
    augment=True,
    momentum=0.9,  # of BatchNorm; None: frozen
):
    """Train every layer on the pictures; probabilities for each part, or for views of them."""
    keras.utils.set_random_seed(seed)
    base = fresh(INPUT) if base is None else base
    size = base.input.shape[1]
    with strategy.scope():
        model = training.logit_classifier(base, classes)
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = momentum is not None
            layer.momentum = momentum or layer.momentum
    labels = pictures.diagnosis if classes == 7 else pictures.melanoma
    backup = WORK / f"{name}-{seed}.weights.h5"
    how = dict(epochs=FULL_EPOCHS, seed=seed, augment=augment, verbose=0)
    training.all_layers(model, pictures.images, labels, size, backup, **how)
    any_size = keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.Resizing(size, size), model]
    )

    def answer(images):
        logits = any_size.predict(images, batch_size=128, verbose=0)
        return expit(np.asarray(training.melanoma_logit(logits))[:, 0])

    found = {n: answer(part.images) for n, part in parts.items()}
    for what, (part, of_images) in (views or {}).items():
        found[what] = np.array([answer(v) for v in of_images(parts[part].images)])
    backup.unlink(missing_ok=True)
    return found


# %%
parts = at(SIZE)
climb("last 20 layers", lambda seed: two_stages(seed, parts, epochs=(EPOCHS, 10)))
plain = dict(classes=2, augment=False)
of_all = climb("all layers", lambda seed: all_layers(seed, few, "all", **plain))

# %% [markdown]
# And BatchNorm? Frozen, it keeps ImageNet's averages; with Keras's momentum of 0.999 it lags behind:

# %%
batch_norm = {"momentum 0_9": of_all}
for name, momentum in (("frozen", None), ("momentum 0_999", 0.999)):
    batch_norm[name] = climb(
        f"BatchNorm {name}",
        lambda seed, m=momentum, name=name: all_layers(seed, few, name, momentum=m, **plain),
    )

# %% [markdown]
# On real lesions the last 20 layers have {{ quote("06_better_models-full-128px", "validation.last 20 layers", ".3f") }}, all layers
# {{ quote("06_better_models-full-128px", "validation.all layers", ".3f") }}: with 600 pictures, shown as they are, this rung is not there. With
# BatchNorm frozen it is {{ quote("06_better_models-full-128px", "batch_norm.frozen", ".3f") }}, no clear difference either. But with Keras's momentum of
# 0.999 it is {{ quote("06_better_models-full-128px", "batch_norm.momentum 0_999", ".3f") }}: the training went as well, and prediction runs on averages that lag behind. No
# other line of this lesson costs as much.

# %% [markdown]
# ## Rung 5: augmentation
#
# A lesion has no top: turned or mirrored it is the same lesion. So show each picture in another **view** in
# each epoch, and there is less to learn by heart. Keras has layers for this. Two things must be checked: that
# they change the pictures in training, and that they leave them alone in prediction.

# %%
ready_made = keras.Sequential(
    [
        keras.layers.RandomFlip(seed=SEED),
        keras.layers.RandomRotation(0.5, fill_mode="reflect", seed=SEED),
        keras.layers.RandomZoom((-0.3, 0), seed=SEED),
        keras.layers.Resizing(INPUT, INPUT),
    ]
)
pictures = keras.ops.cast(few.images[:256], "float32")
resized = keras.ops.image.resize(pictures, (INPUT, INPUT))
ours = training.RandomView(INPUT, seed=SEED)
for name, layer in (("ready-made layers", ready_made), ("RandomView", ours)):
    off = np.abs(layer(pictures, training=False) - resized).max()
    on = np.abs(layer(pictures, training=True) - resized).mean()
    print(f"{name}: changes a pixel by {on:.0f} on average in training, by {off:.1g} in prediction")

# %% [markdown]
# Both pass. But look closer. How *sharp* are the pictures that the network learns from? Take the mean step
# from one pixel to the next. **Predict**: which share of the sharpness is left after the ready-made layers
# (one for turning, one for zooming, one for resizing)?

# %%
MY_SHARE_OF_SHARPNESS = ...

ledger.guess("06 sharpness left by a chain of layers", MY_SHARE_OF_SHARPNESS)


# %%
def step_between_neighbours(images):
    images = np.asarray(images)
    return np.abs(np.diff(images, axis=1)).mean() + np.abs(np.diff(images, axis=2)).mean()


of_plain = step_between_neighbours(resized)
share_left = {
    name: step_between_neighbours(layer(pictures, training=True)) / of_plain
    for name, layer in (("ready-made layers", ready_made), ("RandomView", ours))
}
for name, share in share_left.items():
    print(f"{name}: {share:.2f} of the sharpness that prediction will see")
ledger.outcome("06 sharpness left by a chain of layers", min(1, share_left["ready-made layers"]))

# %% [markdown]
# Each layer computes new pixels as mixtures of old ones, and mixing blurs. The network learns from blurred
# pictures and is then shown sharp ones: nothing crashes, and every prediction is a little wrong. Some of the
# difference is the zoom itself (what is larger has softer edges), and a cut that is enlarged keeps that.
# The cure is to do all changes of place in **one** step of interpolation. `training.RandomView` does so, with
# quarter turns, which need none. It is a Keras layer like the others.
#
# **Exercise 06.2** How many different pictures are among the views of a square? Write `views(image)`, which
# returns a list of **all** pictures that flips and quarter turns, one after the other in any order, make of
# `image` (shape h, h, 3), each once, and the picture itself first.


# %% tags=["exercise", "nbval-check-output"]
def views(image):
    return ...


exercises.check("06.2", views)


# %% tags=["solution"]
def views(image):
    mirrored = image[:, ::-1]
    return [np.rot90(picture, k) for picture in (image, mirrored) for k in range(4)]


exercises.check("06.2", views)

# %%
augmented = dict(classes=2, augment=True)
climb("augmented", lambda seed: all_layers(seed, few, "augmented", **augmented))

# %% [markdown]
# Now that all layers learn, do sharper pictures matter?

# %%
sharpness_all = {SIZE: on_validation(rungs["augmented"]["validation"])}
for pixels in sharpness:
    if pixels != SIZE:
        other, *rest = at(pixels)
        rest = dict(zip(PARTS, rest, strict=True))
        sharpness_all[pixels] = climb(
            f"augmented, {pixels} px",
            lambda seed, other=other, rest=rest, pixels=pixels: all_layers(
                seed, other, f"{pixels}px", parts=rest, **augmented
            ),
        )

# %% [markdown]
# On real lesions augmentation lifts all layers from {{ quote("06_better_models-full-128px", "validation.all layers", ".3f") }} to
# {{ quote("06_better_models-full-128px", "validation.augmented", ".3f") }}. And now sharpness is worth something, if little: 28 pixels
# {{ quote("06_better_models-full-128px", "sharpness_all_layers.28 px", ".3f") }}, 64 {{ quote("06_better_models-full-128px", "sharpness_all_layers.64 px", ".3f") }}, 96
# {{ quote("06_better_models-full-128px", "sharpness_all_layers.96 px", ".3f") }}, 128 {{ quote("06_better_models-full-128px", "sharpness_all_layers.128 px", ".3f") }}. From 64 on, the network, which looks at 96
# pixels, does not care.

# %% [markdown]
# ### The cheap cousin
#
# Random views and kept features do not go together: every epoch would need new features. But eight views are
# not many. Run the frozen layers once over each of them, keep all eight, and train the head on eight times
# the pictures.

# %%
features = backbone.cut(training.melanoma_classifier(fresh(SIZE)), "pooled")[0]


def features_of(images):
    return features.predict(images, batch_size=128, verbose=0)


x_few, x_validation = features_of(few.images), features_of(validation.images)
x_eight = np.concatenate([features_of(v) for v in training.symmetric_views(few.images)])


def trained_head(seed, x, y, loss="binary_crossentropy", **options):
    """A head trained on kept features, and its answers for validation."""
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dropout(0.3), keras.layers.Dense(128, activation="relu")]
    head = keras.Sequential([*layers, keras.layers.Dense(1, activation="sigmoid")])
    head.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss)
    head.fit(x, y, **({"epochs": EPOCHS, "batch_size": 64, "verbose": 0} | options))
    return head.predict(x_validation, verbose=0)[:, 0]


cousin = {
    "one view": on_validation([trained_head(s, x_few, few.melanoma) for s in seeds]),
    "eight views": on_validation(
        [trained_head(s, x_eight, np.tile(few.melanoma, 8)) for s in seeds]
    ),
}
for name, found in cousin.items():
    print(f"head on kept features of {name}: validation AUC {text(found)}")

# %% [markdown]
# On real lesions: one view {{ quote("06_better_models-full-128px", "kept_views.one view", ".3f") }}, eight views {{ quote("06_better_models-full-128px", "kept_views.eight views", ".3f") }}. The cousin
# is cheap and brings nothing here: turned and mirrored pictures teach layers that may learn, not a head that
# gets what frozen layers make of them.

# %% [markdown]
# ## Class balance: a rung that is painted on the wall?
#
# Melanomas are rare, so a network that minimises its loss prefers to say "benign". Three remedies are
# recommended everywhere: **class weights** (an error on a melanoma counts more), **balanced batches** (half
# melanomas in every batch), and **focal loss** (pictures that are right already count less; Lin et al.,
# 2017). **Predict**: by how much do class weights raise the *AUC* of the head? (A loss counts as 0.)

# %%
MY_GAIN_BY_WEIGHTS = ...

ledger.guess("06 gain in AUC by class weights", MY_GAIN_BY_WEIGHTS)

# %%
x, y = features_of(train.images), train.melanoma
share = y.mean()
steps = len(x) // 64
halves = [tf.data.Dataset.from_tensor_slices((x[y == k], y[y == k])) for k in (0, 1)]
halves = [half.shuffle(len(x), seed=SEED).repeat() for half in halves]
balanced = tf.data.Dataset.sample_from_datasets(halves, [0.5, 0.5], seed=SEED).batch(64)
weight_of = {0: 0.5 / (1 - share), 1: 0.5 / share}
ways = {
    "nothing": lambda s: trained_head(s, x, y),
    "class weights": lambda s: trained_head(s, x, y, class_weight=weight_of),
    "balanced batches": lambda s: trained_head(
        s, balanced, None, batch_size=None, steps_per_epoch=steps, shuffle=False
    ),
    "focal loss": lambda s: trained_head(s, x, y, keras.losses.BinaryFocalCrossentropy(gamma=2)),
}
by_way = {name: np.array([way(s) for s in seeds]) for name, way in ways.items()}

# %% [markdown]
# Sensitivity and specificity at the threshold 0.5, which most programs use without asking, and the AUC,
# which knows no threshold. The last column moves the threshold of the head that did *nothing* until its
# specificity is that of the row, and reads off its sensitivity.

# %%
truth = validation.melanoma
sick, well = by_way["nothing"][:, truth == 1], by_way["nothing"][:, truth == 0]
balance = {}
for name, several in by_way.items():
    specificity = (several[:, truth == 0] < 0.5).mean(1)
    moved = [np.quantile(w, s, method="higher") for w, s in zip(well, specificity, strict=True)]
    balance[name] = {
        "sensitivity": float((several[:, truth == 1] >= 0.5).mean()),
        "specificity": float(specificity.mean()),
        "roc_auc": on_validation(several),
        "sensitivity_of_nothing": float(
            np.mean([(p > t).mean() for p, t in zip(sick, moved, strict=True)])
        ),
    }
gain = balance["class weights"]["roc_auc"].value - balance["nothing"]["roc_auc"].value
ledger.outcome("06 gain in AUC by class weights", max(0.0, gain))
shown = {
    name: {
        "sensitivity at 0.5": f"{row['sensitivity']:.2f}",
        "specificity at 0.5": f"{row['specificity']:.2f}",
        "validation AUC": text(row["roc_auc"]),
        "nothing, threshold moved": f"{row['sensitivity_of_nothing']:.2f}",
    }
    for name, row in balance.items()
}
pd.DataFrame.from_dict(shown, orient="index")

# %% [markdown]
# Compare the first column with the last: whoever moves the threshold of the plain head gets about the same
# melanomas for the same false alarms, without training anything. Weights multiply the *odds* of every answer
# by about the same number, and a threshold of 0.5 is then another threshold.
#
# On all of HAM10000, where 11 % are melanomas, class weights let the sensitivity at 0.5 leap from
# {{ quote("06_better_models-full-128px", "balance.nothing.sensitivity") }} to {{ quote("06_better_models-full-128px", "balance.class weights.sensitivity") }}. With its threshold moved to the same specificity, the
# plain head finds {{ quote("06_better_models-full-128px", "balance.class weights.sensitivity_of_nothing") }}. The AUC is {{ quote("06_better_models-full-128px", "balance.nothing.roc_auc", ".3f") }} with nothing done,
# {{ quote("06_better_models-full-128px", "balance.class weights.roc_auc", ".3f") }} with class weights, {{ quote("06_better_models-full-128px", "balance.balanced batches.roc_auc", ".3f") }} with balanced batches, and
# {{ quote("06_better_models-full-128px", "balance.focal loss.roc_auc", ".3f") }} with focal loss. Choose the threshold on validation (lesson 05), and little is left of
# the remedies.
#
# **Exercise 06.3** A head was trained with a weight of 4 for melanomas and 1 for benign lesions. With which
# threshold does it make (about) the same decisions as an unweighted one with a threshold of 0.5?

# %% tags=["exercise", "nbval-check-output"]
same_decisions = ...

exercises.check("06.3", same_decisions, weight=4)

# %% tags=["solution"]
same_decisions = 4 / (1 + 4)  # odds of 1 became odds of 4

exercises.check("06.3", same_decisions, weight=4)

# %% [markdown]
# ## Rung 6: seven questions instead of one
#
# The benign lesions are six diagnoses. Who must tell them apart learns features that "not melanoma" never
# asks for. The network gets seven outputs, and the probability of melanoma is one of them. From here on it
# is also asked about other views of each picture, for rung 8.

# %%
symmetric = {f"{p}, eight views": (p, training.symmetric_views) for p in PARTS}


def crops(images):
    """The picture's centre and four corners, seven eighths of the side each."""
    n = images.shape[1]
    side = n * 7 // 8
    for top, left in ((0, 0), (0, n - side), (n - side, 0), (n - side, n - side)):
        yield images[:, top : top + side, left : left + side]
    middle = (n - side) // 2
    yield images[:, middle : middle + side, middle : middle + side]


every_view = symmetric | {"crops": ("validation", crops)}

curve = {
    len(few): climb(
        "seven diagnoses", lambda seed: all_layers(seed, few, "seven", views=every_view)
    )
}

# %% [markdown]
# On real lesions, with 600 pictures: {{ quote("06_better_models-full-128px", "validation.augmented", ".3f") }} with one question,
# {{ quote("06_better_models-full-128px", "validation.seven diagnoses", ".3f") }} with seven. Noise; we keep the seven, since their answers tell more.

# %% [markdown]
# ## Rung 7: more pictures
#
# Now with the same recipe and more pictures, up to all of the training part. The number of *epochs* stays,
# so a larger set also means more steps.

# %%
for n in (int(n) for n in PICTURES.split(",")):
    if n < len(train) and n not in curve:
        curve[n] = climb(f"{n} pictures", lambda seed, n=n: all_layers(seed, first(n), f"n{n}"))
if len(train) not in curve:
    curve[len(train)] = climb(
        "all pictures", lambda seed: all_layers(seed, train, "whole", views=every_view)
    )

# %% [markdown]
# What if the pictures do not fit into memory? Then they stay on disk: `in_memory=False` gives paths instead
# of pixels, and `training.batches` reads each picture when its turn comes. The batches are the same:

# %%
some = data.load_lesions(lesions.source, SIZE, lambda table: select(table)[:128], in_memory=False)
epochs = [
    training.batches(images[:128], some.diagnosis, INPUT, seed=SEED)
    for images in (lesions.images, some.images)
]
same = [np.array_equal(a, b) for (a, _), (b, _) in zip(*epochs, strict=True)]
print(f"{len(some)} paths; batches equal to those from memory: {same}")

# %% [markdown]
# The figure has the number of training pictures on a logarithmic axis, the mean validation AUC with its
# interval, and the colour baseline as a dashed line.

# %%
numbers = sorted(curve)
figure, ax = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
means = np.array([curve[n].value for n in numbers])
bounds = np.abs([[curve[n].low for n in numbers], [curve[n].high for n in numbers]] - means)
ax.errorbar(
    numbers, means, bounds, color=plots.PALETTE[0], marker="o", capsize=3, label="all layers"
)
colours = roc_auc_score(validation.melanoma, simple["colour baseline"][0])
ax.axhline(colours, color=plots.PALETTE[1], linestyle="--", label="colour baseline")
ax.set(xscale="log", xlabel="training pictures", ylabel="validation AUC", xticks=numbers)
ax.set_xticks([], minor=True)
ax.set_xticklabels(f"{n:,}" for n in numbers)
ax.legend(fontsize=8)
figure.suptitle(plots.title("learning curve", lesions.source), fontsize=10)
results.save_figure(figure, f"{NAME}-curve")
plt.show()

# %% [markdown]
# On real lesions, three seeds, validation AUC: {{ quote("06_better_models-full-128px", "curve.600 pictures", ".3f") }} with 600 pictures,
# {{ quote("06_better_models-full-128px", "curve.1500 pictures", ".3f") }} with 1,500, {{ quote("06_better_models-full-128px", "curve.3000 pictures", ".3f") }} with 3,000, and
# {{ quote("06_better_models-full-128px", "curve.6015 pictures", ".3f") }} with all 6,015. This is the rung that carries, with steps as uneven as noise
# makes them.

# %% [markdown]
# **Exercise 06.4** Learning curves are often close to a power law: each doubling of the data leaves the same
# share of $1 - \text{AUC}$. Suppose that 1,500 pictures give an AUC of 0.84 and 3,000 give 0.86. Which AUC
# would 12,000 give, if the law held?

# %% tags=["exercise", "nbval-check-output"]
auc_of_12000 = ...

exercises.check("06.4", auc_of_12000, low=0.84, high=0.86, doublings=2)

# %% tags=["solution"]
left_after_a_doubling = (1 - 0.86) / (1 - 0.84)
auc_of_12000 = 1 - (1 - 0.86) * left_after_a_doubling**2  # from 3,000 two doublings more

exercises.check("06.4", auc_of_12000, low=0.84, high=0.86, doublings=2)

# %% [markdown]
# ## Rung 8: many looks at one picture
#
# **Test-time augmentation**: ask the network about the eight symmetric views, and average. No training at
# all, only eight times the prediction. Crops can be asked too.

# %%
recipe = ["last 20 layers", "all layers", "augmented", "seven diagnoses"]
recipe += ["all pictures"] if "all pictures" in rungs else []
top = rungs[recipe[-1]]
looks = {
    "one view": top["validation"],
    "eight symmetric views": top["validation, eight views"].mean(1),
    "five crops": top["crops"].mean(1),
}
looks_found = {name: on_validation(p) for name, p in looks.items()}
for name, found in looks_found.items():
    print(f"{name}: validation AUC {text(found)}")
rungs["eight views"] = {part: top[f"{part}, eight views"].mean(1) for part in PARTS}
minutes["eight views"] = minutes[recipe[-1]]

# %% [markdown]
# On real lesions: one view {{ quote("06_better_models-full-128px", "looks.one view", ".3f") }}, eight views {{ quote("06_better_models-full-128px", "looks.eight symmetric views", ".3f") }}, five crops
# {{ quote("06_better_models-full-128px", "looks.five crops", ".3f") }}. That five looks do at least as well as eight has a reason: in training `RandomView` cuts
# pictures, so the network learned lesions that look larger than those of a whole picture (Touvron et al.,
# 2019), and a crop gives it the size that it knows. The model in `models/` looks at the four corners, each in
# its eight symmetries.

# %% [markdown]
# ## Rung 9: several networks
#
# Networks that err in different ways cancel some of each other's errors. Seeds give some difference, other
# widths, input sizes and architectures more. `backbone.BACKBONES` is the registry of those that the course
# can build, with what each of them expects. Where ImageNet weights for one cannot be had, it is left out, and
# the notebook says so: a network that begins with random numbers would be another experiment.

# %%
pd.DataFrame(
    {
        name: {
            "native size": b.size,
            "pixel times": b.scale,
            "plus": b.offset,
            "cut after": b.frozen_end,
        }
        for name, b in backbone.BACKBONES.items()
    }
).T


# %%
def member_base(name, size):
    """The network of an ensemble's member, or OSError if its weights cannot be had."""
    if name not in backbone.BACKBONES:
        return fresh(size, size, float(name))
    file = pretrained.published(name)
    with strategy.scope():
        return backbone.from_registry(name, size, size, file)


members = []
for member in filter(None, MEMBERS.split(",")):
    name, size = member.split("@")
    try:
        base = member_base(name, int(size))
    except OSError as error:
        left_out[member] = str(error)
        print(f"{member} is left out: its ImageNet weights cannot be had here.")
        continue

    def work(seed, member=member, base=base):
        return all_layers(seed, train, member, base=base, views=symmetric)

    climb(member, work, seeds[:1])  # one training of each
    members.append(rungs[member])

# %% [markdown]
# Average the seeds' answers of the rung below, and then with the members:

# %%
together = {part: rungs["eight views"][part].mean(0)[None] for part in PARTS}
rungs["seeds together"] = together
minutes["seeds together"] = len(seeds) * minutes["eight views"]
everybody = {
    part: np.mean(
        [*rungs["eight views"][part], *(m[f"{part}, eight views"].mean(1)[0] for m in members)],
        axis=0,
    )[None]
    for part in PARTS
}
rungs["with other networks"] = everybody
minutes["with other networks"] = minutes["seeds together"] + sum(
    minutes[m] for m in MEMBERS.split(",") if m in minutes
)
for name in ("eight views", "seeds together", "with other networks"):
    print(f"{name}: validation AUC {text(on_validation(rungs[name]['validation']))}")

# %% [markdown]
# On real lesions, with MobileNetV2 of width 1.0 at 96 px and of width 0.35 at 128 px as the other networks
# (weights of EfficientNetB0 and ResNet50V2 could not be had for this record, so they are left out): eight views
# {{ quote("06_better_models-full-128px", "validation.eight views", ".3f") }}, seeds together {{ quote("06_better_models-full-128px", "validation.seeds together", ".3f") }}, with other networks
# {{ quote("06_better_models-full-128px", "validation.with other networks", ".3f") }}.

# %% [markdown]
# ## Beside the ladder: validation's pictures too
#
# Every choice is made, so validation has done its work, and its pictures may join the training: the same
# recipe again on a third more. The price: nothing is left to calibrate on or to choose a threshold with, and
# how good this model is can be learnt from the test part alone.

# %%
both = data.Lesions(
    np.concatenate([train.images, validation.images]),
    pd.concat([train.table, validation.table], ignore_index=True),
    lesions.source,
)
of_test = {"eight views": ("test", training.symmetric_views)}
train_all(
    "refit", lambda seed: all_layers(seed, both, "refit", parts={"test": test}, views=of_test)
)
REFIT = "eight views, validation too"
rungs[REFIT], minutes[REFIT] = {"test": rungs["refit"]["eight views"].mean(1)}, minutes["refit"]
print(f"{len(both):,} pictures, {minutes[REFIT]:.1f} minutes a training")

# %% [markdown]
# ## The drawer is opened
#
# The ladder stands, whatever the test part says. **Predict** the test AUC of its top.

# %%
MY_TEST_AUC = ...

ledger.guess("06 test AUC of the top of the ladder", MY_TEST_AUC)

# %%
ladder = [f"head alone {SIZE} px, seen at {INPUT}", *recipe, "eight views"]
if SIZE != 28:
    ladder.insert(0, f"head alone 28 px, seen at {INPUT}")
ladder += ["seeds together"] if SEEDS > 1 else []
ladder += ["with other networks"] if members else []
truth, groups = test.melanoma, test.table["group"]
judged = {name: evaluation.ranking(truth, rungs[name]["test"], groups) for name in (*ladder, REFIT)}
beside = {n: evaluation.ranking(truth, [p], groups) for n, (_, p) in simple.items()}

# %% [markdown]
# Each rung minus the one below, on the same draws of lesions (validation's pictures are compared with eight
# views without them):

# %%
gains = {}
for below, name in (*pairwise(ladder), ("eight views", REFIT)):
    pair = rungs[name]["test"], rungs[below]["test"]
    gains[name] = evaluation.difference(roc_auc_score, truth, *pair, groups, 300, SEED)
best = judged[ladder[-1]]["roc_auc"]
ledger.outcome("06 test AUC of the top of the ladder", best)

# %%
shown = {}
for name in (*simple, *ladder, REFIT):
    found = (judged | beside)[name]
    row = {"test AUC": text(found["roc_auc"])}
    row["average precision"] = f"{found['average_precision']:.3f}"
    if name in gains:
        gain = gains[name]
        row["gain"] = f"{gain:+.3f}"
        row["is"] = "a gain" if gain.low > 0 else "a loss" if gain.high < 0 else "noise"
    row["minutes"] = f"{minutes[name]:.1f}" if name in minutes else ""
    shown[name] = row
pd.DataFrame.from_dict(shown, orient="index").fillna("")

# %% [markdown]
# The figure shows the ladder from its foot (below) to its top, and above it the model that had validation's
# pictures too: mean test AUC with the interval by lesion as a bar, each training as a small tick, the
# baselines as vertical lines.

# %%
figure = plots.ladder(
    {name: found["roc_auc"] for name, found in judged.items()},
    {name: found["roc_auc"].value for name, found in beside.items()},
    lesions.source,
)
results.save_figure(figure, f"{NAME}-ladder")
plt.show()

# %% [markdown]
# ## What real lesions say
#
# The same notebook on all of HAM10000, pictures of 128 px, three seeds, 20 epochs; the lower rungs learn from
# Mini's 600 pictures, all are judged on the same 1,999 of the test part. Minutes a training on 2 CPU cores that
# had a second training to do (alone they need about two thirds of that); a T4 was not tried.
#
# | rung | test AUC | average precision | gain on the rung below | minutes |
# | --- | --- | --- | --- | --- |
# | colour baseline | {{ quote("06_better_models-full-128px", "beside.colour baseline.roc_auc", ".3f") }} | {{ quote("06_better_models-full-128px", "beside.colour baseline.average_precision") }} | | |
# | majority class | {{ quote("06_better_models-full-128px", "beside.majority class.roc_auc", ".3f") }} | {{ quote("06_better_models-full-128px", "beside.majority class.average_precision") }} | | |
# | head alone 28 px, seen at 96 | {{ quote("06_better_models-full-128px", "rungs.head alone 28 px, seen at 96.roc_auc", ".3f") }} | {{ quote("06_better_models-full-128px", "rungs.head alone 28 px, seen at 96.average_precision") }} |  | {{ quote("06_better_models-full-128px", "rungs.head alone 28 px, seen at 96.minutes", ".1f") }} |
# | head alone 128 px, seen at 96 | {{ quote("06_better_models-full-128px", "rungs.head alone 128 px, seen at 96.roc_auc", ".3f") }} | {{ quote("06_better_models-full-128px", "rungs.head alone 128 px, seen at 96.average_precision") }} | {{ quote("06_better_models-full-128px", "rungs.head alone 128 px, seen at 96.gain", "+.3f") }} | {{ quote("06_better_models-full-128px", "rungs.head alone 128 px, seen at 96.minutes", ".1f") }} |
# | last 20 layers | {{ quote("06_better_models-full-128px", "rungs.last 20 layers.roc_auc", ".3f") }} | {{ quote("06_better_models-full-128px", "rungs.last 20 layers.average_precision") }} | {{ quote("06_better_models-full-128px", "rungs.last 20 layers.gain", "+.3f") }} | {{ quote("06_better_models-full-128px", "rungs.last 20 layers.minutes", ".1f") }} |
# | all layers | {{ quote("06_better_models-full-128px", "rungs.all layers.roc_auc", ".3f") }} | {{ quote("06_better_models-full-128px", "rungs.all layers.average_precision") }} | {{ quote("06_better_models-full-128px", "rungs.all layers.gain", "+.3f") }} | {{ quote("06_better_models-full-128px", "rungs.all layers.minutes", ".1f") }} |
# | augmented | {{ quote("06_better_models-full-128px", "rungs.augmented.roc_auc", ".3f") }} | {{ quote("06_better_models-full-128px", "rungs.augmented.average_precision") }} | {{ quote("06_better_models-full-128px", "rungs.augmented.gain", "+.3f") }} | {{ quote("06_better_models-full-128px", "rungs.augmented.minutes", ".1f") }} |
# | seven diagnoses | {{ quote("06_better_models-full-128px", "rungs.seven diagnoses.roc_auc", ".3f") }} | {{ quote("06_better_models-full-128px", "rungs.seven diagnoses.average_precision") }} | {{ quote("06_better_models-full-128px", "rungs.seven diagnoses.gain", "+.3f") }} | {{ quote("06_better_models-full-128px", "rungs.seven diagnoses.minutes", ".1f") }} |
# | all pictures | {{ quote("06_better_models-full-128px", "rungs.all pictures.roc_auc", ".3f") }} | {{ quote("06_better_models-full-128px", "rungs.all pictures.average_precision") }} | {{ quote("06_better_models-full-128px", "rungs.all pictures.gain", "+.3f") }} | {{ quote("06_better_models-full-128px", "rungs.all pictures.minutes", ".1f") }} |
# | eight views | {{ quote("06_better_models-full-128px", "rungs.eight views.roc_auc", ".3f") }} | {{ quote("06_better_models-full-128px", "rungs.eight views.average_precision") }} | {{ quote("06_better_models-full-128px", "rungs.eight views.gain", "+.3f") }} | {{ quote("06_better_models-full-128px", "rungs.eight views.minutes", ".1f") }} |
# | seeds together | {{ quote("06_better_models-full-128px", "rungs.seeds together.roc_auc", ".3f") }} | {{ quote("06_better_models-full-128px", "rungs.seeds together.average_precision") }} | {{ quote("06_better_models-full-128px", "rungs.seeds together.gain", "+.3f") }} | {{ quote("06_better_models-full-128px", "rungs.seeds together.minutes", ".1f") }} |
# | with other networks | {{ quote("06_better_models-full-128px", "rungs.with other networks.roc_auc", ".3f") }} | {{ quote("06_better_models-full-128px", "rungs.with other networks.average_precision") }} | {{ quote("06_better_models-full-128px", "rungs.with other networks.gain", "+.3f") }} | {{ quote("06_better_models-full-128px", "rungs.with other networks.minutes", ".1f") }} |
# | eight views, validation too | {{ quote("06_better_models-full-128px", "rungs.eight views, validation too.roc_auc", ".3f") }} | {{ quote("06_better_models-full-128px", "rungs.eight views, validation too.average_precision") }} | {{ quote("06_better_models-full-128px", "rungs.eight views, validation too.gain", "+.3f") }} | {{ quote("06_better_models-full-128px", "rungs.eight views, validation too.minutes", ".1f") }} |
#
# **More pictures** and **augmentation** carry the ladder. Eight views and other seeds add little, but the same
# little for nearly every draw of lesions, so it is clear of noise. With other networks the interval touches
# zero: by our rule, noise. So are sharper pictures for a frozen network, its last 20 layers, all of its layers
# without augmentation, and the seven questions. Whoever had climbed all of it in one step would have praised
# the wrong rungs.
#
# The pictures of the validation part, a third more, bring {{ quote("06_better_models-full-128px", "rungs.eight views, validation too.gain.value", "+.3f") }} on eight
# views again (last row, compared with eight views). So the ladder ends where the pictures end, and what would be tried next is, first, more of them (other public
# collections of dermatoscopic pictures, after a search for duplicates), then networks that are less alike than
# these, then the originals' full resolution.

# %% [markdown]
# ## Wider than one GPU
#
# **Several GPUs.** With `ALL_GPUS = True` the models of this lesson are built under
# `tf.distribute.MirroredStrategy`. Every GPU of the machine holds a copy of the network and takes its share
# of each batch; the gradients are added up before each step. With as many pictures a step as before, the loss
# is the same, if BatchNorm takes its means over all devices (`synchronized`): the course's tests compare one
# device with two. To gain time, give each GPU as many pictures as one had, and raise the rate with care.

# %%
print(f"replicas in step: {strategy.num_replicas_in_sync}")

# %% [markdown]
# **Several machines.** TensorFlow's strategy for that is `MultiWorkerMirroredStrategy`, each process being
# told its place by the variable `TF_CONFIG`. Keras 3's `fit` does not work under it: tried with two
# processes on one machine, it stops with *Attempt to convert a value (PerReplica ...) with an unsupported
# type*. The question is open in [keras#20585](https://github.com/keras-team/keras/issues/20585), where Keras
# with JAX and `keras.distribution` is recommended for many machines. What did work with two processes is a
# loop of one's own around `strategy.run`, with the same Keras model and optimizer.
#
# ## What this lesson found
#
# It is kept beside the other results of your runs, and the trainings' answers are removed.

# %%
findings = {
    "weights": weights,
    "pictures": {name: len(lesions.subset(name)) for name in splits.SUBSETS},
    "melanomas_of_600": int(few.melanoma.sum()),
    "sharpness": {
        f"{p} px": {f"seen at {s}": e for s, e in row.items()} for p, row in sharpness.items()
    },
    "sharpness_all_layers": {f"{p} px": e for p, e in sharpness_all.items()},
    "batch_norm": batch_norm,
    "share_of_sharpness": {k: float(v) for k, v in share_left.items()},
    "kept_views": cousin,
    "balance": balance,
    "curve": {f"{n} pictures": e for n, e in curve.items()},
    "looks": looks_found,
    "left_out": left_out,
    "ladder": ladder,
    "validation": {
        n: on_validation(r["validation"]) for n, r in rungs.items() if "validation" in r
    },
    "rungs": {
        n: found | {"minutes": minutes[n]} | ({"gain": gains[n]} if n in gains else {})
        for n, found in judged.items()
    },
    "beside": beside,
}
parameters = dict(SIZE=SIZE, ALPHA=ALPHA, SEED=SEED, SEEDS=SEEDS, FULL=FULL, MEMBERS=MEMBERS)
parameters |= dict(EPOCHS=EPOCHS, FULL_EPOCHS=FULL_EPOCHS, PICTURES=PICTURES, SIZES=SIZES)
headline = ("test AUC, top of the ladder", best)
results.keep(NAME, lesions.source, lesions.table, parameters, findings, headline)
shutil.rmtree(WORK, ignore_errors=True)  # another run with the same settings may need it still
print("kept")

# %% [markdown]
# ## Key points
#
# - One change at a time, the same lesions, the same seeds; a gain whose interval holds zero is noise.
# - Training all layers wants warm-up, a falling rate, and BatchNorm averages that follow.
# - Augmentation belongs into the input pipeline and must be off in prediction. Interpolate once: a chain of
#   layers blurs what the network learns from.
# - Class weights, balanced batches and focal loss move the threshold. Choosing it on validation is free.
# - Test-time augmentation and ensembles cost prediction time instead of ideas.
# - The test part is opened once, when every choice is made.
#
# ## Can you still say it?
#
# Answer aloud before you open each answer.
#
# <details><summary>Why does the learning rate begin at zero?</summary>
# The head is new, and its first gradients would push all layers in meaningless directions.</details>
#
# <details><summary>How do you check that augmentation is off in prediction?</summary>
# Call the layer with <code>training=False</code> and compare with pictures that were only resized.</details>
#
# <details><summary>Class weights raised the sensitivity from 0.3 to 0.8. What do you ask first?</summary>
# What the unweighted model's sensitivity is at the same specificity.</details>
#
# <details><summary>Why do networks of the same recipe from other seeds help each other?</summary>
# Their errors differ in part, and averaging cancels what they do not share.</details>
#
# ## What comes next
#
# The model that the course ships, in `models/`, stands on these rungs: all layers, augmented, seven diagnoses,
# all training pictures. Its card has its figures on real lesions.
#
# ## References
#
# - Loshchilov, Hutter: Decoupled Weight Decay Regularization. ICLR 2019,
#   [arXiv:1711.05101](https://arxiv.org/abs/1711.05101); SGDR: Stochastic Gradient Descent with Warm
#   Restarts. ICLR 2017, [arXiv:1608.03983](https://arxiv.org/abs/1608.03983) (the cosine).
# - Lin, Goyal, Girshick, He, Dollar: Focal Loss for Dense Object Detection. ICCV 2017,
#   [arXiv:1708.02002](https://arxiv.org/abs/1708.02002).
# - Tan, Le: EfficientNet. ICML 2019, [arXiv:1905.11946](https://arxiv.org/abs/1905.11946).
# - He, Zhang, Ren, Sun: Identity Mappings in Deep Residual Networks. ECCV 2016,
#   [arXiv:1603.05027](https://arxiv.org/abs/1603.05027).
# - Touvron, Vedaldi, Douze, Jegou: Fixing the train-test resolution discrepancy. NeurIPS 2019,
#   [arXiv:1906.06423](https://arxiv.org/abs/1906.06423).
# - Lakshminarayanan, Pritzel, Blundell: Simple and Scalable Predictive Uncertainty Estimation using Deep
#   Ensembles. NeurIPS 2017, [arXiv:1612.01474](https://arxiv.org/abs/1612.01474).
