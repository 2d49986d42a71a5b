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
# # 03 · MobileNetV2: where do its savings come from, and what does it know of skin?
#
# A network that fits into a telephone looks at a lesion with features it learned from dogs, cars and
# mushrooms. How can it be so small? And is what it learned from a million everyday pictures worth
# anything on skin, or would any heap of filters do, even one that has learned nothing? This lesson
# counts the first question to the last parameter, and measures the second.
#
# **You will be able to**
#
# - build a depthwise separable convolution and an inverted residual in a few lines, and count their
#   parameters and multiply-adds by hand;
# - say why the narrow layers have no ReLU, and why the ReLU of the others ends at 6;
# - compute a receptive field, layer by layer;
# - feed pretrained weights the pixels they expect, and recognise it when somebody did not;
# - choose a width and a resolution from a measured table, with an interval and two baselines
#   beside each number.
#
# **You need** a little Python, and to know what a convolution does (a small window of weights moves
# over the picture). **Time**: 40 minutes to read and work through, 70 seconds to run on a CPU (2
# cores, synthetic lesions); on a free T4 GPU about half of that (an estimate, not measured).
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from utils import backbone, data, evaluation, exercises, ledger, plots, pretrained, results, splits
import keras
from keras import layers

# %% [markdown]
# What you may change. `SIZE` is the side of a picture in pixels (Kaggle's table has 28 only), `ALPHA`
# the width of the network that is looked at; the last table measures every width and input size that
# `CONFIGURATIONS` names, as `width@size`, and as many networks without training as `RANDOM_SEEDS`
# says.

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
ALPHA = 0.35
SEED = 0
CONFIGURATIONS = "0.35@96 0.35@224 1.0@96 1.0@224"
RANDOM_SEEDS = 3

# %% [markdown]
# ## What does a convolution cost?
#
# A plain convolution with a 3 x 3 kernel looks, for each of its output channels, at nine pixels in
# *every* input channel. So it has $k \cdot k \cdot c_{in} \cdot c_{out}$ numbers to learn, and uses
# all of them once at each place where the kernel is laid: that many times $h \cdot w$ multiply-adds
# (**MACs**: multiply two numbers, add to a sum). By hand, by Keras, and by
# `backbone.macs`, the course's counter (it adds up the formulas of this section over all layers):

# %% tags=["nbval-check-output"]
side, c_in, c_out = 48, 32, 64
x = keras.Input((side, side, c_in))
plain = keras.Model(x, layers.Conv2D(c_out, 3, padding="same", use_bias=False)(x))

plain_parameters = 3 * 3 * c_in * c_out
plain_macs = side * side * plain_parameters
assert plain.count_params() == plain_parameters and backbone.macs(plain) == plain_macs
print(f"plain: {plain_parameters:,} parameters, {plain_macs:,} MACs")

# %% [markdown]
# The layer does two jobs at once: it looks at *neighbours* (the nine pixels) and it mixes *channels*
# (all 32 of them). A **depthwise separable** convolution does them one after the other: first each
# channel is filtered by a 3 x 3 kernel of its own (*depthwise*), then a 1 x 1 convolution mixes the
# channels at each pixel (*pointwise*). Input and output have the same shapes as before. **Predict**:
# what share of the plain layer's multiply-adds is left, as a number from 0 to 1?

# %%
MY_SHARE = ...

ledger.guess("03 multiply-adds left when separable", MY_SHARE)

# %% tags=["nbval-check-output"]
y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
separable = keras.Model(x, layers.Conv2D(c_out, 1, use_bias=False)(y))

parameters = 3 * 3 * c_in + c_in * c_out  # a sum where the plain layer has a product
assert separable.count_params() == parameters
assert backbone.macs(separable) == side * side * parameters
assert separable.output.shape == plain.output.shape
print(f"separable: {parameters:,} parameters, {side * side * parameters:,} MACs")

# %%
share = backbone.macs(separable) / plain_macs
assert np.isclose(share, 1 / c_out + 1 / 9)
ledger.outcome("03 multiply-adds left when separable", share)

# %% [markdown]
# The share is $1/c_{out} + 1/k^2$: with a 3 x 3 kernel it can never fall below one ninth, however many
# channels there are. What is given up: a plain layer could learn a different 3 x 3 pattern for each
# *pair* of channels, the separable one has a single pattern for each input channel. It is the first
# of two ideas by which MobileNetV2 is small.
#
# **Exercise 03.1** `keras.layers.SeparableConv2D` does both steps in one layer; its depthwise part has
# no biases, its pointwise part one for each output channel. How many parameters does it have with a
# kernel of 3, 64 channels in and 128 out?

# %% tags=["exercise", "nbval-check-output"]
parameters_of_it = ...

exercises.check("03.1", parameters_of_it, kernel=3, c_in=64, c_out=128)

# %% tags=["solution"]
x = keras.Input((32, 32, 64))
parameters_of_it = 3 * 3 * 64 + 64 * 128 + 128  # depthwise, pointwise, biases
y = layers.SeparableConv2D(128, 3)(x)
assert parameters_of_it == keras.Model(x, y).count_params()

exercises.check("03.1", parameters_of_it, kernel=3, c_in=64, c_out=128)

# %% [markdown]
# **Exercise 03.2** A depthwise convolution of 3 x 3 with 32 channels and stride 2 ("same" padding)
# stands on an input of 96 x 96. How many multiply-adds does it need?

# %% tags=["exercise", "nbval-check-output"]
macs_of_it = ...

exercises.check("03.2", macs_of_it, side=96, channels=32, kernel=3, stride=2)

