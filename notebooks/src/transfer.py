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
# # {{ number }} · Transfer: can features learned from cats find melanomas?
#
# MobileNetV2 was trained on photos of cats, cars and teapots, never on a melanoma. Is what it learned
# of any use for skin? We train no layer of it, and find out.

# %% [markdown]
# **You will**
#
# - find melanomas with a logistic regression on the features of a frozen MobileNetV2;
# - feed pixels in a wrong range, a common mistake that gives no error;
# - see what a wider network and a larger input change.
#
# **New words**: base, frozen, cached features, linear probe, width, resolution
#
# **You need** lessons {{ number_of("intervals") }} and {{ number_of("mobilenetv2") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from utils import backbone, data, diagrams, evaluation, exercises, ledger
from utils import plots, pretrained, results, splits
from utils.baselines import baseline_probabilities
from utils.quiet import keras
from keras import layers

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28  # pixels a side of the images
ALPHA = 0.35  # width of the network
INPUT = 96  # pixels a side inside the network
SEED = 0

# %% [markdown]
# **Do you remember?**
#
# <details><summary>Lesson {{ number_of("mobilenetv2") }}: which two things do MobileNetV2's first filters
# see?</summary>
# Edges and colours. An edge filter answers at hairs, too.</details>
#
# <details><summary>Lesson {{ number_of("intervals") }}: what does a 95 % interval say?</summary>
# The score on very many such images probably lies in here.</details>
#
# ## Can a weighted sum of features find melanomas?
#
# `include_top=False` leaves out the last layer, which names ImageNet's classes: what is left is the
# **base**. `pooling="avg"` averages each channel of its output to one number, a feature.

# %%
_ = diagrams.linear_probe()


# %%
def mobilenet(weights):
    base = keras.applications.MobileNetV2(
        input_shape=(INPUT, INPUT, 3),
        alpha=ALPHA,
        include_top=False,
        pooling="avg",
        weights=weights,
    )
    base.trainable = False
    return base


# %% [markdown]
# `trainable = False` makes the base **frozen**: no training changes it. Two layers before it enlarge
# our images and bring pixels from 0..255 to -1..1, as in its own training.


# %%
def extractor(base):
    pixels = keras.Input((SIZE, SIZE, 3))
    x = layers.Resizing(INPUT, INPUT)(pixels)
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    return keras.Model(pixels, base(x))


# %%
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
validation = lesions.subset("validation")
y = validation.melanoma

# %%
weights = pretrained.mobilenet_v2(ALPHA, INPUT, lesions.source)
base = mobilenet(weights)
imagenet = extractor(base)
x_train = imagenet.predict(train.images, verbose=0)
x_validation = imagenet.predict(validation.images, verbose=0)
print(x_train.shape, x_validation.shape)

# %% [markdown]
# The base never changes, so we compute this once: **cached features**.
#
# A logistic regression gives each feature a weight, adds up, and turns the sum into a probability. On
# frozen features it is called a **linear probe**. A small `C` keeps its weights small;
# cross-validation inside the training set chooses it.


# %%
def probe(x):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    values = {"logisticregression__C": [1e-4, 1e-3, 1e-2]}
    search = GridSearchCV(model, values, scoring="roc_auc")
    return search.fit(x, train.melanoma)


# %% [markdown]
# The **AUC** is the chance that a random melanoma gets a higher score than a random other lesion; 0.5
# is guessing. Guess it for ImageNet's weights, and for *random* weights: a network that was never
# trained.

# %%
MY_AUC_OF_IMAGENET = ...
MY_AUC_OF_RANDOM = ...
ledger.guess("AUC of ImageNet features", MY_AUC_OF_IMAGENET)
ledger.guess("AUC of random weights", MY_AUC_OF_RANDOM)

# %%
reader = probe(x_train)
p_imagenet = reader.predict_proba(x_validation)[:, 1]
auc_of_imagenet = roc_auc_score(y, p_imagenet)
ledger.outcome("AUC of ImageNet features", auc_of_imagenet, lesions.source)
print(f"ImageNet's features: AUC {auc_of_imagenet:.2f}")

