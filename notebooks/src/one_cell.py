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
# # The whole project in one Colab cell
#
# The cells of [{{ number_of("quickstart") }}]({{ notebook_of("quickstart") }}) as one: load, train, judge, ask. The lesson
# explains each line.
#
# {{ disclaimer }}

# %%
# {{ cells of quickstart }}