# %% tags=["solution"]
x = keras.Input((96, 96, 32))
macs_of_it = (96 // 2) * (96 // 2) * 3 * 3 * 32  # laid at 48 x 48 places, in each channel alone
y = layers.DepthwiseConv2D(3, strides=2, padding="same")(x)
assert macs_of_it == backbone.macs(keras.Model(x, y))

exercises.check("03.2", macs_of_it, side=96, channels=32, kernel=3, stride=2)

# %% [markdown]
# ## The inverted residual, by hand
#
# Between two layers the picture has to be kept somewhere, and wide layers are dear to mix: the 1 x 1
# convolution costs $c_{in} \cdot c_{out}$ at each pixel. MobileNetV2's second idea is to keep the
# picture in *few* channels, and to widen it only for the moment in which it is filtered:
#
# 1. **expand**: a 1 x 1 convolution makes six times as many channels, then ReLU6;
# 2. **filter**: a depthwise 3 x 3 convolution looks at the neighbours, then ReLU6;
# 3. **project**: a 1 x 1 convolution brings it back to few channels, and *nothing* follows: this is
#    the **linear bottleneck**;
# 4. a **shortcut** adds the input, where stride and channels allow it.
#
# Older residual blocks run wide - narrow - wide, with the shortcut between the wide ends. Here it runs
# narrow - wide - narrow, hence *inverted*. Batch normalisation (four numbers a channel) stands after
# each convolution, which therefore needs no bias.


# %%
def inverted_residual(x, channels, stride=1, expansion=6):
    wide, shortcut = expansion * x.shape[-1], x
    x = layers.Conv2D(wide, 1, use_bias=False)(x)
    x = layers.ReLU(6)(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)(x)
    x = layers.ReLU(6)(layers.BatchNormalization()(x))
    x = layers.Conv2D(channels, 1, use_bias=False)(x)
    x = layers.BatchNormalization()(x)  # and no ReLU
    return layers.Add()([shortcut, x]) if x.shape == shortcut.shape else x


# %% [markdown]
# Is that the real thing? Take the block that Keras calls `block_2` out of the pretrained network, build
# ours with the same shapes, copy the weights, and feed both the same numbers. By hand, a block at
# $h \cdot w$ pixels from $d$ channels to $d'$ with expansion $t$ needs
# $h \cdot w \cdot t d \cdot (d + k^2 + d')$ multiply-adds, as in the paper. (`block_2` has stride 1; where
# the stride is 2, Keras pads the picture in a layer of its own.)

# %%
lesions = data.load_lesions(SOURCE, size=SIZE, select=splits.mini)
weights = pretrained.mobilenet_v2(ALPHA, 96, lesions.source)
keras.utils.set_random_seed(SEED)
base = backbone.mobilenet_v2(ALPHA, source_size=SIZE, size=96, weights=weights)
print("Weights:", pretrained.describe(weights))
theirs = backbone.cut(base, "block_1_project_BN", "block_2_add")[1]
x = keras.Input(theirs.input.shape[1:])
ours = keras.Model(x, inverted_residual(x, theirs.output.shape[-1]))
ours.set_weights(theirs.get_weights())

# %%
_, h, w, d = theirs.output.shape
by_hand = 6 * d * (d + 9 + d)  # three convolutions
batch_norm = 4 * (6 * d + 6 * d + d)
numbers = np.random.default_rng(SEED).normal(size=(2, h, w, d)).astype("float32")
assert ours.count_params() == theirs.count_params() == by_hand + batch_norm
assert backbone.macs(ours) == backbone.macs(theirs) == h * w * by_hand
difference = float(keras.ops.max(keras.ops.abs(ours(numbers) - theirs(numbers))))
assert difference < 1e-4
print(f"the same block: {by_hand + batch_norm:,} parameters, {h * w * by_hand:,} MACs")
print(f"largest difference between the outputs: {difference:.0e}")

# %% [markdown]
# ## Why does the bottleneck stay linear?
#
# ReLU sets what is negative to zero. In a wide layer that does little harm: what one channel loses,
# others still carry. In a narrow layer it is gone. An experiment after the paper's first figure, in
# NumPy: put a spiral of two coordinates into `n` channels by random weights, apply ReLU, and find the
# best *linear* way back. What share of the spiral cannot be recovered, at the median of 200 draws?

# %%
angle = np.linspace(0, 4 * np.pi, 400)
spiral = (angle * [np.cos(angle), np.sin(angle)]).T / angle.max()
rng = np.random.default_rng(SEED)


def there_and_back(channels, activation):
    wide = activation(spiral @ rng.normal(size=(2, channels)))
    return wide @ np.linalg.lstsq(wide, spiral, rcond=None)[0]


def lost(back):
    return ((spiral - back) ** 2).sum() / (spiral**2).sum()


def relu(values):
    return np.maximum(values, 0)


assert lost(there_and_back(2, lambda values: values)) < 1e-9  # linear: two channels are enough
for n in (2, 3, 5, 15, 30):
    print(
        f"{n:2} channels: {np.median([lost(there_and_back(n, relu)) for _ in range(200)]):.1%} lost"
    )

# %% [markdown]
# The figure draws one spiral out and back: with two or three channels ReLU folds whole parts of it
# together, and nothing later in the network can take them apart; with 15 or more it comes back nearly
# whole. Without ReLU two channels lose nothing (the `assert` above). So MobileNetV2 bends in the wide
# layers, where there is room, and leaves the narrow ones linear.

# %%
rng = np.random.default_rng(SEED)
figure, axes = plt.subplots(1, 5, figsize=(9, 2.1), layout="constrained")
axes[0].scatter(*spiral.T, c=angle, cmap="cividis", s=4)
axes[0].set_title("spiral", fontsize=9)
for ax, n in zip(axes[1:], (2, 3, 15, 30), strict=True):
    back = there_and_back(n, relu)
    ax.scatter(*back.T, c=angle, cmap="cividis", s=4)
    ax.set_title(f"{n} channels, {lost(back):.0%} lost", fontsize=9)
for ax in axes:
    ax.set(xticks=[], yticks=[], aspect="equal", xlim=(-1.1, 1.1), ylim=(-1.1, 1.1))
plt.show()

# %% [markdown]
# **And why ReLU6?** Telephones often compute with 8-bit whole numbers: 256 steps between the smallest and
# the largest activation. One outlier makes all steps coarse. If activations end at 6, the steps are
# fine and known beforehand. Ten thousand activations, one of them 60, rounded to 256 steps:

# %% tags=["nbval-check-output"]
activations = np.random.default_rng(0).exponential(size=10_000)
activations[0] = 60
usual = activations <= 6
for name, top in (("ReLU ", activations.max()), ("ReLU6", 6.0)):
    step = top / 255
    rounded = np.round(np.minimum(activations, top) / step) * step
    print(f"{name}: mean error {np.abs(rounded - activations)[usual].mean():.3f}")

# %% [markdown]
# ## The whole network, counted
#
# MobileNetV2 is one plain convolution, 17 such blocks (the first of them without the widening), and one
# wide 1 x 1 convolution at the end. Where do its multiply-adds go? One loop over the layers, by the formulas above (its convolutions have no
# biases), must agree with `backbone.macs`:

# %%
rows = []
for layer in base.layers:
    if isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D)):
        kind = f"{layer.kernel_size[0]} x {layer.kernel_size[1]}"
        kind += " depthwise" if isinstance(layer, layers.DepthwiseConv2D) else " mixing channels"
        height, width = layer.output.shape[1:3]
        rows.append([layer.name, kind, layer.count_params(), height * width * layer.count_params()])
