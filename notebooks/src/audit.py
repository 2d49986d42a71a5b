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
# # Audit: can these numbers come from 200 images?
#
# The project from which this course grew prints four numbers and a confusion matrix for its test set of 200
# images. You can check them without an image and without a model. The same ten minutes work for any README.
#
# This notebook is optional. **You need** lesson [{{ number_of("evaluation") }}]({{ notebook_of("evaluation") }}).
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import numpy as np
import pandas as pd

from utils import exercises, results
from utils.quiet import keras

# %% [markdown]
# ## One number is enough

# %%
pd.Series(results.CLAIM, name="claimed")

# %% [markdown]
# An accuracy is a count, divided by the number of images. Which ones can 200 images have near 0.852?

# %%
right = np.arange(168, 174)
pd.DataFrame({"right answers": right, "accuracy": right / 200})

# %% [markdown]
# 0.850 or 0.855, and nothing between: **0.852 cannot come from 200 images**. From how many can it come?
#
# **Exercise audit.1** Write `possible(claim, images, digits=3)`: `True` if some count of right answers, divided
# by `images` and rounded to `digits`, is the claim.


# %% tags=["exercise"]
def possible(claim, images, digits=3):
    return ...


exercises.check("audit.1", possible)


# %% tags=["solution"]
def possible(claim, images, digits=3):
    shares = np.arange(images + 1) / images
    return claim in np.round(shares, digits)


exercises.check("audit.1", possible)

# %%
possible = exercises.use("audit.1", possible)
sizes = [n for n in range(190, 261) if possible(0.852, n)]
print(*sizes)

# %% [markdown]
# 250 is among them. Does the matrix have 250 images?
#
# ## The matrix belongs to other numbers

# %%
(tn, fp), (fn, tp) = results.CLAIMED_CONFUSION
images = tn + fp + fn + tp
own = {
    "accuracy": (tn + tp) / images,
    "precision": tp / (tp + fp),
    "sensitivity": tp / (tp + fn),
    "f1": 2 * tp / (2 * tp + fp + fn),
}
print(f"{images} images, {fn + tp} of them melanomas")
pd.DataFrame({"claimed": results.CLAIM, "from the matrix": own}).round(3)

# %% [markdown]
# It has 250 images, where the text has 200, and none of the four numbers follows from it. (F1 is the harmonic
# mean of precision and sensitivity.) Perhaps only the matrix is wrong? We try every matrix of 250 images.

# %%
fitting = []
for melanomas in range(1, 250):
    tp, fp = np.mgrid[1 : melanomas + 1, 0 : 251 - melanomas]
    wrong = melanomas - tp + fp
    fits = np.round(1 - wrong / 250, 3) == 0.852
    fits &= np.round(tp / (tp + fp), 2) == 0.83
    fits &= np.round(tp / melanomas, 2) == 0.79
    fits &= np.round(2 * tp / (2 * tp + wrong), 2) == 0.81
    if fits.any():
        fitting.append(melanomas)
print("melanomas among 250 images that fit all four:", *fitting)

# %% [markdown]
# The four claims need 98 to 101 melanomas; the matrix has 60. No single test set gives all that is printed.
#
# ## Two lines of code, too
#
# The README says that 96 pixels are the smallest input, and its code divides the pixels by 255. We ask Keras.

# %% tags=["nbval-check-output"]
mobilenet = keras.applications.MobileNetV2
small = mobilenet((32, 32, 3), 0.35, include_top=False, weights=None)
print("a 32 x 32 image gives features of shape", small.output.shape[1:])
pixels = np.array([0.0, 255.0])
print(keras.applications.mobilenet_v2.preprocess_input(pixels))

# %% [markdown]
# 32 pixels are enough, and the weights expect values from -1 to 1. The project also keeps the epoch with the
# best accuracy; lesson {{ number_of("evaluation") }} shows what accuracy hides.
#
# None of this proves bad intent. It happens when numbers are copied by hand, or cells run in another order.
# This course writes results to files, and its text reads them from there.
#
# ## Key points
#
# - A share has a denominator: divide, and see whether the claim is possible.
# - Numbers of one test set must fit each other. You can check that without the data.
#
# ## References
#
# - Brown, Heathers: The GRIM test: a simple technique detects numerous anomalies in the reporting of results
#   in psychology. Social Psychological and Personality Science 8:363, 2017,
#   [doi:10.1177/1948550616673876](https://doi.org/10.1177/1948550616673876). The same division, for means.

# %%
exercises.progress()
