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
# # {{ number }} · Transfer: what ImageNet features know of skin
#
# MobileNetV2 learned from more than a million photos of dogs, cars and teapots. Nobody ever told it what a
# melanoma is. Can we still find melanomas with what it learned? In this lesson no layer of the
# network is trained. We only read its output, and we see how one line about pixel values spoils it.

# %% [markdown]
# **You will**
#
# - compute the features of a frozen MobileNetV2 with `predict`;
# - read melanoma from them with a logistic regression, a *linear probe*;
# - compare them with random weights and with colours, by paired differences;
# - feed pixels in a wrong range and see what happens;
# - choose a width and an input size by parameters, work and AUC.
#
# **You need** a little Python and Keras. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from utils import backbone, data, diagrams, evaluation, exercises
from utils import ledger, plots, pretrained, results, splits
from utils.baselines import baseline_probabilities
from utils.evaluation import roc_auc  # scikit-learn's, but faster
from utils.quiet import keras
from keras import layers

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
ALPHA = 0.35  # width of the network
INPUT = 96  # pixels a side inside the network
RANDOM_NETWORKS = 2
SEED = 0

# %% [markdown]
# ## From an image to 1,280 numbers
#
# `include_top=False` leaves out the last layer, which knows the 1,000 classes of ImageNet.
# `pooling="avg"` averages what is left to one number a channel: the **features**. The network is
# **frozen**: its weights stay as they are.

# %%
_ = diagrams.linear_probe()


# %%
def mobilenet(weights):
    return keras.applications.MobileNetV2(
        input_shape=(INPUT, INPUT, 3),
        alpha=ALPHA,
        include_top=False,
        pooling="avg",
        weights=weights,
    )


# %%
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
validation = lesions.subset("validation")
weights = pretrained.mobilenet_v2(ALPHA, INPUT, lesions.source)
base = mobilenet(weights)
print("Weights:", pretrained.describe(weights))
print(f"{base.count_params():,} parameters")

# %% [markdown]
# The weights were trained with pixels from -1 to 1. So we enlarge our images to 96 x 96 pixels, and
# bring their values from 0..255 into that range. Then `predict` gives the features.


# %%
def enlarge(images):
    pixels = images.astype("float32")
    return keras.ops.image.resize(pixels, (INPUT, INPUT))


raw_train = enlarge(train.images)
raw_validation = enlarge(validation.images)
x_train = raw_train / 127.5 - 1
x_validation = raw_validation / 127.5 - 1


# %%
def features(network, x):
    return network.predict(x, batch_size=100, verbose=0)


f_train = features(base, x_train)
f_validation = features(base, x_validation)
print(f_train.shape, f_validation.shape)

# %% [markdown]
# ## Can a weighted sum find melanomas?
#
# We give each feature a weight, add everything up, and turn the sum into a probability. This is a
# logistic regression. On frozen features it is called a **linear probe**: it shows what the features
# hold ready.
#
# With 1,280 features and 600 images it overfits easily. A small `C` keeps the weights small. Which
# `C`? Cross-validation decides: fit on four fifths of the training set, judge on the fifth that is
# left, five times.


# %%
def probe(x):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    values = {"logisticregression__C": [1e-5, 1e-4, 1e-3]}
    search = GridSearchCV(model, values, scoring="roc_auc")
    return search.fit(x, train.melanoma)


# %% [markdown]
# We judge on the validation set by the **AUC**: the chance that a random melanoma gets a higher score
# than a random other lesion. 0.5 is guessing, 1 is perfect. Two rivals:
#
# - the **colour baseline** of lesson {{ number_of("data") }}: nine colour values, no network;
# - the same network with **random weights**, which never saw any image.
#
# Guess two AUCs: with ImageNet's weights, and with random weights.

# %%
MY_AUC_OF_IMAGENET = ...
MY_AUC_OF_RANDOM = ...
ledger.guess("AUC of frozen ImageNet features", MY_AUC_OF_IMAGENET)
ledger.guess("AUC of random weights", MY_AUC_OF_RANDOM)

# %%
reader = probe(f_train)
imagenet = reader.predict_proba(f_validation)[:, 1]
colours = baseline_probabilities(train, validation)["colour baseline"][0]

# %%
randoms = []
for seed in range(RANDOM_NETWORKS):
    keras.utils.set_random_seed(seed)
    blank = mobilenet(weights=None)
    blank_probe = probe(features(blank, x_train))
    p = blank_probe.predict_proba(features(blank, x_validation))
    randoms.append(p[:, 1])