counted = pd.DataFrame(rows, columns=["layer", "kind", "parameters", "MACs"])
assert counted["MACs"].sum() == backbone.macs(base)
counted.groupby("kind")[["parameters", "MACs"]].sum()

# %% [markdown]
# The looking at neighbours, which one thinks of first at the word convolution, is the small part; the
# mixing of channels by 1 x 1 kernels is where the work and the parameters are. And what would the same
# network cost if each depthwise layer and the projection behind it were one plain 3 x 3 convolution?

# %%
of = counted.set_index("layer")["MACs"]
channels = {layer.name: layer.output.shape[-1] for layer in base.layers}
blocks = [n.removesuffix("_depthwise") for n in of.index if n.endswith("_depthwise")]
pairs = sum(of[f"{b}_depthwise"] + of[f"{b}_project"] for b in blocks)
plain = sum(of[f"{b}_depthwise"] * channels[f"{b}_project"] for b in blocks)
print(f"{len(blocks)} blocks, {(of.sum() - pairs + plain) / of.sum():.1f} times the multiply-adds")

# %% [markdown]
# Are we counting as the authors do? Their table gives 300 million multiply-adds and 3.4 million
# parameters for width 1.0 at 224 pixels, with the layer for the 1,000 classes of ImageNet:

# %% tags=["nbval-check-output"]
whole = keras.applications.MobileNetV2(weights=None)
print(f"{backbone.macs(whole):,} MACs, {whole.count_params():,} parameters")
assert 299e6 < backbone.macs(whole) < 315e6

# %% [markdown]
# (Keras also counts the moving means and variances of batch normalisation, which no gradient learns.)
# The layer for the thousand classes holds 1.28 million of these parameters and next to none of the
# work. Its classes are of no use here, so this course drops it: `base` ends in 1,280 channels, and at
# width 0.35 three quarters of the parameters are gone.
#
# ## How much of the picture does one feature see?
#
# The last layer has 3 x 3 places for a picture of 96 x 96. Does each of them see a ninth of it? The
# **receptive field** grows layer by layer: a kernel of $k$ adds $(k - 1) \cdot j$ pixels, where the
# *jump* $j$ is the distance, in pixels of the input, between neighbours in this layer; a stride
# multiplies the jump for all layers that follow.

# %% tags=["nbval-check-output"]
field, jump, seen = 1, 1, {}
for layer in base.layers:
    if isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D)):
        field += (layer.kernel_size[0] - 1) * jump
        jump *= layer.strides[0]
        seen[layer.name] = (field, jump)
for name in ("Conv1", "block_3_depthwise", "block_6_depthwise", "block_13_depthwise", "Conv_1"):
    print(f"{name:18} sees {seen[name][0]:3} pixels, one place every {seen[name][1]}")

# %% [markdown]
# Every one of the nine places sees far more than the whole picture of 96 pixels (the rest of its field
# lies outside, in the padding). Even at 224 it would. The proof by experiment: paint one corner of a
# picture black. Which of the nine places notice, and how strongly?

