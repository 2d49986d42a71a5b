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
# # {{ number }} · Topic: the one question that this lesson answers?
#
# One paragraph: why should anyone care? Copy this file to `NN_name.py`, and write as docs/STYLE.md says.

# %% [markdown]
# **You will**
#
# - do one thing;
# - do another;
# - find out how sure you can be.
#
# **New words**: six at most. Each is defined in the sentence that uses it first.
#
# **You need** lesson MM. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import matplotlib.pyplot as plt
import seaborn as sns

from utils import data, exercises, ledger, splits

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0

# %% [markdown]
# ## A heading says what its section shows
#
# A question or a guess first. Then a short cell, and below it what its output shows.

# %%
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
print(f"{train.melanoma.sum()} of {len(train.melanoma)} are melanomas")

# %%
# alt: Two bars: melanomas, and the larger number of other lesions.
sns.countplot(x=train.melanoma)
_ = plt.title("Most training images show no melanoma")

# %% [markdown]
# The numbers in the text are those of the output above, or they are quoted from a record:
# {{ quote("ten_draws", "models.recipe, 28 px.accuracy") }}. The builder refuses a name that is not in results/.
#
# **Exercise _template.1** Write `share(melanoma)`: the share of melanomas. (Its check, its hint and typical wrong
# answers stand in utils/exercises/.)


# %% tags=["exercise"]
def share(melanoma):
    return ...


exercises.check("_template.1", share)


# %% tags=["solution"]
def share(melanoma):
    return melanoma.mean()


exercises.check("_template.1", share)

# %% [markdown]
# Later cells use the learner's own function where it is right.

# %%
share = exercises.use("_template.1", share)

# %% [markdown]
# The answer to the question of the title, in one sentence.
#
# ## Key points
#
# - One.
# - Two.
# - Three.
#
# ## Check yourself
#
# <details><summary>A question that the lesson answers?</summary>
# Its answer, in one or two sentences.</details>
#
# ## What comes next
#
# One sentence, with a link to the next lesson.
#
# ## References
#
# - The paper or the documentation to read.

# %%
exercises.progress()

# %%
ledger.show()
