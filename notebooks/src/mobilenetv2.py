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
# # {{ number }} · MobileNetV2: what does a convolution see, and why is it cheap?
#
# Our network, MobileNetV2, consists of convolutions, and it was made for phones. What does a
# convolution see in an image of a lesion? And how can more than fifty of them, one after the other, be
# cheap? Look first, count afterwards.

# %% [markdown]
# **You will**
#
# - slide a filter over a lesion with Keras, and read its map;
# - find the same filter among those that MobileNetV2 learned;
# - build MobileNetV2's main block, and count what it saves.
#
# **New words**: filter, feature map, channel, multiply-add, depthwise convolution, inverted residual
#
# **You need** a little Python and Keras. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from utils import backbone, data, diagrams, exercises, ledger, pretrained
from utils.quiet import keras
from keras import layers

# %% tags=["parameters"]
SAMPLE = 38  # which lesion of data/samples/ you look at: 0 to 59

# %% [markdown]
# **Do you remember?**
#
# <details><summary>Lesson {{ number_of("splitting") }}: why must all photos of one lesion lie on the same
# side of a split?</summary>
# They look alike. A model that was trained on one of them is tested on what it has already
# seen.</details>
#
# <details><summary>Lesson {{ number_of("data") }}: what does the colour baseline see of an
# image?</summary>
# Only colours: their means, their spread, and the difference between centre and border. No
# shapes.</details>
#
# ## A filter slides over a lesion
#
# A **filter** is a small table of weights, here 3 x 3. It lies on nine pixels, multiplies each by
# the weight above it, and adds the nine products. The sum is its answer at this place. Then it moves
# one pixel on.

# %% tags=["samples"]
edge = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])
lesion = data.load_set("samples", 96).images[SAMPLE]
grey = lesion.mean(axis=2) / 255  # 0 is black, 1 is white
nine_pixels = grey[45:48, 31:34]
print(nine_pixels.round(2))
print("answer at this place:", (nine_pixels * edge).sum().round(2))

# %% [markdown]
# The answer is right column minus left column. It is negative: here the image gets darker to the
# right.
#
# A layer `Conv2D` does this at every place. All answers together are the **feature map**. Keras
# wants images as (number, height, width, channels), so we add a first and a last axis.


# %% tags=["samples"]
def slide(kernel, image):
    layer = layers.Conv2D(1, kernel_size=3, use_bias=False)
    layer.build((None, 96, 96, 1))
    layer.set_weights([kernel.reshape(3, 3, 1, 1)])
    answers = layer(image[None, :, :, None])
    return keras.ops.convert_to_numpy(answers)[0, :, :, 0]


edge_map = slide(edge, grey)
print(edge_map.shape, "and the same place:", edge_map[45, 31].round(2))

# %% [markdown]
# **Guess** before you look: where does this filter answer strongly? In the dark middle of the lesion,
# at its whole border, or at parts of the border?

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded", "samples"]
# @title The figure


def show(kernel, title):
    figure, axes = plt.subplots(1, 3, figsize=(8, 3))
    axes[0].imshow(lesion)
    axes[1].imshow(kernel, cmap="RdBu_r", vmin=-2, vmax=2)
    for (row, column), weight in np.ndenumerate(kernel):
        axes[1].text(column, row, f"{weight}", ha="center", va="center")
    drawn = axes[2].imshow(slide(kernel, grey), cmap="RdBu_r", vmin=-1, vmax=1)
    figure.colorbar(drawn, ax=axes[2], label="answer", shrink=0.8)
    for ax, name in zip(axes, ["image", "filter", "feature map"]):
        ax.set_title(name)
        ax.axis("off")
    figure.suptitle(title)


# %% tags=["samples"]
show(edge, "The filter answers at left and right borders, and at hairs")
# alt: A dark lesion with a few hairs, the filter with its nine weights, and the feature map: blue at the left border of the lesion, red at the right one, a blue and a red stripe along each hair, and nearly white elsewhere.

# %% [markdown]
# The upper and lower borders hardly show. The filter sees one thing only: a change of brightness
# from left to right. It cannot tell a border from a hair: a hair gives two stripes, and some are as
# strong as the border of the lesion.
#
# **Exercise mobilenetv2.1** Make `kernel`, a filter for the *upper and lower* borders: its answer is
# positive where the image gets brighter *downwards*, and 0 where it only changes from left to right.
# Look at its map: `show(kernel, "my filter")`. What has become of the hairs?

# %% tags=["exercise"]
kernel = ...

exercises.check("mobilenetv2.1", kernel)

# %% tags=["solution"]
kernel = np.array([[-1, -1, -1], [0, 0, 0], [1, 1, 1]])
show(kernel, "my filter")
# Hairs from left to right show now, steep ones hardly.

exercises.check("mobilenetv2.1", kernel)