# %%
train, validation = lesions.subset("train"), lesions.subset("validation")
painted = train.images[:32].copy()
painted[:, -(SIZE // 6) :, -(SIZE // 6) :] = 0  # the lower right corner
both = np.concatenate([train.images[:32], painted])
change = np.subtract(*np.split(base.predict(both, verbose=0), 2))
assert (np.abs(change).max((0, 3)) > 0).all()  # all nine notice
strength = np.abs(change).mean((0, 3))
print(np.round(strength / strength.max(), 2))

# %% [markdown]
# All nine notice, yet not alike (1.0 is the place that changes most). At width 0.35 the change is
# strongest near the painted corner and fades with the distance; with the weights of width 1.0 the middle
# place gathers it. The formula gives what a feature *can* see; what it does see depends on the weights,
# and is as a rule concentrated in the middle of its field (Luo et al., in the
# references). Keep both in mind for lesson 07, which asks where a model looks.
#
# **Exercise 03.3** Three convolutions of 3 x 3 follow each other, with strides 2, 2 and 1. How many
# pixels of the input, in one direction, does an output of the third see?

# %% tags=["exercise", "nbval-check-output"]
field_of_three = ...

exercises.check("03.3", field_of_three, kernels=(3, 3, 3), strides=(2, 2, 1))

# %% tags=["solution"]
field_of_three = 1 + 2 * 1 + 2 * 2 + 2 * 4  # the jump is 1, then 2, then 4

exercises.check("03.3", field_of_three, kernels=(3, 3, 3), strides=(2, 2, 1))

# %% [markdown]
# ## What do the features know of skin?
#
# Now the second question. The network stays as ImageNet left it (*frozen*). For each picture the 3 x 3
# places of the last layer are averaged to 1,280 numbers, and the simplest learner there is, a logistic
# regression, looks for melanoma in them. This is called a **linear probe**: it measures what the
# features hold ready, not what could still be learned.
#
# The probe trains on the 600 training pictures. We compare networks with each other here, which is a
# choice, so they are judged on the *validation* part; the test part stays closed in this lesson.
# **Predict** two AUCs: that of frozen ImageNet features, and that of the features of the same network
# with *random* weights, which never saw a picture.

# %%
MY_AUC_OF_IMAGENET = ...
MY_AUC_OF_RANDOM = ...

ledger.guess("03 AUC of frozen ImageNet features", MY_AUC_OF_IMAGENET)
ledger.guess("03 AUC of random features", MY_AUC_OF_RANDOM)

# %% [markdown]
# 1,280 features for 600 pictures need a strong penalty. How strong is chosen for each network by
# cross-validation *inside* the training part, so that none is favoured.


# %%
def probe(features):
    """A logistic regression, fitted to the training part's features."""
    model = make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cg"))
    penalty = {"logisticregression__C": [1e-4, 1e-3, 1e-2, 1e-1]}
    search = GridSearchCV(model, penalty, scoring="roc_auc", cv=5)
    return search.fit(features, train.melanoma)


# %% [markdown]
# The judge. AUC is the share of pairs of a melanoma and a benign lesion in which the melanoma has the
# higher score. The interval comes from the validation lesions drawn anew, with replacement, 1,000
# times; the *same* 1,000 draws for each network, so that the difference from the colours gets an
# interval of its own. (That of a difference is narrower than it looks from the two intervals: a hard
# draw is hard for both.)

# %%
truth, groups = validation.melanoma, validation.table["group"].to_numpy()
draws = evaluation.resampled_lesions(truth, groups, n_resamples=1000, seed=SEED)
times = np.array([np.bincount(rows, minlength=len(truth)) for rows in draws])
is_melanoma = truth == 1


def aucs(p):
    """The AUC on all lesions, then on each of the 1,000 draws."""
    higher = np.sign(p[is_melanoma][:, None] - p[~is_melanoma]) / 2 + 0.5  # equal counts half
    weights = np.vstack([np.ones_like(truth), times])
    m, b = weights[:, is_melanoma], weights[:, ~is_melanoma]
    return ((m @ higher) * b).sum(1) / (m.sum(1) * b.sum(1))


def with_interval(values):
    return evaluation.Estimate(float(values[0]), *evaluation.interval(values[1:]))


# %% [markdown]
# Without any network: the colour baseline, and the majority class.

# %%
simple = {k: p for k, (p,) in evaluation.baselines(train, validation).items()}
found = {name: aucs(p) for name, p in simple.items()}
colours = found["colour baseline"]
assert np.isclose(colours[0], roc_auc_score(truth, simple["colour baseline"]))
for name, values in found.items():
    print(f"{name}: {with_interval(values):.3f}")

# %% [markdown]
# With networks: each configuration that is there with ImageNet weights, then `RANDOM_SEEDS` networks
# that were never trained. A configuration whose weights cannot be had is left out, and the cell says so.


# %%
def network(width, size, weights):
    base = backbone.mobilenet_v2(width, source_size=SIZE, size=size, weights=weights)
    return keras.Model(base.input, layers.GlobalAveragePooling2D()(base.output))


def milliseconds(model):
    """A picture, in batches of 32, after a warm-up; the median of five."""
    batch, seconds = train.images[:32], []
    for _ in range(6):
        start = time.perf_counter()
        model.predict_on_batch(batch)
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds[1:])) / len(batch)


# %%
wanted = [(*name.split("@"), True, SEED, name) for name in CONFIGURATIONS.split()]
wanted += [(ALPHA, 96, False, i, f"random {ALPHA}@96 seed {i}") for i in range(RANDOM_SEEDS)]
measured = {}
for width, size, trained, seed, name in wanted:
    width, size, file = float(width), int(size), None
    try:
        if trained:
            file = pretrained.mobilenet_v2(width, size, lesions.source)
    except OSError:
        print(f"{name} is left out: its weights cannot be had here.")
        continue
    keras.utils.set_random_seed(seed)
    model = network(width, size, file)
    of_train, of_validation = (model.predict(p.images, verbose=0) for p in (train, validation))
    found[name] = aucs(probe(of_train).predict_proba(of_validation)[:, 1])
    counts = {"parameters": model.count_params(), "MACs": backbone.macs(model)}
    measured[name] = counts | {"milliseconds": milliseconds(model)}
    measured[name]["weights"] = pretrained.describe(file)