# %%
keras.utils.set_random_seed(SEED)
untrained = extractor(mobilenet(weights=None))
blank_probe = probe(untrained.predict(train.images, verbose=0))
x_blank = untrained.predict(validation.images, verbose=0)
colours = baseline_probabilities(train, validation)["colour baseline"]
rivals = {"random weights": blank_probe.predict_proba(x_blank)[:, 1]}
rivals["colour baseline"] = colours[0]

# %%
groups = validation.table["group"]
rows = []
for name, p in rivals.items():
    gain = evaluation.difference(roc_auc_score, y, p_imagenet, p, groups)
    rows.append([name, f"{roc_auc_score(y, p):.3f}", f"{gain:+.3f}"])
ledger.outcome("AUC of random weights", float(rows[0][1]), lesions.source)
pd.DataFrame(rows, columns=["", "AUC", "ImageNet minus this"])

# %% [markdown]
# No layer was trained on skin, and a weighted sum reaches 0.85 here. But random weights do not
# guess either: random filters probably pass on how dark and how red an image is.
#
# In brackets stands the 95 % interval of the difference: the difference on very many such images
# probably lies in here. Where it holds zero, the comparison is *inconclusive*, else clear.

# %% [markdown]
# One random network and 200 images decide little. So we repeated it on ten subsets of HAM10000, with
# another random network each time. Each was judged on the test images whose lesions it had not seen:
# {{ quote("dials", "test.fewest", ",") }} to {{ quote("dials", "test.most", ",") }}.
#
# - ImageNet minus random weights: {{ quote("dials", "test.ImageNet minus random", "+.3f") }},
#   {{ verdict("dials", "test.ImageNet minus random") }};
# - ImageNet minus colours: {{ quote("dials", "test.ImageNet minus colours", "+.3f") }},
#   {{ verdict("dials", "test.ImageNet minus colours") }}.

# %% [markdown]
# **Exercise transfer.1** Does a probe of a middle layer do as well here? Build `shorter`: it begins at `base.input`, ends
# at the layer `block_6_expand_relu` in the middle, and averages each channel
# (`GlobalAveragePooling2D`). Put it into `extractor`, fit a `probe`, and get the scores `p_shorter` on
# validation. What is the paired difference of the AUCs, this layer minus the last?

# %% tags=["exercise"]
shorter = ...
p_shorter = ...
gain_of_shorter = ...

answer = (shorter, p_shorter, gain_of_shorter)
exercises.check("transfer.1", answer, base=base, y=y, last=p_imagenet)

# %% tags=["solution"]
middle = base.get_layer("block_6_expand_relu").output
pooled = layers.GlobalAveragePooling2D()(middle)
shorter = keras.Model(base.input, pooled)
to_middle = extractor(shorter)
s_probe = probe(to_middle.predict(train.images, verbose=0))
x_shorter = to_middle.predict(validation.images, verbose=0)
p_shorter = s_probe.predict_proba(x_shorter)[:, 1]
gain_of_shorter = evaluation.difference(
    roc_auc_score, y, p_shorter, p_imagenet, groups
)

answer = (shorter, p_shorter, gain_of_shorter)
exercises.check("transfer.1", answer, base=base, y=y, last=p_imagenet)

# %% [markdown]
# ## The same weights, other pixels
#
# Files hold pixels from 0 to 255. The original project feeds 0 to 1. Here are the same images in three
# ranges; the band is what MobileNetV2 was trained with.

# %%
unit = validation.images / 255
ranges = {"-1 to 1": 2 * unit - 1, "0 to 1": unit, "0 to 255": 255 * unit}

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
# @title The figure
figure, axes = plt.subplots(1, 3, figsize=(8, 2.7))
for ax, (name, pixels) in zip(axes, ranges.items()):
    sns.histplot(x=pixels.ravel(), bins=30, stat="percent", ax=ax)
    ax.axvspan(-1, 1, color=plots.PALETTE[1], alpha=0.3, zorder=0)
    ax.set(title=name, xlabel="value of a pixel", ylabel="% of all pixels")
_ = figure.suptitle("From 0 to 255 nearly all pixels lie outside the band")
# alt: Three histograms of the same pixels and a band from -1 to 1. From -1 to 1 they fill the band, from 0 to 1 its right half, from 0 to 255 the band is a thin line at the left end and the pixels lie far from it.

# %% [markdown]
# Our probe was trained on -1 to 1. Suppose an app asks it and forgets to scale. Guess its AUC.