# %% [markdown]
# ## Which filters did MobileNetV2 learn?
#
# In a network training finds the weights of the filters: here on ImageNet, more than a million photos
# of cats, cars and teapots.
#
# A colour image has three **channels**: red, green and blue. So each filter of the first layer has 3
# x 3 x 3 weights. (`pretrained` only fetches their file.)

# %% tags=["samples"]
weights = pretrained.mobilenet_v2(alpha=0.35, size=96, source="samples")
base = keras.applications.MobileNetV2(
    input_shape=(96, 96, 3), alpha=0.35, include_top=False, weights=weights
)
print(pretrained.describe(weights))
filters = base.get_layer("Conv1").get_weights()[0]
print(filters.shape)

# %% [markdown]
# There are 16 filters, drawn here as tiny colour images; grey is a weight of 0. Two of them do nearly
# what `edge` and your `kernel` do. Which two?

# %% tags=["samples"]
figure, axes = plt.subplots(2, 8, figsize=(8, 2.6))
for number, ax in enumerate(axes.flat):
    ax.imshow(np.clip(0.5 + filters[:, :, :, number], 0, 1))
    ax.set_title(number)
    ax.axis("off")
_ = figure.suptitle("The first layer has 16 filters; four are nearly zero")
# alt: Sixteen tiles of 3 x 3 coloured squares. Number 10 has a dark left column beside a bright middle column, number 13 a dark upper row above a bright middle row, number 14 is orange, and four are grey all over.

# %% [markdown]
# Number `10` compares the middle column with the left one, number `13` the middle row with the upper
# one. Number `14` is no edge but a colour: it adds red and takes away blue.
#
# A Keras model may end at any layer. This one ends at the first:

# %% tags=["samples"]
first = keras.Model(base.input, base.get_layer("Conv1").output)
pixels = lesion[None] / 127.5 - 1  # from -1 to 1, as MobileNetV2 expects
maps = first.predict(pixels, verbose=0)[0]
print(maps.shape)

# %% tags=["samples"]
figure, axes = plt.subplots(1, 3, figsize=(8, 2.9))
for number, ax in zip([10, 13, 14], axes):
    drawn = ax.imshow(maps[:, :, number], cmap="RdBu_r", vmin=-3, vmax=3)
    ax.set_title(f"filter {number}")
    ax.axis("off")
figure.colorbar(drawn, ax=axes, label="answer", shrink=0.8)
_ = figure.suptitle("Two learned filters see edges and hairs, one sees brown")
# alt: Three maps of the lesion. Filter 10 marks edges from left to right and hairs, filter 13 edges from top to bottom and hairs, filter 14 the whole lesion.

# %% [markdown]
# So filters trained on cats see edges and colours on this skin, too. The next lesson measures
# what that is worth.
#
# The second layer slides its filters over the maps of the first, and so on. On the way the maps become
# smaller, and in the end the channels more. (The first layer moves two pixels at a time: 48 x 48. The stripes
# at the right and the lower edge are no borders: Keras adds zeros there.)

# %%
_ = diagrams.mobilenet_strip()

# %% [markdown]
# ## Why is it cheap?
#
# Inside the network a plain filter reads **all** channels below it. Take `24` channels in and `24` out:
# that makes `24` filters of 3 x 3 x 24 weights. At each place every weight is used once, for a
# multiplication and an addition: a **multiply-add**. So the number of weights is the work for one
# place.


# %% tags=["nbval-check-output"]
def plain(channels):
    model = keras.Sequential()
    model.add(keras.Input((56, 56, channels)))
    model.add(layers.Conv2D(channels, 3, padding="same", use_bias=False))
    return model


print(f"{plain(24).count_params():,} multiply-adds for one place")

# %% [markdown]
# MobileNetV2 has a block of three convolutions instead. Only the middle one looks at neighbours. It is
# a **depthwise convolution**: each channel has one 3 x 3 filter of its own. The two 1 x 1
# convolutions mix the channels.

# %%
_ = diagrams.inverted_residual()

# %% [markdown]
# Older blocks are narrow in the middle. This one is wide there, and it adds its input at the end: an
# **inverted residual**. (ReLU6 cuts answers at 0 and at 6; *linear*: nothing is cut.)
#
# Guess its multiply-adds for one place. Fewer than the plain layer needs, or more?

# %%
MY_WORK_OF_A_BLOCK = ...
ledger.guess("multiply-adds of a block", MY_WORK_OF_A_BLOCK)

# %% [markdown]
# **Exercise mobilenetv2.2** Build the block: `inverted_residual(x)` takes a Keras tensor and returns
# one of the same shape. In this order: `Conv2D` to six times the channels, `ReLU(6)`;
# `DepthwiseConv2D` with `padding="same"`, `ReLU(6)`; `Conv2D` back to the channels of `x`; add `x`.
# No biases. (We leave out MobileNetV2's `BatchNormalization`.)


# %% tags=["exercise"]
def inverted_residual(x):
    return ...


exercises.check("mobilenetv2.2", inverted_residual)