# %%
rows = {}
for name, values in found.items():
    rows[name] = {"AUC": f"{with_interval(values):.3f}"}
    if name in measured:
        m = measured[name]
        rows[name] |= {
            "minus colours": f"{with_interval(values - colours):+.3f}",
            "parameters": f"{m['parameters']:,}",
            "million MACs": f"{m['MACs'] / 1e6:.1f}",
            "ms a picture": f"{m['milliseconds']:.2f}",
            "weights": m["weights"].split(", ")[-1],
        }
pd.DataFrame.from_dict(rows, orient="index").fillna("")

# %% [markdown]
# The dials first. **Width** (`alpha`) scales the channels of all layers, so parameters and multiply-adds
# of the mixing grow with nearly its square. **Resolution** leaves the parameters alone, and the work
# grows with the square of the side: 224 is $(224/96)^2 \approx 5.4$ times 96. Milliseconds follow only
# roughly: memory and overhead count too, and depthwise layers are slow for their few multiply-adds.
#
# The figure draws AUC against the work: dots with solid bars are pretrained weights, diamonds with
# dotted bars random ones (a little apart, so that they can be told), the dashed line with its band is
# the colour baseline. Ask of each dot: does its bar clear the band?

# %%
dials, ax = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
band = with_interval(colours)
ax.axhspan(band.low, band.high, color=plots.PALETTE[1], alpha=0.15)
ax.axhline(band.value, color=plots.PALETTE[1], linestyle="--", label="colour baseline")
for i, (name, m) in enumerate(measured.items()):
    auc, random = with_interval(found[name]), name.startswith("random")
    place = m["MACs"] / 1e6 * (0.94 ** (len(measured) - i) if random else 1)
    color, marker, line = (plots.PALETTE[3], "D", ":") if random else (plots.PALETTE[0], "o", "-")
    label = "random weights" if random else "pretrained weights"
    known = ax.get_legend_handles_labels()[1]
    ax.vlines(place, auc.low, auc.high, color=color, linestyle=line)
    ax.plot(place, auc.value, marker, color=color, label=None if label in known else label)
    if not random:
        side = "left" if name.startswith("0") else "right"
        offset = (6 if side == "left" else -6, 4)
        ax.annotate(name, (place, auc.value), offset, textcoords="offset points", ha=side)
ax.set(xscale="log", xlabel="million multiply-adds a picture", ylabel="AUC, validation set")
ax.legend(fontsize=8, loc="lower right")
dials.suptitle(plots.title("linear probes on frozen features", lesions.source), fontsize=10)
plt.show()

# %%
first = next((name for name in measured if not name.startswith("random")), None)
untrained = [name for name in measured if name.startswith("random")]
if first:
    ledger.outcome("03 AUC of frozen ImageNet features", with_interval(found[first]))
if untrained:
    random_mean = np.mean([found[name] for name in untrained], axis=0)
    ledger.outcome("03 AUC of random features", with_interval(random_mean))
if first and untrained:
    gain = with_interval(found[first] - random_mean)
    print(f"{first}, pretrained, minus the mean of the random ones: {gain:+.3f}")

