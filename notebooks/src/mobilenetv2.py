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
# # {{ number }} · MobileNetV2: convolutions for an eighth of the work
#
# Our network was made for phones. Where other networks have a plain convolution, it has two cheap
# layers with the same input and output. They need an eighth of the multiplications. How is that
# possible, and what is lost? In this lesson you count it, and you build its main block.

# %% [markdown]
# **You will**
#
# - count the parameters and the work of a convolution, by hand and by code;
# - replace it by a depthwise separable convolution;
# - build an inverted residual block in Keras, and see why its narrow layers have no ReLU;
# - say where the work of the whole network goes, and what its width changes.
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

from utils import backbone, data, diagrams, evaluation
from utils import exercises, ledger, plots, results, splits
from utils.quiet import keras
from keras import layers
from keras.applications import MobileNetV2

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
ALPHA = 0.35  # width of the network that is counted
SEED = 0
EPOCHS = 12

# %% [markdown]
# ## What does a convolution cost?
#
# A convolution lays a window of weights on the image, mostly 3 x 3. It multiplies each number under
# the window by its weight and adds the products. The sum is one output number. Then the window
# moves on by one pixel.
#
# Inside a network an image has more than three channels. Let 32 channels go in and `64` come out.
# Each output channel has a window of its own, and this window reads **all** `32` input channels.
# One product added to a sum is a **multiply-add**, our unit of work. For an image of 48 x 48:

# %% tags=["nbval-check-output"]
parameters = 3 * 3 * 32 * 64
work = 48 * 48 * parameters
print(f"{parameters:,} parameters, {work:,} multiply-adds")

# %% [markdown]
# Each weight is used once at each place of the window. So the work is parameters times places. Does
# Keras agree? This function counts the convolutions of any model without biases:


# %%
def count(model):
    rows = []
    for layer in model.layers:
        if isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D)):
            window = layer.kernel_size[0]
            kind = f"{type(layer).__name__} {window} x {window}"
            places = layer.output.shape[1] * layer.output.shape[2]
            n = layer.count_params()
            rows.append([layer.name, kind, n, places * n])
    names = ["layer", "kind", "parameters", "multiply-adds"]
    return pd.DataFrame(rows, columns=names)


# %%
plain = keras.Sequential()
plain.add(keras.Input((48, 48, 32)))
plain.add(layers.Conv2D(64, 3, padding="same", use_bias=False))
count(plain)

# %% [markdown]
# ## Two cheap steps instead of one
#
# A plain convolution does two jobs at once: it looks at neighbours, and it mixes channels. A
# **depthwise separable** convolution does them one after the other. First each channel gets one 3 x
# 3 window of its own (**depthwise**). Then a 1 x 1 convolution mixes the channels at each pixel
# (**pointwise**).
#
# Input and output keep their shapes. What share of the work is left? Guess, from 0 to 1.

# %%
MY_SHARE = ...
ledger.guess("multiply-adds left when separable", MY_SHARE)

# %%
separable = keras.Sequential()
separable.add(keras.Input((48, 48, 32)))
separable.add(layers.DepthwiseConv2D(3, padding="same", use_bias=False))
separable.add(layers.Conv2D(64, 1, use_bias=False))
count(separable)

# %%
share = count(separable)["multiply-adds"].sum() / work
ledger.outcome("multiply-adds left when separable", share)
print(plain.output_shape, "and", separable.output_shape)
print(f"{share:.3f} of the multiply-adds, 1/{1 / share:.1f}")

# %%
_ = diagrams.convolution()

# %% [markdown]
# About an eighth. The plain layer **multiplies** its two jobs: 9 x 32 x 64. The separable one
# **adds** them: 9 x 32 + 32 x 64. Keras has both steps in one layer, `layers.SeparableConv2D`.
#
# **Exercise mobilenetv2.1** Write `separable_work(side, c_in, c_out, stride)`: the multiply-adds of a
# separable convolution with a 3 x 3 window. With `stride=2` the depthwise window moves two pixels
# at a time, so the image that reaches the second step is half as high and wide. `side` is even, and
# no layer has biases. (`exercises.hint("mobilenetv2.1")` gives a hint.)


# %% tags=["exercise"]
def separable_work(side, c_in, c_out, stride):
    return ...


exercises.check("mobilenetv2.1", separable_work)