# %%
MY_AUC_UNSCALED = ...
ledger.guess("AUC when the app forgets to scale", MY_AUC_UNSCALED)

# %%
asked = keras.Sequential([layers.Resizing(INPUT, INPUT), base])
rows = []
for name, pixels in ranges.items():
    p = reader.predict_proba(asked.predict(pixels, verbose=0))[:, 1]
    auc = roc_auc_score(y, p)
    rows.append([name, auc])
ledger.outcome("AUC when the app forgets to scale", auc, lesions.source)
pd.DataFrame(rows, columns=["pixels", "AUC of the app"]).round(2)

# %% [markdown]
# No line of code complained. Is 0 to 255 worse than guessing? This is one subset; in ten the AUC was
# between {{ quote("dials", "lowest.later: 0 to 255", ".2f") }} and
# {{ quote("dials", "highest.later: 0 to 255", ".2f") }}, on average
# {{ quote("dials", "roc_auc.later: 0 to 255.value", ".2f") }}: about guessing.
#
# With 0 to 1 the harm is smaller, and easier to overlook. Over the ten subsets the mean AUC changes by
# {{ quote("dials", "gains.later: 0 to 1 minus width 35%, input 96", "+.3f") }}. Why does 0 to 255 do
# such harm? Look at the first layer:

# %%
first = keras.Model(base.input, base.get_layer("Conv1_relu").output)
start = keras.Sequential([layers.Resizing(INPUT, INPUT), first])
for name, pixels in ranges.items():
    outputs = start.predict(pixels, verbose=0)
    cut = np.mean((outputs == 0) | (outputs == 6))
    print(f"{name}: {cut:.0%} of its outputs are 0 or 6")

# %% [markdown]
# ReLU6 cuts at 0 and at 6, so the features are poorer. Yet a probe *trained* on 0 to 255 reaches
# {{ quote("dials", "roc_auc.0 to 255.value", ".2f") }}: that training and app differ does more harm. The remedy is
# what `extractor` does: scale *inside* the model. Then no app can forget it.

# %% [markdown]
# **Exercise transfer.2** A colleague's model gives nearly the same answer for every image:
#
#     def classifier(base):
#         inputs = keras.Input((96, 96, 3))  # pixels from 0 to 255
#         x = keras.applications.mobilenet_v2.preprocess_input(inputs)
#         x = layers.Rescaling(1 / 127.5, offset=-1)(x)
#         return keras.Model(inputs, base(x))
#
# Find the mistake (what does `preprocess_input` return for 0 and 255?) and write `fixed(base)`.


# %% tags=["exercise"]
def fixed(base):
    return ...


exercises.check("transfer.2", fixed)