# %% [markdown]
# On real lesions (200 validation lesions, 48 of them melanomas):
#
# | | multiply-adds | ms a picture | AUC, pictures of 28 px | AUC, pictures of 96 px |
# | --- | --- | --- | --- | --- |
# | colour baseline | | | {{ quote("03_mobilenetv2-28px", "probes.colour baseline.auc") }} | {{ quote("03_mobilenetv2-96px", "probes.colour baseline.auc") }} |
# | majority class | | | {{ quote("03_mobilenetv2-28px", "probes.majority class.auc") }} | {{ quote("03_mobilenetv2-96px", "probes.majority class.auc") }} |
# | 0.35@96 | {{ quote("03_mobilenetv2-96px", "probes.035 at 96.MACs", ",.0f") }} | {{ quote("03_mobilenetv2-96px", "probes.035 at 96.milliseconds", ".1f") }} | {{ quote("03_mobilenetv2-28px", "probes.035 at 96.auc") }} | {{ quote("03_mobilenetv2-96px", "probes.035 at 96.auc") }} |
# | 0.35@224 | {{ quote("03_mobilenetv2-96px", "probes.035 at 224.MACs", ",.0f") }} | {{ quote("03_mobilenetv2-96px", "probes.035 at 224.milliseconds", ".1f") }} | {{ quote("03_mobilenetv2-28px", "probes.035 at 224.auc") }} | {{ quote("03_mobilenetv2-96px", "probes.035 at 224.auc") }} |
# | 1.0@96 | {{ quote("03_mobilenetv2-96px", "probes.10 at 96.MACs", ",.0f") }} | {{ quote("03_mobilenetv2-96px", "probes.10 at 96.milliseconds", ".1f") }} | {{ quote("03_mobilenetv2-28px", "probes.10 at 96.auc") }} | {{ quote("03_mobilenetv2-96px", "probes.10 at 96.auc") }} |
# | 1.0@224 | {{ quote("03_mobilenetv2-96px", "probes.10 at 224.MACs", ",.0f") }} | {{ quote("03_mobilenetv2-96px", "probes.10 at 224.milliseconds", ".1f") }} | {{ quote("03_mobilenetv2-28px", "probes.10 at 224.auc") }} | {{ quote("03_mobilenetv2-96px", "probes.10 at 224.auc") }} |
# | random 0.35@96, three of them | {{ quote("03_mobilenetv2-96px", "probes.random 035 at 96 seed 0.MACs", ",.0f") }} | {{ quote("03_mobilenetv2-96px", "probes.random 035 at 96 seed 0.milliseconds", ".1f") }} | {{ quote("03_mobilenetv2-28px", "probes.random 035 at 96 seed 0.auc.value") }}, {{ quote("03_mobilenetv2-28px", "probes.random 035 at 96 seed 1.auc.value") }}, {{ quote("03_mobilenetv2-28px", "probes.random 035 at 96 seed 2.auc.value") }} | {{ quote("03_mobilenetv2-96px", "probes.random 035 at 96 seed 0.auc.value") }}, {{ quote("03_mobilenetv2-96px", "probes.random 035 at 96 seed 1.auc.value") }}, {{ quote("03_mobilenetv2-96px", "probes.random 035 at 96 seed 2.auc.value") }} |
#
# (Milliseconds on 2 shared CPU cores, so upper bounds. For 1.0@96 the weights of 224 stood in, the one
# file of that width that was at hand.) **No network is shown to
# beat the colour baseline.** The best difference from them, 0.35@96 on pictures of 28 px, is
# {{ quote("03_mobilenetv2-28px", "probes.035 at 96.minus_colours") }}; the same network on sharper pictures has
# {{ quote("03_mobilenetv2-96px", "probes.035 at 96.minus_colours") }}. Twenty-eight times the work (1.0@224) buys
# nothing that 200 lesions could show.
#
# And what did ImageNet teach? Against the mean of three networks that learned nothing, 0.35@96 has an
# advantage of {{ quote("03_mobilenetv2-28px", "random_mean.imagenet_minus_it") }} at 28 px and
# {{ quote("03_mobilenetv2-96px", "random_mean.imagenet_minus_it") }} at 96: something, then. But the luckiest of
# the three comes close to it, and the interval does not count that another three would give another
# mean. Random filters still pass on how light, how red and how uneven a picture is, and that alone is
# worth as much as the row of the colour baseline says. Features that tell breeds of dogs apart add
# little to it, as long as they stay as they are. Raghu et al. (references) found for retina and chest
# pictures, too, that ImageNet helps less than is believed. This is the reason to **fine-tune**: lesson
# 04 lets the last layers learn from skin.
#
# ## What do the pretrained files expect?
#
# Perhaps we fed it wrongly? That is the first thing to ask of a disappointing pretrained network,
# since nothing raises an error. MobileNetV2's weights were trained on pixels scaled to [-1, 1]. The
# project from which this course grew fed it [0, 1], which other networks expect; and whoever forgets
# to scale feeds it 0 to 255. Here the scaling is a layer of the model (`scale`), so that it cannot be
# forgotten; to do it wrongly we must cut the network behind it. **Predict** the AUC of a probe on
# features that were fed [0, 1] instead of [-1, 1].

# %%
MY_AUC_FED_WRONGLY = ...

ledger.guess("03 AUC of features fed 0 to 1", MY_AUC_FED_WRONGLY)

# %% [markdown]
# The model below starts behind the scaling and gives, beside the pooled features, two numbers for each
# of its layers with ReLU6: the share of activations that are 0, and the share cut off at 6.

# %%
relus = [layer for layer in base.layers if isinstance(layer, layers.ReLU)]


def share(condition):
    return keras.ops.mean(keras.ops.cast(condition, "float32"), axis=(1, 2, 3))


outputs = {
    "pooled": layers.GlobalAveragePooling2D()(base.output),
    "at 0": keras.ops.stack([share(layer.output <= 0) for layer in relus], axis=1),
    "at 6": keras.ops.stack([share(layer.output >= 6) for layer in relus], axis=1),
}
before = keras.Model(base.input, base.get_layer("scale").output)
behind = keras.Model(base.get_layer("scale").output, outputs)

# %%
right = [before.predict(part.images, verbose=0) for part in (train, validation)]
ranges = {
    "-1 to 1": lambda x: x,
    "0 to 1": lambda x: (x + 1) / 2,
    "0 to 255": lambda x: (x + 1) * 127.5,
}
fed = {name: [behind.predict(f(x), verbose=0) for x in right] for name, f in ranges.items()}

# %% [markdown]
# Two ways to go wrong. In the column *always*, training and validation are fed in the same wrong range,
# and a new probe learns from the features as they are. In *only later*, the probe learned from pictures
# scaled rightly, and only those it is asked about are not, as when a service forgets a line of the
# training code. *Moved* says how far the features of a lesion move, in units of the distance between
# two different lesions.

# %%
learned = probe(fed["-1 to 1"][0]["pooled"])
own = fed["-1 to 1"][1]["pooled"]
between = np.linalg.norm(own - own[::-1], axis=1).mean()
always, later, rows = {}, {}, {}
for name, (of_train, of_validation) in fed.items():
    features = of_validation["pooled"]
    always[name] = aucs(probe(of_train["pooled"]).predict_proba(features)[:, 1])
    later[name] = aucs(learned.predict_proba(features)[:, 1])
    rows[name] = {
        "AUC, always": f"{with_interval(always[name]):.3f}",
        "AUC, only later": f"{with_interval(later[name]):.3f}",
        "moved": f"{np.linalg.norm(features - own, axis=1).mean() / between:.2f}",
        "mean probability, only later": f"{learned.predict_proba(features)[:, 1].mean():.2f}",
        "at 0": f"{of_validation['at 0'].mean():.1%}",
        "at 6": f"{of_validation['at 6'].mean():.1%}",
    }