# %% tags=["solution"]
def separable_work(side, c_in, c_out, stride):
    places = (side // stride) ** 2
    return places * (3 * 3 * c_in + c_in * c_out)


exercises.check("mobilenetv2.1", separable_work)

# %% [markdown]
# Something must be lost. A plain layer learns one 3 x 3 pattern for each *pair* of channels, a
# separable layer one for each input channel. Does it matter for lesions? We train a small network
# with each kind, from two seeds, and score 200 validation images. The **AUC** is the chance that a
# random melanoma gets a higher score than a random other lesion; half is guessing.


# %%
def train_small(convolution, seed):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential()
    model.add(keras.Input((SIZE, SIZE, 3)))
    model.add(layers.Rescaling(1 / 127.5, offset=-1))
    model.add(layers.Conv2D(16, 3, activation="relu"))
    model.add(layers.MaxPooling2D())
    model.add(convolution(32, 3, activation="relu"))
    model.add(convolution(64, 3, activation="relu"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    model.fit(train.images, train.melanoma, epochs=EPOCHS, verbose=0)
    return model.predict(validation.images, verbose=0)[:, 0]


# %%
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
validation = lesions.subset("validation")
y = validation.melanoma
groups = validation.table["group"]
scores = {}
for layer in [layers.Conv2D, layers.SeparableConv2D]:
    runs = [train_small(layer, seed) for seed in [SEED, SEED + 1]]
    scores[layer] = np.array(runs)
    auc = np.mean([evaluation.roc_auc(y, p) for p in runs])
    print(f"{layer.__name__}: AUC {auc:.2f}")

# %%
cheap = scores[layers.SeparableConv2D]
full = scores[layers.Conv2D]
loss = evaluation.difference(evaluation.roc_auc, y, cheap, full, groups)
print(f"separable minus plain: {loss:+.3f}")

# %% [markdown]
# The 95 % interval of the difference (brackets) holds zero: **inconclusive**. But it is narrow, so
# a large loss is unlikely here.
#
# On ImageNet, with over a million photos, the authors of MobileNet lost about one percentage point
# of accuracy and saved seven eighths of the work (Howard et al.).

# %% [markdown]
# ## Narrow, wide, narrow
#
# Mixing is now the expensive part: channels in times channels out, at each pixel. So MobileNetV2
# keeps its images in *few* channels between blocks. Inside a block it
#
# 1. **expands** to six times as many channels (1 x 1),
# 2. **filters** each channel alone (3 x 3 depthwise),
# 3. **projects** back to few channels (1 x 1),
# 4. **adds** the input, where shapes allow: the shortcut.

# %%
_ = diagrams.inverted_residual()

# %% [markdown]
# Older residual blocks are narrow in the middle. This one is wide in the middle: an **inverted
# residual**. ReLU6 sets negative numbers to 0 and cuts at 6. `BatchNormalization` rescales each
# channel.
#
# **Exercise mobilenetv2.2** Build it: `inverted_residual(x, channels, stride=1)` takes a Keras tensor and
# gives one. The layers, in this order: `Conv2D` to six times the channels of `x`,
# `BatchNormalization`, `ReLU(6)`; `DepthwiseConv2D` with 3 x 3, `stride` and padding `"same"`,
# `BatchNormalization`, `ReLU(6)`; `Conv2D` to `channels`, `BatchNormalization`. No biases. Add `x`
# at the end if the shapes are equal.


# %% tags=["exercise"]
def inverted_residual(x, channels, stride=1):
    return ...


exercises.check("mobilenetv2.2", inverted_residual)


# %% tags=["solution"]
def inverted_residual(x, channels, stride=1):
    shortcut = x
    x = layers.Conv2D(6 * shortcut.shape[-1], 1, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(6)(x)
    x = layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(6)(x)
    x = layers.Conv2D(channels, 1, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    if x.shape == shortcut.shape:
        x = layers.Add()([shortcut, x])
    return x


exercises.check("mobilenetv2.2", inverted_residual)

# %% [markdown]
# Why does no ReLU follow the last step? We try it with the points of a spiral. We mix their two
# coordinates into `n` channels with random weights and apply ReLU. Then we look for the best
# *linear* way back: weights and sums only, as in a 1 x 1 convolution. With two channels, what share
# of the spiral is lost? Guess.

# %%
MY_LOSS = ...
ledger.guess("share of the spiral lost with 2 channels", MY_LOSS)

# %%
angle = np.linspace(0, 4 * np.pi, 400)
circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
spiral = circle * angle[:, None] / angle.max()


def there_and_back(n, seed):
    rng = np.random.default_rng(seed)
    wide = np.maximum(0, spiral @ rng.normal(size=(2, n)))
    way_back = np.linalg.lstsq(wide, spiral, rcond=None)[0]
    return wide @ way_back


def lost(back):
    return ((back - spiral) ** 2).sum() / (spiral**2).sum()


# %%
middle = {}
for n in [2, 3, 5, 10, 30]:
    middle[n] = np.median([lost(there_and_back(n, i)) for i in range(200)])
    print(f"{n:2} channels: {middle[n]:.1%} lost")
ledger.outcome("share of the spiral lost with 2 channels", middle[2])


# %%
def draw_spiral(channels=2):
    figure, axes = plt.subplots(1, 4, figsize=(8, 2.3), layout="constrained")
    axes[0].scatter(*spiral.T, c=angle, cmap="cividis", s=5)
    axes[0].set_title("spiral")
    for seed, ax in enumerate(axes[1:]):
        back = there_and_back(channels, seed)
        ax.scatter(*back.T, c=angle, cmap="cividis", s=5)
        ax.set_title(f"{lost(back):.0%} lost")
    for ax in axes:
        ax.set(xticks=[], yticks=[], xlim=(-1.1, 1.1), ylim=(-1.1, 1.1))
    figure.suptitle(f"There and back through {channels} channels")


draw_spiral()
# alt: A spiral, and what is left of it after two channels with ReLU, for three random mixtures. Whole parts are folded onto lines.

# %% [markdown]
# With two channels about half is lost: ReLU sets all negative numbers to 0, and nothing else keeps
# them. With 30 channels the others still hold what one has lost. So ReLU may stand where the block
# is wide, and the narrow end stays linear: a **linear bottleneck**.
#
# **Try it.** From how many channels on does the spiral survive?

# %%
_ = ipywidgets.interact(draw_spiral, channels=(2, 30, 1))

# %% [markdown]
# ## Where does the work go?
#
# MobileNetV2 has one plain convolution, then {{ fact("17", "MobileNetV2") }} such blocks (the
# first does not expand), then one 1 x 1 convolution. The 1 x 1 convolutions look at no neighbour
# at all. What share of all multiply-adds do they need? Guess.

# %%
MY_SHARE_OF_MIXING = ...
ledger.guess("work of the 1 x 1 convolutions", MY_SHARE_OF_MIXING)

# %%
body = MobileNetV2((96, 96, 3), ALPHA, include_top=False, weights=None)
counted = count(body)
parts = counted.groupby("kind")[["parameters", "multiply-adds"]].sum()
mixing = parts.loc["Conv2D 1 x 1", "multiply-adds"] / backbone.macs(body)
ledger.outcome("work of the 1 x 1 convolutions", mixing)
parts

# %% [markdown]
# `backbone.macs` is our counter without the table. Three quarters of the work is mixing. And the
# one plain 3 x 3 layer, the first, has only 432 parameters, but they are used at 48 x 48 places.
#
# Parameters and work are two different costs. We add the head of lesson {{ number_of("quickstart") }}, which is trained on the
# body's 1,280 features:

# %%
head = keras.Sequential()
head.add(keras.Input((1280,)))
head.add(layers.Dense(128, activation="relu"))
head.add(layers.Dense(1, activation="sigmoid"))
print(f"body {body.count_params():,}, head {head.count_params():,}")
parts.loc["head"] = [head.count_params(), backbone.macs(head)]

# %%
shares = parts / parts.sum()
figure, ax = plt.subplots(figsize=(8, 3), layout="constrained")
shares.plot.barh(ax=ax, color=plots.PALETTE[:2], width=0.75)
for bars in ax.containers:
    ax.bar_label(bars, fmt="{:.0%}", padding=3)
_ = ax.set(xlabel="share of the whole network", ylabel="", xlim=(0, 0.85))
# alt: Bars of the share of parameters and of multiply-adds for Conv2D 1 x 1, Conv2D 3 x 3, DepthwiseConv2D 3 x 3 and the head. The head has nearly a third of the parameters and hardly any of the work.

# %% [markdown]
# The head is small to compute and large to learn: 164,097 parameters beside the body's 410,208
# (which include those of BatchNormalization). That is about {{ fact("270", "164,097 / 600") }} for
# each of the 600 training images: enough to memorise them.
#
# **Exercise mobilenetv2.3** One single layer holds more than a third of the parameters in `counted`. Which
# one, and what share? Use pandas.

# %% tags=["exercise"]
largest_layer = ...
its_share = ...

exercises.check("mobilenetv2.3", (largest_layer, its_share), counted=counted)

# %% tags=["solution"]
row = counted.loc[counted["parameters"].idxmax()]
largest_layer = row["layer"]
its_share = row["parameters"] / counted["parameters"].sum()

exercises.check("mobilenetv2.3", (largest_layer, its_share), counted=counted)

# %% [markdown]
# ## The dials: width and size
#
# **Width** (`alpha` in Keras) multiplies the channels of all layers. We use `0.35`. What do wider
# networks cost?

# %%
rows = []
for width in [0.35, 0.5, 0.75, 1.0]:
    wider = MobileNetV2((96, 96, 3), width, include_top=False, weights=None)
    last_block = wider.get_layer("block_16_project").output.shape[-1]
    features = wider.output.shape[-1]
    n = wider.count_params()
    rows.append([width, last_block, features, n, backbone.macs(wider) / 1e6])
names = ["width", "last block", "features", "parameters", "million work"]
pd.DataFrame(rows, columns=names).round(2)

# %% [markdown]
# *Million work* is multiply-adds in millions. The last block has a third of the channels at width
# 0.35. But the very last layer keeps its 1,280 channels, the **features**: no width makes it
# narrower.
#
# **Exercise mobilenetv2.4** Write `cost(width, size)`: parameters and multiply-adds of such a body for
# images of `size` x `size`, as `(parameters, work)`. Which dial changes only one of the two? Set
# `dial` to `"width"` or `"size"`.


# %% tags=["exercise"]
def cost(width, size):
    return ...


dial = ...

exercises.check("mobilenetv2.4", (cost, dial))


# %% tags=["solution"]
def cost(width, size):
    shape = (size, size, 3)
    model = MobileNetV2(shape, width, include_top=False, weights=None)
    return model.count_params(), backbone.macs(model)


dial = "size"

exercises.check("mobilenetv2.4", (cost, dial))

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
_ = results.keep(
    f"mobilenetv2-{SIZE}px",
    lesions.source,
    lesions.table,
    dict(SIZE=SIZE, ALPHA=ALPHA, SEED=SEED, EPOCHS=EPOCHS),
    {
        "share of a separable layer": share,
        "share of mixing": mixing,
        "parameters of the head": head.count_params(),
        "separable minus plain": loss,
    },
    headline=("AUC, separable minus plain", loss),
)

# %% [markdown]
# ## Key points
#
# - A separable convolution looks at neighbours first and mixes channels afterwards. The two costs
#   add up instead of multiplying: about an eighth is left.
# - An inverted residual keeps few channels between blocks and widens them inside.
# - ReLU destroys information where channels are few, so the narrow layers are linear.
# - Parameters and work are two costs. The head has many of the first and little of the second.
# - Width changes both, image size only the work.

# %% [markdown]
# ## Check yourself
#
# <details><summary>Why is the share never below one ninth with a 3 x 3 window?</summary>
# The pointwise step alone costs c_in x c_out at each place, and the plain layer costs nine times
# that.</details>
#
# <details><summary>When can a block have no shortcut?</summary>
# When stride 2 makes the image smaller, or when the number of channels changes: then input and
# output cannot be added.</details>
#
# <details><summary>You double the side of the images. What about parameters and work?</summary>
# The parameters stay, since the same windows are used. The work is about four times as much, since
# they are used at four times as many places.</details>
#
# ## What comes next
#
# You know how the network is built. Now we ask what ImageNet's weights in it know of skin:
# [{{ number_of("transfer") }} · Transfer]({{ notebook_of("transfer") }})
#
# ## References
#
# - Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2: Inverted Residuals and Linear Bottlenecks.
#   CVPR 2018, [arXiv:1801.04381](https://arxiv.org/abs/1801.04381). Its figure 1 is our spiral.
# - Howard et al.: MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications.
#   2017, [arXiv:1704.04861](https://arxiv.org/abs/1704.04861). Table 4 compares both convolutions.
# - Chollet: Xception: Deep Learning with Depthwise Separable Convolutions. CVPR 2017,
#   [arXiv:1610.02357](https://arxiv.org/abs/1610.02357).
# - Keras: [MobileNetV2](https://keras.io/api/applications/mobilenet/).

# %%
ledger.show()