# %% tags=["solution"]
def fixed(base):
    inputs = keras.Input((96, 96, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    return keras.Model(inputs, base(x))


exercises.check("transfer.2", fixed)

# %% [markdown]
# ## Does a wider network or a larger input help?
#
# MobileNetV2 comes in several sizes. The **width** (`alpha`) multiplies the channels of its layers,
# except the last, which keeps 1,280. The **resolution** is the side of its input in pixels.
#
# **Exercise transfer.3** What do they cost? Write `cost(alpha, size)`: it builds the network without
# its top and without weights, and returns its parameters and its multiply-adds
# (`backbone.macs(model)`).


# %% tags=["exercise"]
def cost(alpha, size):
    return ...


exercises.check("transfer.3", cost)


# %% tags=["solution"]
def cost(alpha, size):
    model = keras.applications.MobileNetV2(
        (size, size, 3), alpha=alpha, include_top=False, weights=None
    )
    return model.count_params(), backbone.macs(model)


exercises.check("transfer.3", cost)

# %%
cost = exercises.use("transfer.3", cost)
rows = []
for alpha, size in [(0.35, 96), (0.35, 224), (1.0, 96), (1.0, 224)]:
    parameters, work = cost(alpha, size)
    rows.append([alpha, size, f"{parameters:,}", f"{work / 1e6:.0f} million"])
pd.DataFrame(rows, columns=["width", "input", "parameters", "multiply-adds"])

# %% [markdown]
# Width changes parameters and work, resolution only the work. What do they gain? Below are probes of
# ten networks, on the ten subsets' validation images. **All inputs are the same images of 28 x 28 pixels, enlarged: no
# setting adds detail.**

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
# @title The figure, and a record of this run
record = results.committed("dials")
colour_auc = record["roc_auc"]["colour baseline"].value
_ = plots.width_and_resolution(pd.DataFrame(record["grid"]), colour_auc)
_ = results.keep(
    f"transfer-{SIZE}px",
    lesions.source,
    lesions.table,
    dict(SIZE=SIZE, ALPHA=ALPHA, INPUT=INPUT, SEED=SEED),
    {},
    headline=(
        "validation AUC of a linear probe",
        evaluation.estimate(roc_auc_score, y, p_imagenet, groups),
    ),
)
# alt: Mean AUC over ten subsets by million multiply-adds, with intervals, for two widths; each point has its input in pixels. Width 0.35 stays between {{ quote("dials", "grid.0.auc", ".2f") }} and {{ quote("dials", "grid.2.auc", ".2f") }}. Width 1.0 rises from {{ quote("dials", "grid.5.auc", ".2f") }} at 32 pixels to {{ quote("dials", "grid.9.auc", ".2f") }} at 224 pixels. The colour baseline is at {{ quote("dials", "roc_auc.colour baseline.value") }}.

# %% [markdown]
# Width `1.0` at 224 pixels against `0.35` at 96, for {{ fact("28", "the MACs in dials.json") }} times the work:
# {{ quote("dials", "gains.width 100%, input 224 minus width 35%, input 96", "+.3f") }},
# {{ verdict("dials", "gains.width 100%, input 224 minus width 35%, input 96") }}. Far below
# the size of their training, weights can fail. Those of width `1.0` come from 224 pixels: at 32 pixels the
# AUC changes by {{ quote("dials", "gains.width 100%, input 32 minus input 224", "+.2f") }}.

# %% [markdown]
# **Why transfer at all**, if colours come near this probe? A frozen base is only the start. We trained
# *all* layers on the 600 images, at 64 pixels, three seeds each. AUC on 1,999 test images:
#
# - from ImageNet's weights: {{ quote("from_scratch", "roc_auc.ImageNet") }};
# - from random weights: {{ quote("from_scratch", "roc_auc.random") }}, and
#   {{ quote("from_scratch", "roc_auc.random, longer") }} with three times as many steps. Paired,
#   ImageNet's lead over that is
#   {{ quote("from_scratch", "gains.ImageNet minus random, longer", "+.3f") }}:
#   {{ verdict("from_scratch", "gains.ImageNet minus random, longer") }}.
#

# %% [markdown]
# So: yes. Features learned from cats find melanomas better than random ones, not clearly
# better than colours, and training all layers beats a random start.

# %% [markdown]
# ## Key points
#
# - A linear probe shows what frozen features hold. Put random weights and colours beside it.
# - Weights expect one range of pixels, and no error tells you. Scale inside the model.
# - Enlarging an image adds no detail.
#
# ## Check yourself
#
# <details><summary>Why do random weights reach an AUC far above {{ fact("0.5", "guessing") }}?</summary>
# Random filters probably pass on colour and contrast, and the probe weighs them.</details>
#
# <details><summary>A model scored well in training and badly in the app. What do you look at
# first?</summary>
# The pixels: their range, their size, and the order of the colours must be the same in both.</details>
#
# <details><summary>Why does a larger input add no detail here?</summary>
# All inputs are the same images of 28 x 28 pixels, enlarged.</details>
#
# ## What comes next
#
# From a probe to a training: a head on the base, when to stop, what to save.
# [{{ number_of("training") }} · Training]({{ notebook_of("training") }})
#
# ## References
#
# - Alain, Bengio: Understanding intermediate layers using linear classifier probes. 2016,
#   [arXiv:1610.01644](https://arxiv.org/abs/1610.01644).
# - Raghu, Zhang, Kleinberg, Bengio: Transfusion: Understanding Transfer Learning for Medical Imaging.
#   NeurIPS 2019, [arXiv:1902.07208](https://arxiv.org/abs/1902.07208). With large networks and many
#   images they found little gain.
# - Keras: [MobileNetV2](https://keras.io/api/applications/mobilenet/) and its pixel range,
#   [transfer learning](https://keras.io/guides/transfer_learning/).

# %%
exercises.progress()

# %%
ledger.show()