ledger.outcome("03 AUC of features fed 0 to 1", with_interval(always["0 to 1"]))
pd.DataFrame.from_dict(rows, orient="index")

# %% [markdown]
# The figure follows the activations through the network, from the first layer with ReLU6 to the last:
# on the left the share that is 0, on the right the share cut off at 6. What to look for is how far a
# dashed or dotted line (fed wrongly) runs from the solid one, and whether the gap closes with depth.

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
for ax, what in zip(axes, ("at 0", "at 6"), strict=True):
    for name, style, color in zip(fed, ("-", "--", ":"), plots.PALETTE, strict=False):
        shares = fed[name][1][what].mean(0)
        ax.plot(range(1, len(relus) + 1), shares, style, color=color, label=name)
    ax.set(xlabel="layer with ReLU6", ylabel=f"share of activations {what}", ylim=(-0.02, 1))
axes[0].legend(title="fed", fontsize=8)
figure.suptitle(plots.title("activations by range of the input", lesions.source), fontsize=10)
plt.show()

# %% [markdown]
# Read the row `0 to 1` first. The features move, as *moved* says, though the shares at 0 and at 6 hardly
# change; and *always* may hide it, because a new probe learns from whatever the features are. On real
# lesions that wrong range changes the AUC by {{ quote("03_mobilenetv2-28px", "fed.0 to 1.minus_right") }} at 28 px
# and by {{ quote("03_mobilenetv2-96px", "fed.0 to 1.minus_right") }} at 96: no difference is shown. That is how such
# a mistake stays in a project for years. *Only later* is where it bites: at 28 px the AUC changes by
# {{ quote("03_mobilenetv2-28px", "fed.0 to 1.later_minus_right") }}, at 96 by
# {{ quote("03_mobilenetv2-96px", "fed.0 to 1.later_minus_right") }}, and at both sizes the mean probability falls,
# from {{ quote("03_mobilenetv2-28px", "fed.-1 to 1.mean_probability_later") }} to
# {{ quote("03_mobilenetv2-28px", "fed.0 to 1.mean_probability_later") }} and from
# {{ quote("03_mobilenetv2-96px", "fed.-1 to 1.mean_probability_later") }} to
# {{ quote("03_mobilenetv2-96px", "fed.0 to 1.mean_probability_later") }}: a threshold that was chosen before no
# longer fits.
#
# Pixels of `0 to 255` are coarser: in the first layer {{ quote("03_mobilenetv2-28px", "fed.0 to 255.at_6_first_layer", ".0%") }}
# of the activations are cut off at 6 (real lesions, 28 px). *Only later* its AUC is
# {{ quote("03_mobilenetv2-28px", "fed.0 to 255.only_later") }} at 28 px and
# {{ quote("03_mobilenetv2-96px", "fed.0 to 255.only_later") }} at 96, where guessing has 0.5. And still no line of code complained. Keep the
# scaling inside the model, as `backbone.mobilenet_v2` does, and look at the activations once.
#
# **Sizes.** The files were trained at 96, 128, 160, 192 or 224 pixels, one file for each width and
# size. A convolution fits any size from 32 on, so Keras takes the file of 224 for every other size,
# with a warning. And where a file cannot be fetched, this course takes the same width from another
# size (or, for drawn lesions only, the layers of the model in `models/`). Which one is it here?

# %%
print(pretrained.describe(pretrained.mobilenet_v2(ALPHA, 100, lesions.source)))

# %% [markdown]
# **Exercise 03.4** Write `scaled(pixels)`: an array of `uint8` pixels, 0 to 255, becomes numbers from
# -1 to 1.


# %% tags=["exercise", "nbval-check-output"]
def scaled(pixels):
    return ...


exercises.check("03.4", scaled)


# %% tags=["solution"]
def scaled(pixels):
    return pixels / 127.5 - 1  # a uint8 array divided by a float becomes floats


exercises.check("03.4", scaled)

# %% [markdown]
# ## What is left of a lesion inside?
#
# One melanoma of the training part, as the network gets it (on the left, brought to 96 pixels), and
# what becomes of it: from each of five layers the two channels that vary most over the picture (yellow
# is high). The first layer still draws the lesion; with each stride the maps get coarser and their
# meaning harder to name, until nine numbers a channel are left.

# %% tags=["pictures"]
names = [
    "Conv1_relu",
    "block_3_expand_relu",
    "block_6_expand_relu",
    "block_13_expand_relu",
    "out_relu",
]
watch = keras.Model(base.get_layer("scale").output, [base.get_layer(name).output for name in names])
picture = right[0][np.flatnonzero(train.melanoma)[:1]]
figure, axes = plt.subplots(2, 6, figsize=(9, 3.3), layout="constrained")
for ax in axes.ravel():
    ax.axis("off")
axes[0, 0].imshow((picture[0] + 1) / 2)
axes[0, 0].set_title("96 x 96", fontsize=8)
for column, name, (maps,) in zip(axes.T[1:], names, watch.predict(picture, verbose=0), strict=True):
    for ax, channel in zip(column, np.argsort(-maps.std((0, 1)))[:2], strict=True):
        ax.imshow(maps[..., channel], cmap="cividis")
    column[0].set_title(f"{name}\n{maps.shape[0]} x {maps.shape[1]}", fontsize=7)
figure.suptitle(plots.title("a lesion inside the network", lesions.source), fontsize=10)
plt.show()