# %%
y = validation.melanoma
of_randoms = [roc_auc(y, p) for p in randoms]
print(f"ImageNet: AUC {roc_auc(y, imagenet):.2f}")
print(f"colours: AUC {roc_auc(y, colours):.2f}")
print("random weights: AUC", ", ".join(f"{auc:.2f}" for auc in of_randoms))
ledger.outcome("AUC of frozen ImageNet features", roc_auc(y, imagenet))
ledger.outcome("AUC of random weights", np.mean(of_randoms))

# %% [markdown]
# No layer learned anything from skin, and a weighted sum reaches about 0.85. Random weights do not
# guess either. Random filters still pass on how dark, how red and how uneven an image is.
#
# So is ImageNet better? 200 other images would give other numbers. The **95 % interval** says how far
# a number may move. We compare each pair on the same images: a paired difference, as in lesson {{ number_of("intervals") }}.

# %%
groups = validation.table["group"]
beats_random = evaluation.difference(roc_auc, y, imagenet, randoms, groups)
beats_colours = evaluation.difference(roc_auc, y, imagenet, colours, groups)
print(f"ImageNet minus the mean of the random ones: {beats_random:+.2f}")
print(f"ImageNet minus colours: {beats_colours:+.2f}")

# %% [markdown]
# The interval against random weights lies above zero: learning from ImageNet helped. The interval
# against the colours holds zero: **inconclusive**. So we repeated both on ten draws of 1,000 images:
#
# - ImageNet minus random: {{ quote("dials", "gains.ImageNet minus random", "+.3f") }}, shown;
# - ImageNet minus colours: {{ quote("dials", "gains.ImageNet minus colours", "+.3f") }}, still
#   inconclusive.
#
# ## The same weights, other pixels
#
# Two mistakes are common. The original project feeds pixels from 0 to 1, which other networks
# expect. Or someone forgets to scale: 0 to 255.
#
# Suppose our probe learned from -1 to 1, as above. Then an app asks it about new images and forgets
# to scale them. Guess its AUC.

# %%
MY_AUC_UNSCALED = ...
ledger.guess("AUC when the app forgets to scale", MY_AUC_UNSCALED)

# %%
wrong = {}
for name, divisor in [("0 to 1", 255), ("0 to 255", 1)]:
    asked = features(base, raw_validation / divisor)
    later = reader.predict_proba(asked)[:, 1]
    always = probe(features(base, raw_train / divisor)).predict_proba(asked)
    wrong[f"{name}, only when asked"] = later
    wrong[f"{name}, in training too"] = always[:, 1]

# %%
rows = {}
for name, p in wrong.items():
    change = evaluation.difference(roc_auc, y, p, imagenet, groups, 500)
    rows[name] = [f"{roc_auc(y, p):.2f}", f"{change:+.2f}"]
auc_unscaled = roc_auc(y, wrong["0 to 255, only when asked"])
ledger.outcome("AUC when the app forgets to scale", auc_unscaled)
columns = ["AUC", "minus -1 to 1"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns)

# %% [markdown]
# Read the third row first. Its AUC is below 0.5, worse than guessing, and no line of code complained.
# With 0 to 1 the loss is smaller and easier to overlook. If training was fed wrongly too, the probe
# gets used to it. Over ten draws, against -1 to 1:
#
# | fed | only when asked | in training too |
# | --- | --- | --- |
# | 0 to 1 | {{ quote("dials", "gains.later: 0 to 1 minus width 35%, input 96", "+.3f") }} | {{ quote("dials", "gains.0 to 1 minus width 35%, input 96", "+.3f") }} |
# | 0 to 255 | {{ quote("dials", "gains.later: 0 to 255 minus width 35%, input 96", "+.3f") }} | {{ quote("dials", "gains.0 to 255 minus width 35%, input 96", "+.3f") }} |
#
# What the original project does, 0 to 1 everywhere, is inconclusive. The three others cost AUC. Why?

# %%
conv1 = keras.Model(base.input, base.get_layer("Conv1_relu").output)
for name, x in [("-1 to 1", x_validation), ("0 to 255", raw_validation)]:
    share = np.mean(features(conv1, x) >= 6)
    print(f"fed {name}: {share:.0%} of the first layer's outputs are 6")

# %% [markdown]
# MobileNetV2 passes its outputs through ReLU6: what is below 0 becomes 0, what is above 6 becomes 6.
# Fed with 0 to 255, almost half of the first layer's outputs are 6, and differences above 6 are lost.
# Let us look at this layer, and at one from the middle.

# %% tags=["pictures"]
names = ["Conv1_relu", "block_6_expand_relu"]
watched = [base.get_layer(name).output for name in names]
watch = keras.Model(base.input, watched)
right = watch.predict(x_train[:1], verbose=0)
unscaled = watch.predict(raw_train[:1], verbose=0)
fed = {"-1 to 1": right, "0 to 255": unscaled}
_ = plots.feature_maps(raw_train[0], fed, names, lesions.source)
# alt: A lesion, and two maps of each of two layers. Upper row, fed from -1 to 1: the first layer draws the lesion, the middle layer is coarse. Lower row, fed from 0 to 255: the maps of the first layer are at 6 everywhere.