# %% tags=["solution"]
def inverted_residual(x):
    channels = x.shape[-1]
    y = layers.Conv2D(6 * channels, 1, use_bias=False)(x)
    y = layers.ReLU(6)(y)
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(y)
    y = layers.ReLU(6)(y)
    y = layers.Conv2D(channels, 1, use_bias=False)(y)
    return layers.Add()([x, y])


exercises.check("mobilenetv2.2", inverted_residual)

# %%
inverted_residual = exercises.use("mobilenetv2.2", inverted_residual)
x = keras.Input((56, 56, 24))
block = keras.Model(x, inverted_residual(x))
ledger.outcome("multiply-adds of a block", block.count_params())

work = pd.Series(dtype=int)
work["plain, 24 channels"] = plain(24).count_params()
work["block, 24-144-24"] = block.count_params()
work["plain, 144 channels"] = plain(144).count_params()
work.to_frame("multiply-adds for one place")

# %% tags=["nbval-check-output"]
for layer in block.layers:
    if layer.weights:
        print(f"{type(layer).__name__}: {layer.count_params():,}")

# %%
ax = work.plot.barh(figsize=(7.5, 2.2))
ax.bar_label(ax.containers[0], fmt="{:,.0f}", padding=3)
ax.invert_yaxis()
ax.xaxis.set_major_formatter("{x:,.0f}")
ax.set(xlim=(0, 220_000), xlabel="multiply-adds for one place")
title = "A block costs more than a narrow layer, far less than a wide one"
_ = ax.set_title(title)
# alt: Three bars of multiply-adds for one place: plain with 24 channels 5,184, the block 8,208, plain with 144 channels 186,624.

# %% [markdown]
# The block costs *more* than the plain layer with the same input and output: 8,208 against 5,184. But
# it filters 144 channels. A plain layer of that width costs 186,624. The saving is in the middle:
# depthwise, the same channels cost 1,296.
#
# What is lost? A depthwise filter cannot combine channels. On ImageNet that cost the first MobileNet
# about one percentage point of accuracy (Howard et al.).

# %% [markdown]
# **Exercise mobilenetv2.3** And in the whole network? `backbone.macs(base)` counts all multiply-adds
# for one image. Suppose that every `DepthwiseConv2D` in `base.layers` were a plain 3 x 3 convolution
# with the same output, `height, width, channels = layer.output.shape[1:]`. How many `times` the work
# would it be?

# %% tags=["exercise"]
now = backbone.macs(base)
print(f"{now / 1e6:.1f} million multiply-adds for one image")

times = ...

exercises.check("mobilenetv2.3", times, base=base)

# %% tags=["solution"]
now = backbone.macs(base)
plain_work = now
for layer in base.layers:
    if isinstance(layer, layers.DepthwiseConv2D):
        height, width, channels = layer.output.shape[1:]
        depthwise = height * width * 3 * 3 * channels
        plain_work += depthwise * channels - depthwise
times = plain_work / now

exercises.check("mobilenetv2.3", times, base=base)

# %% [markdown]
# So: a convolution sees small patterns, such as edges and colours. MobileNetV2 is cheap because inside it
# 3 x 3 filters read one channel each, and 1 x 1 convolutions mix the channels.

# %% [markdown]
# ## Key points
#
# - A filter answers where the pixels look like its weights. Its answers are a map.
# - The first filters see edges and colours. An edge filter answers at hairs, too.
# - Depthwise filters save work against a plain layer *of the same width*, not against a narrow one.
#
# ## Check yourself
#
# <details><summary>Why is the map of `edge` white in the middle of the lesion?</summary>
# There the pixels on the left and on the right are about equally dark, so right minus left is about
# 0.</details>
#
# <details><summary>Why does a filter inside the network have more than nine weights?</summary>
# A plain one reads all channels: 3 x 3 weights for each of them.</details>
#
# <details><summary>"The block is cheaper than a convolution." What is wrong with this
# sentence?</summary>
# It depends on which convolution: {{ shown("8,208") }} is more than {{ shown("5,184") }} with the
# same input and output, and far less than {{ shown("186,624") }} with the same width inside.</details>
#
# ## What comes next
#
# Is what cats taught these filters enough to find melanomas?
# [{{ number_of("transfer") }} · Transfer]({{ notebook_of("transfer") }})
#
# ## References
#
# - Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2: Inverted Residuals and Linear Bottlenecks.
#   CVPR 2018, [arXiv:1801.04381](https://arxiv.org/abs/1801.04381).
# - Howard et al.: MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications.
#   2017, [arXiv:1704.04861](https://arxiv.org/abs/1704.04861). Table 4 compares both convolutions.
# - Keras: [MobileNetV2](https://keras.io/api/applications/mobilenet/),
#   [Conv2D](https://keras.io/api/layers/convolution_layers/convolution2d/).
# - The lesion: ISIC 2016 challenge, CC0 ([data/samples](https://github.com/{{ repository }}/blob/{{ branch }}/data/samples/README.md)).

# %%
exercises.progress()

# %%
ledger.show()