# %% [markdown]
# At `SIZE = 28` the first picture is blurred: brought from 28 to 96 pixels it has nearly twelve times as
# many pixels and not one more detail. Why blow it up at all? Fed at its own size (32 is the least) the
# network would have a single place left at the end, and filters made for objects of many pixels would
# meet lesions of a few. Sharper pictures should help a network that looks for structure. Yet in the
# table above, for every configuration with ImageNet's weights, the intervals of 28 and 96 px overlap
# widely: frozen features make no use of the sharper picture, or too little to be seen with 200 lesions.
# Lesson 06 asks again with 2,000 test pictures and a network that was allowed to learn.
#
# What this lesson found is kept beside the other results of your runs:

# %%
kept = {"weights": pretrained.describe(weights), "judged_on": "validation", "probes": {}, "fed": {}}
for name, values in found.items():
    plain_name = name.replace(".", "").replace(
        "@", " at "
    )  # a dot would end a key where it is quoted
    kept["probes"][plain_name] = measured.get(name, {}) | {
        "auc": with_interval(values),
        "minus_colours": with_interval(values - colours),
    }
for name, (_, inside) in fed.items():
    kept["fed"][name] = {
        "always": with_interval(always[name]),
        "minus_right": with_interval(always[name] - always["-1 to 1"]),
        "only_later": with_interval(later[name]),
        "later_minus_right": with_interval(later[name] - later["-1 to 1"]),
        "mean_probability_later": float(learned.predict_proba(inside["pooled"])[:, 1].mean()),
        "at_0": float(inside["at 0"].mean()),
        "at_6": float(inside["at 6"].mean()),
        "at_6_first_layer": float(inside["at 6"][:, 0].mean()),
        "moved": float(np.linalg.norm(inside["pooled"] - own, axis=1).mean() / between),
    }
if untrained:
    kept["random_mean"] = {"auc": with_interval(random_mean)}
    kept["random_mean"]["minus_colours"] = with_interval(random_mean - colours)
if first and untrained:
    kept["random_mean"]["imagenet_minus_it"] = with_interval(found[first] - random_mean)
parameters = dict(SIZE=SIZE, ALPHA=ALPHA, SEED=SEED, RANDOM_SEEDS=RANDOM_SEEDS)
parameters |= dict(CONFIGURATIONS=CONFIGURATIONS)
shown = with_interval(found[first] if first else colours)
headline = (f"validation AUC of {first or 'colours'}", shown)
name = f"03_mobilenetv2-{SIZE}px"
results.keep(name, lesions.source, lesions.table, parameters, kept, headline)
results.save_figure(dials, f"{name}-dials")
print("kept")

# %% [markdown]
# ## Key points
#
# - A depthwise separable convolution splits looking (depthwise) from mixing (pointwise) and needs
#   $1/c_{out} + 1/k^2$ of a plain layer's multiply-adds. What remains is nearly all mixing.
# - An inverted residual keeps the picture in few channels, bends it in many, and leaves the narrow ones
#   linear, because ReLU destroys what has no second copy. ReLU6 makes 8-bit steps fine.
# - A receptive field says what a feature can see; here every last feature can see the whole picture.
# - Pretrained weights expect a range of pixels. A wrong one raises no error; used from the beginning
#   to the end it may not even show, used only later it ruins the probabilities.
# - Width and resolution are dials for cost. What they buy is a matter of measurement, beside the nine
#   colour numbers and beside random weights.
#
# ## Can you still say it?
#
# Answer aloud before you open each answer.
#
# <details><summary>Where does the factor 1/9 of a separable convolution come from, and when is it
# reached?</summary>
# From the 3 x 3 kernel that is no longer repeated for each output channel. It is the limit for many
# output channels: the share is one over their number, plus 1/9.</details>
#
# <details><summary>Why does no ReLU follow the projection of a block?</summary>
# In few channels each carries what no other does; what ReLU sets to zero there is lost for
# good.</details>
#
# <details><summary>Which dial changes the parameters, width or resolution?</summary>
# Width. The same kernels are laid at more places when the resolution grows: more work, as many
# parameters.</details>
#
# <details><summary>A service forgets to scale pixels to [-1, 1]. What error does it raise?</summary>
# None. The features move and the probabilities with them.</details>
#
# <details><summary>Why do random weights belong in the table?</summary>
# What they reach was not learned from ImageNet. Only what lies above them was.</details>
#
# ## What comes next
#
# Frozen features are not enough. Lesson 04 trains a head on them, then lets the last layers of the
# network learn from skin, and shows what can go wrong on the way.
#
# ## References
#
# - Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2: Inverted Residuals and Linear Bottlenecks.
#   CVPR 2018, [arXiv:1801.04381](https://arxiv.org/abs/1801.04381).
# - Howard et al.: MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications.
#   2017, [arXiv:1704.04861](https://arxiv.org/abs/1704.04861). Width and resolution as dials.
# - Luo, Li, Urtasun, Zemel: Understanding the Effective Receptive Field in Deep Convolutional Neural
#   Networks. NIPS 2016, [arXiv:1701.04128](https://arxiv.org/abs/1701.04128).
# - Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks. Distill, 2019,
#   [doi:10.23915/distill.00021](https://doi.org/10.23915/distill.00021).
# - Raghu, Zhang, Kleinberg, Bengio: Transfusion: Understanding Transfer Learning for Medical Imaging.
#   NeurIPS 2019, [arXiv:1902.07208](https://arxiv.org/abs/1902.07208).
# - Keras documentation: `keras.applications.MobileNetV2`.