# %% [markdown]
# Upper row: the first layer (48 x 48 places) still draws the lesion. The layer from the middle (12 x
# 12) is coarser, and nobody can say in a word what a map stands for. Lower row: these maps of the
# first layer are 6 everywhere, so the lesion is gone.
#
# The remedy is a layer `Rescaling(1 / 127.5, offset=-1)` *inside* the model. Then nobody can forget
# it.

# %% [markdown]
# **Exercise transfer.1** A colleague's model gives nearly the same answer for every image:
#
#     def classifier(base):
#         inputs = keras.Input((96, 96, 3))  # pixels from 0 to 255
#         x = keras.applications.mobilenet_v2.preprocess_input(inputs)
#         x = layers.Rescaling(1 / 127.5, offset=-1)(x)
#         return keras.Model(inputs, base(x))
#
# Find the mistake and write `mended(base)`. (`exercises.hint("transfer.1")` helps.)


# %% tags=["exercise"]
def mended(base):
    return ...


exercises.check("transfer.1", mended)


# %% tags=["solution"]
def mended(base):
    inputs = keras.Input((96, 96, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    return keras.Model(inputs, base(x))


exercises.check("transfer.1", mended)

# %% [markdown]
# **Exercise transfer.2** Do we need all 154 layers? Build `shorter`: it ends at the layer
# `block_6_expand_relu`, in the middle, and averages its places. Compute its features, fit a `probe`,
# and get the scores `p_shorter` on validation. What is the paired difference of the AUCs, this layer
# minus the last?

# %% tags=["exercise"]
shorter = ...
p_shorter = ...
gain = ...

answer = (shorter, p_shorter, gain)
exercises.check("transfer.2", answer, base=base, y=y, last=imagenet)

# %% tags=["solution"]
middle = base.get_layer("block_6_expand_relu").output
pooled = layers.GlobalAveragePooling2D()(middle)
shorter = keras.Model(base.input, pooled)
s_probe = probe(features(shorter, x_train))
p_shorter = s_probe.predict_proba(features(shorter, x_validation))[:, 1]
gain = evaluation.difference(roc_auc, y, p_shorter, imagenet, groups)

answer = (shorter, p_shorter, gain)
exercises.check("transfer.2", answer, base=base, y=y, last=imagenet)

# %% [markdown]
# ## Two dials: width and input size
#
# MobileNetV2 comes in several sizes. The **width** `alpha` scales the channels of all layers. The
# **input size** is free from 32 pixels on; the original project calls
# {{ fact("96", "the original project's claim") }} the minimum, which is wrong. The published
# weights were trained at {{ fact("96, 128, 160, 192 or 224", "Keras") }} pixels, one file for
# each.
#
# What does each dial cost? We count parameters and **multiply-adds**, the work for one image.
#
# **Exercise transfer.3** Write `cost(alpha, size)`. It builds the network without its top and without
# weights, and returns its parameters and its multiply-adds (`backbone.macs(model)` counts them).


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

# %% [markdown]
# And what does a dial gain? We measured ten networks with the probe of this lesson, on ten draws
# of 1,000 images from HAM10000. The figure shows the mean AUC on validation with its 95 % interval
# over the draws. Width `0.35` has the weights trained at 96 pixels, width `1.0` those trained at
# 224 pixels.


# %%
measured = results.committed("dials")
dials = pd.DataFrame(measured["grid"])
dials["work"] = dials["MACs"] / 1e6
bar = measured["roc_auc"]["colour baseline"].value


def draw_dials():
    _, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for width, form in [(0.35, "o-"), (1.0, "s--")]:
        part = dials[dials["width"] == width]
        bars = [part["auc"] - part["low"], part["high"] - part["auc"]]
        name = f"width {width}"
        ax.errorbar(part["work"], part["auc"], bars, fmt=form, label=name)
    ax.axhline(bar, color="black", linestyle=":", label="colour baseline")
    ax.set(xscale="log", xlabel="million multiply-adds", ylabel="AUC")
    ax.set_xticks([1, 10, 100], ["1", "10", "100"])
    ax.legend(title="inputs of 32, 64, 96, 128, 224 px", loc="lower right")
    return ax


_ = draw_dials()
# alt: Mean AUC by million multiply-adds for two widths. Width 0.35 stays between {{ quote("dials", "grid.0.auc", ".2f") }} and {{ quote("dials", "grid.2.auc", ".2f") }} at all input sizes. Width 1.0 rises from {{ quote("dials", "grid.5.auc", ".2f") }} at 32 pixels to {{ quote("dials", "grid.9.auc", ".2f") }} at 224 pixels. The colour baseline is at {{ quote("dials", "roc_auc.colour baseline.value") }}.

# %% [markdown]
# From left to right on each line, the input grows from 32 pixels to 224 pixels.
#
# **Try it.** Which network reaches an AUC of {{ quote("dials", "roc_auc.colour baseline.value") }}
# with the least work?

# %%
sizes = ipywidgets.SelectionSlider(options=[32, 64, 96, 128, 224], value=96)
widths = ipywidgets.SelectionSlider(options=[0.35, 1.0], value=0.35)


@ipywidgets.interact(width=widths, size=sizes)
def choose(width, size):
    ax = draw_dials()
    row = dials.query("width == @width and input == @size").iloc[0]
    ax.plot(row["work"], row["auc"], "ko", markersize=16, fillstyle="none")
    parameters = f"{row['parameters']:,.0f} parameters"
    work = f"{row['work']:.0f} million multiply-adds"
    ax.set_title(f"{parameters}, {work}, AUC {row['auc']:.2f}", fontsize=11)
    plt.show()


# %% [markdown]
# - **Width** changes parameters and work: `0.35` has
#   {{ quote("dials", "grid.2.parameters", ",") }} parameters, `1.0` has
#   {{ quote("dials", "grid.9.parameters", ",") }}.
# - **Input size** leaves the parameters alone. The work grows with the square of the side.
# - Feed about the size that the weights were trained at. Width `1.0` was trained at 224 pixels; at
#   96 pixels its AUC changes by
#   {{ quote("dials", "gains.width 100%, input 96 minus input 224", "+.3f") }}, at 32 pixels by
#   {{ quote("dials", "gains.width 100%, input 32 minus input 224", "+.2f") }}.
# - More is not always better: width `1.0` at 224 pixels needs
#   {{ fact("28", "the MACs in dials.json") }} times the work of width `0.35` at 96 pixels. The
#   difference of their AUCs is
#   {{ quote("dials", "gains.width 100%, input 224 minus width 35%, input 96", "+.3f") }}:
#   {{ verdict("dials", "gains.width 100%, input 224 minus width 35%, input 96", above=None, below=None) }}.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
best = evaluation.estimate(roc_auc, y, imagenet, groups)
_ = results.keep(
    f"transfer-{SIZE}px",
    lesions.source,
    lesions.table,
    dict(SIZE=SIZE, ALPHA=ALPHA, INPUT=INPUT, SEED=SEED),
    {"minus_random": beats_random, "minus_colours": beats_colours},
    headline=("validation AUC of a linear probe", best),
)

# %% [markdown]
# ## Key points
#
# - A frozen network is a function from pixels to features. `predict` computes them once.
# - A linear probe shows what features hold ready. Compare it with random weights and with a simple
#   baseline.
# - ImageNet's features beat random weights. Against nine colour values, ten draws are inconclusive.
# - Pretrained weights expect one range of pixels. No error tells you that you missed it.
# - Width changes parameters and work. Input size changes the work and leaves the parameters alone.
#
# ## Check yourself
#
# <details><summary>Why do random weights reach an AUC far above {{ fact("0.5", "guessing") }}?</summary>
# Random filters still pass on colour and contrast, and the probe learns to read them.</details>
#
# <details><summary>A model scored well in training and badly in the app. What do you look at
# first?</summary>
# The pixels: their range, their size, and the order of the colours must be the same in both.</details>
#
# <details><summary>An interval of a difference holds zero. Are the two networks equal?</summary>
# That is not shown. These images cannot decide: it is inconclusive.</details>
#
# ## What comes next
#
# A logistic regression read the frozen features. Now a small network learns to read them, with all
# that belongs to a training. [{{ number_of("training") }} · Training a head]({{ notebook_of("training") }})
#
# ## References
#
# - Alain, Bengio: Understanding intermediate layers using linear classifier probes. 2016,
#   [arXiv:1610.01644](https://arxiv.org/abs/1610.01644).
# - Raghu, Zhang, Kleinberg, Bengio: Transfusion: Understanding Transfer Learning for Medical Imaging.
#   NeurIPS 2019, [arXiv:1902.07208](https://arxiv.org/abs/1902.07208).
# - Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2: Inverted Residuals and Linear Bottlenecks.
#   CVPR 2018, [arXiv:1801.04381](https://arxiv.org/abs/1801.04381).
# - Keras: [MobileNetV2](https://keras.io/api/applications/mobilenet/) and its pixel range.

# %%
ledger.show()
