"""Quoted figures and the rendered pages, against small hand-made results."""

import pytest

from course import lessons
from course.build import pages as builder
from course.build import render
from course.errors import CourseError
from utils import results, settings
from utils.evaluation import Estimate

PAGES = ("README.md", "results/README.md", "models/README.md")


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes a file of a results/ that is empty at first."""
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    return lambda name, content: settings.write_json(tmp_path / f"{name}.json", content)


# --- quoting -------------------------------------------------------------------------------------


def test_prose_quotes_results(own):
    auc = Estimate(0.8123, 0.7, 0.9, (0.75, 0.8746))
    own("x", {"a b": {"auc": auc}, "n": 5000, "w": "ImageNet", "swing": [0.25, 0.5]})
    for template, text in (
        ('A {{ quote("x", "a b.auc") }} b\n', "A 0.81 [0.70, 0.90] b\n"),
        ('{{ quote("x", "a b.auc.value", "+.3f") }}', "+0.812"),
        ('{{ quote("x", "a b.auc.seeds.1", ".1f") }}', "0.9"),
        ('{{ quote("x", "n", ",") }} {{ quote("x", "w") }}', "5,000 ImageNet"),
        ('{{ quote("x", "swing.0", ".0%") }}', "25%"),
        ("{{ repository }}", "ada/moles"),
        ("$x_{1}$ and {one} brace, 100 % sure", "$x_{1}$ and {one} brace, 100 % sure"),
    ):
        assert render.render(template, repository="ada/moles") == text


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ('{{ quote("y", "auc") }}', "there is no results/y.json"),
        ('{{ quote("x", "acc") }}', "results/x.json has no 'acc'"),
        ('{{ quote("x", "auc.mean") }}', "'mean' is missing"),
        ('{{ quote("x", "n.m") }}', "'m' is missing"),
        ('{{ quote("x", "list.7") }}', "'7' is missing"),
        ('{{ quote("x", "list") }}', "neither a number nor a text"),
        ('{{ quote("x", "n", "d.f") }}', "'d.f' is no format"),
        ('{{ verdict("x", "n") }}', "'n' of results/x.json has no interval"),
        ('{{ verdict("x", "m") }}', "results/x.json has no 'm'"),
        (
            '{{ verdict("x", "auc", above=None) }}',
            "'auc' of results/x.json is +0.500 [+0.400, +0.600]",
        ),
        ('{{ fact("0.885", " ") }}', "fact('0.885') must say where"),
        ("{{ notebok }}", "'notebok' is undefined"),
        ("{{ quote( }}", "cannot be filled in"),
    ],
)
def test_what_cannot_be_filled_in_is_said_in_one_sentence(own, template, message):
    own("x", {"auc": Estimate(0.5, 0.4, 0.6), "n": 5, "list": [1, 2]})
    with pytest.raises(CourseError) as error:
        render.render(template)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("bounds", "word", "own_word"),
    [
        ((0.01, 0.2), "clear", "a gain"),
        ((-0.2, -0.01), "clear", "a loss"),
        ((-0.1, 0.1), "inconclusive", "inconclusive"),
        ((0.0, 0.1), "inconclusive", "inconclusive"),
    ],
)
def test_words_that_judge_follow_the_interval(own, bounds, word, own_word):
    own("x", {"gain": Estimate(sum(bounds) / 2, *bounds)})
    assert render.render('{{ verdict("x", "gain") }}') == word
    template = '{{ verdict("x", "gain", above="a gain", below="a loss") }}'
    assert render.render(template) == own_word


# --- the pages -----------------------------------------------------------------------------------


@pytest.fixture
def pages(own, tmp_path, monkeypatch):
    """A course of two lessons with small results, and its pages by name when rendered."""
    for name, content in RESULTS.items():
        own(name, content)
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    monkeypatch.setattr(builder, "_shipped", lambda: MODEL)
    monkeypatch.setattr(builder, "address", lambda: ("ada/moles", "trunk"))
    monkeypatch.setattr(builder, "lesson_rows", lambda: (130, LESSONS))

    def rendered():
        builder.pages()
        return {name: (tmp_path / name).read_text() for name in PAGES}

    return rendered


def test_the_readme_by_hand(pages):
    page = pages()["README.md"]
    colab = "https://colab.research.google.com"
    badge, hub = f"{colab}/assets/colab-badge.svg", "https://github.com/ada/moles"
    notebooks = f"{colab}/github/ada/moles/blob/trunk/notebooks"
    for expected in (
        f"[![CI]({hub}/actions/workflows/ci.yml/badge.svg)]({hub}/actions/workflows/ci.yml)\n"
        f"[![Open the first lesson in Colab]({badge})]({notebooks}/00_quickstart.ipynb)\n",
        "A free course in 2 notebooks",
        f"```bash\ngit clone {hub}\ncd moles\nmake lab\n```\n",
        "`make course` all of them (2 minutes on 2\n",
        "| [01](notebooks/01_two.ipynb) | [Two: more](notebooks/01_two.ipynb) | 45 | "
        f"[![Colab]({badge})]({notebooks}/01_two.ipynb) |\n",
        "| the original project's claim | 0.852 | | |\n"
        '| majority class: always "benign" | 0.76 | 0.50 | 0.50 |\n'
        "| colour baseline: no shapes | 0.70 [0.60, 0.75] | 0.81 [0.80, 0.82] "
        "| 0.62 [0.50, 0.75] |\n"
        "| the project's recipe (lesson 00) | 0.80 [0.78, 0.82] | 0.83 [0.82, 0.84] | |\n"
        "| [the model that we ship](models/README.md) | | | 0.50 [0.25, 0.75] |\n",
        "said anything from 0.75 to 0.85;",
        "gains +0.020 [+0.010, +0.030] in accuracy",
    ):
        assert expected in page


def test_the_results_page_by_hand(pages):
    page = pages()["results/README.md"]
    half, net = "0.500 [0.500, 0.500]", "0.750 [0.500, 1.000]"
    for expected in (
        "| recipe, 28 px | 0.800 [0.780, 0.820] | 0.750 to 0.850 | 0.830 [0.820, 0.840] |\n",
        "| recipe, 28 px minus colour baseline | +0.020 [+0.010, +0.030] "
        "| +0.010 [-0.010, +0.030] |\n",
        "| features | AUC |\n| --- | --- |\n| width 35%, input 96 | 0.840 [0.830, 0.850] |\n\n",
        "| Original project: claimed | 0.852 |  | 0.790 |  |\n"
        "| Original project: from its own matrix | 0.836 |  | 0.700 | 0.879 |\n"
        f"| majority class | {half} | {half} | {half} | undefined |\n"
        "| **Net**, width 0.35, images of 28 px, mean of 2 seeds |" + f" {net} |" * 4 + "\n",
        "mean of 2 seeds | 0.500 [0.250, 0.750] |",
        RANKED,
        "| head | 0.800 [0.790, 0.810] |  |\n"
        "| layers | 0.850 [0.840, 0.860] | +0.050 [+0.030, +0.070] |\n",
        "| as it is | 0.700 [0.690, 0.710] | | |\n"
        "| focal loss | 0.720 [0.710, 0.730] | +0.020 [-0.010, +0.050] "
        "| +0.000 [-0.020, +0.020] |\n",
        "Images of 64 px, 3 trainings a rung, 1,999 test images of all of HAM10000 (221\n",
        "| 2 CPU cores, 35 epochs | plain | cached | times faster | AUC, cached minus plain |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| width 35% | 100 s, 1000 MB | 20 s, 901 MB | 5.0 | 0.000 [-0.001, 0.001] |\n",
        "| 10,015 in memory | 950 | 2.5 | 0.61 |\n| 10,015 on disk | 950 | 2.5 | 0.61 |\n",
        "| quickstart | 81 | 1,234 |\n",
        "| **balanced accuracy** | 0.600 [0.590, 0.610] | 0.700 [0.690, 0.710] | |\n"
        "| sensitivity, mel (1,221 images) | 0.500 [0.480, 0.520] | 0.500 [0.480, 0.520] "
        "| 0.900 [0.890, 0.910] |\n",
    ):
        assert expected in page, expected


def test_for_whom_it_works_stands_on_the_results_page(pages, own):
    assert "Groups stand on the" in pages()["results/README.md"]
    own("subgroups", GROUPS)
    page = pages()["results/README.md"]
    for expected in (
        "| darker 4 | -0.040 [-0.050, -0.030] | +0.090 [+0.080, +0.100] | 0.020 |\n",
        "| brown, dark | 3 | 1 | too few | 3 | 1 | too few |\n"
        "| very light | 90 | 20 | 0.940 [0.930, 0.950] | 90 | 20 | 0.940 [0.930, 0.950] |\n",
        "| image alone | 0.900 [0.890, 0.910] | +0.000 [-0.010, +0.010] "
        "| +0.010 [+0.000, +0.020] |\n"
        "| age, sex and site alone | 0.720 [0.710, 0.730] | | |\n",
    ):
        assert expected in page, page


def test_what_is_not_measured_is_said_in_one_sentence(pages, tmp_path):
    (tmp_path / "ladder.json").unlink()
    with pytest.raises(CourseError, match=r"The pages need results/ladder.json, which is not"):
        builder.pages()


def test_what_the_readme_says_of_a_lesson_stands_in_its_notebook():
    seconds, rows = builder.lesson_rows()
    assert rows[0] == {
        "number": "00",
        "name": "quickstart",
        "file": "00_quickstart",
        "title": "Quickstart: the whole project in one cell",
        "minutes": "20",
    }
    assert len(rows) == len(lessons.choose_lessons()) and seconds > 10 * len(rows)


def every(value, low, high, seeds=()):
    e = Estimate(value, low, high, seeds)
    return dict.fromkeys(
        ("accuracy", "roc_auc", "sensitivity", "specificity", "precision", "f1"), e
    )


def ranked(auc, *seeds):
    return {
        "roc_auc": Estimate(auc, auc - 0.125, auc + 0.125, seeds),
        "average_precision": Estimate(0.5, 0.25, 0.75, seeds),
        "sensitivity_at_specificity_90": Estimate(0.375, 0.25, 0.5, seeds),
    }


MODEL = "ab" * 32
SHIPPED = {
    "split_fingerprint": "0123456789abcdef" * 4,
    "model_sha256": MODEL,
    "parameters": {"alpha": 0.35, "size": 96, "source_size": 128, "epochs": 20, "seed": 4},
    "minutes": 7.5,
    "threshold": 0.0625,
    "temperature": 1.25,
    "beside": {"colour baseline": ranked(0.625, 0.625)},
    "shipped": every(0.5, 0.25, 0.75),
    "mean_probability": {"test": 0.1, "melanomas": 0.125},
    "calibration_error": {"raw": 0.02, "calibrated": 0.01},
    "mini": every(0.5, 0.25, 0.75) | {"images": 200, "threshold": 0.3},
    "subgroups": {
        "sex: female": {
            "images": 40,
            "melanomas": 12,
            "lesions": 30,
            "melanoma_lesions": 11,
            "sensitivity": Estimate(0.75, 0.5, 1.0),
            "specificity": Estimate(0.5, 0.25, 0.75),
            "roc_auc": Estimate(0.875, 0.75, 1.0),
        },
        "site: ear": {"images": 15, "melanomas": 6, "lesions": 10, "melanoma_lesions": 4},
    },
}
RECIPE = {
    "seeds": [4, 5],
    "ways": {"corner views": ranked(0.75, 0.7, 0.8), "ensemble": ranked(0.875, 0.875)},
    "mini_600": every(0.5, 0.25, 0.75, (0.4, 0.6)),
}
RANKED = """\
| full test set, natural prevalence | ROC AUC | average precision | sensitivity at 90 % \
specificity |
| --- | --- | --- | --- |
| colour baseline | 0.625 [0.500, 0.750] | 0.500 [0.250, 0.750] | 0.375 [0.250, 0.500] |
| **MobileNetV2**, four corners in eight symmetries, mean of 2 seeds \
| 0.750 [0.625, 0.875]<br>seeds 0.700-0.800 \
| 0.500 [0.250, 0.750] | 0.375 [0.250, 0.500] |
| **the 2 seeds together**, four corners in eight symmetries | 0.875 [0.750, 1.000] \
| 0.500 [0.250, 0.750] | 0.375 [0.250, 0.500] |
"""


def way(seconds, megabytes):
    return {"seconds": seconds, "peak_megabytes": megabytes, "roc_auc": 0.75}


def near(value, by=0.01, seeds=()):
    return Estimate(value, value - by, value + by, seeds)


WIDTH = {
    "naive": way(100.4, 1000.0),
    "cached": way(20.0, 900.6),
    "difference": Estimate(0.0, -0.001, 0.001),
    "times_faster": 5.02,
}
STREAMED = {
    "pictures": 10015,
    "megabytes_over_start": 950.4,
    "ms_a_picture": 2.55,
    "pipeline_ms_a_picture": 0.614,
}
UNDEFINED = Estimate(float("nan"), float("nan"), float("nan"))
RESULTS = {
    "ten_draws": {
        "models": {
            "recipe, 28 px": {
                "accuracy": near(0.8, 0.02, (0.75, 0.85)),
                "roc_auc": near(0.83, 0.01, (0.8,)),
            },
            "colour baseline": {
                "accuracy": Estimate(0.7, 0.6, 0.75, (0.7,)),
                "roc_auc": near(0.81, 0.01, (0.8,)),
            },
            "majority class": {
                "accuracy": Estimate(0.76, 0.76, 0.76, (0.76,)),
                "roc_auc": Estimate(0.5, 0.5, 0.5, (0.5,)),
            },
        },
        "lowest": {"recipe, 28 px": {"accuracy": 0.75}},
        "highest": {"recipe, 28 px": {"accuracy": 0.85}},
        "differences": {
            "recipe, 28 px minus colour baseline": {
                "accuracy": near(0.02),
                "roc_auc": near(0.01, 0.02),
            }
        },
    },
    "quickstart-width0.35-28px": {
        "model": "Net",
        "parameters": {"ALPHA": 0.35, "SIZE": 28},
        "seeds": [0, 1],
        "over_seeds": every(0.75, 0.5, 1.0, (0.7, 0.8)),
        "beside": {
            "majority class": {"metrics": every(0.5, 0.5, 0.5) | {"specificity": UNDEFINED}}
        },
    },
    "quickstart-width0.35-28px-seed0": {"models": {}},  # one training: no row
    "shipped_model": SHIPPED,
    "recipe": RECIPE,
    "dials": {
        "parameters": {"SIZE": 28},
        "roc_auc": {"width 35%, input 96": near(0.84), "later: 0 to 1": near(0.8)},
    },
    "ladder": {
        "parameters": {"SIZE": 64, "SEEDS": [0, 1, 2], "BALANCE_SEEDS": [0, 1]},
        "n_images": 1999,
        "n_melanomas": 221,
        "roc_auc": {"head": near(0.8), "layers": near(0.85)},
        "gains": {"layers": near(0.05, 0.02)},
        "balance": {"as it is": near(0.7), "focal loss": near(0.72)},
        "balance_gains": {
            "focal loss": {"roc_auc": near(0.02, 0.03), "average_precision": near(0.0, 0.02)}
        },
    },
    "cached_prefix": {"processors": 2, "epochs": [25, 10], "widths": {"35%": WIDTH}},
    "seven_diagnoses": {
        "images": {"mel": 1221},
        "balanced_accuracy": {"likeliest": near(0.6, 0.01), "equal shares": near(0.7, 0.01)},
        "sensitivity": {w: {"mel": near(0.5, 0.02)} for w in ("likeliest", "equal shares")},
        "roc_auc": {"mel": near(0.9, 0.01)},
        "malignant": {
            "images": 388,
            "roc_auc": near(0.91, 0.01),
            "roc_auc_of_melanoma_probability": near(0.75, 0.01),
        },
    },
    "lesson_runs": {
        "processors": 2,
        "lessons": {"quickstart": {"seconds": 81.4, "peak_megabytes": 1234.4}},
    },
    "streaming": {"ways": {"in memory": {"all": STREAMED}, "on disk": {"all": STREAMED}}},
}
ENOUGH = {"images": 90, "melanomas": 20, "roc_auc": near(0.94)}
TONES = {"brown, dark": {"images": 3, "melanomas": 1}, "very light": ENOUGH, "bluish": ENOUGH}
GROUPS = {
    "shifts": {
        "unchanged": {"sensitivity": 0.875},
        "darker": [
            {
                "severity": severity,
                "change": near(-0.01 * severity),
                "calibration_change": near(0.09),
                "sensitivity_change": near(-0.25),
                "calibration_error": 0.1,
                "mean_probability": 0.02,
                "refused": 0.5,
            }
            for severity in (1, 2, 3, 4)
        ],
    },
    "tones": {"test": TONES, "validation": TONES},
    "beside": {
        "image alone": {
            "roc_auc": {"value": near(0.9), "gain": near(0.0)},
            "average_precision": {"value": near(0.58), "gain": near(0.01)},
        },
        "age, sex and site alone": {"roc_auc": {"value": near(0.72)}},
    },
}
LESSONS = [
    {
        "number": "00",
        "name": "quickstart",
        "file": "00_quickstart",
        "title": "One: it",
        "minutes": "20",
    },
    {"number": "01", "name": "two", "file": "01_two", "title": "Two: more", "minutes": "45"},
]


# --- the model card ------------------------------------------------------------------------------


def test_the_model_card_by_hand(pages, own):
    card = pages()["models/README.md"]
    words = " ".join(card.split())
    for expected in (
        "# Model card: melanoma_mobilenetv2.keras > **For education only.** Not a medical device.",
        "MobileNetV2 of width 0.35. It takes a square of 128 x 128 raw pixels",
        "for 20 epochs with seven diagnoses as targets. The file is the training with seed 4;",
        "The training took 8 minutes on 2 CPU cores:",
        "fingerprint of the split `0123456789abcdef`.",
        "at its own threshold 0.062 (the highest",
        'The majority class "benign" has an accuracy of 0.875 there',
        "On HAM10k-Mini's 200 test images",
        "600 training images alone, mean of 2 seeds: accuracy 0.500 [0.250, 0.750],",
        "claimed an accuracy of 0.852.",
        "a temperature of 1.25, found on validation. Expected calibration error on the test set: "
        "0.020 without it, 0.010 with it. Mean probability 0.100, share of melanomas 0.125.",
    ):
        assert expected in words
    assert RANKED in card
    assert card.split("## Groups\n\n")[1].startswith(
        "Lesions, and images of them in brackets; a group needs ten lesions of either kind.\n\n"
        "| | all | melanomas | sensitivity | specificity | ROC AUC |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| sex: female | 30 (40) | 11 (12) | 0.750 [0.500, 1.000] | 0.500 [0.250, 0.750] "
        "| 0.875 [0.750, 1.000] |\n"
        "| site: ear | 10 (15) | 4 (6) | too few | too few | too few |\n\n"
    )
    assert "What is not skin" not in card and "When it does not answer" not in card
    moved = {"not melanoma": {"alarms": Estimate(0.03, 0.01, 0.05)}}
    moved["melanoma"] = {"alarms": Estimate(-0.2, -0.3, -0.1)}
    kinds = {"lesions": {"not melanoma": 300, "melanoma": 120}, "artefacts": {"hair": moved}}
    own("artefacts", kinds | {"alarms": {"not melanoma": 0.25, "melanoma": 0.875}})
    words = " ".join(pages()["models/README.md"].split())
    assert "(300 that are not melanoma, 120 melanomas)" in words
    assert "which is 0.250 and 0.875 without anything." in words
    assert "| hair | +0.030 [+0.010, +0.050] | -0.200 [-0.300, -0.100] |" in words
    own("subgroups", GROUPS)
    words = " ".join(pages()["models/README.md"].split())
    assert "threshold, 0.875 without a change" in words
    assert (
        "| darker | -0.020 [-0.030, -0.010] | -0.040 [-0.050, -0.030] | -0.250 [-0.260, -0.240] "
        "| 0.100 | 50.0% |" in words
    )
    assert "is under 10 degrees in 3 test images; looked at, most show" in words


def test_a_page_never_shows_figures_of_two_models(pages, own):
    own("artefacts", {"model_sha256": "cd" * 32})
    with pytest.raises(CourseError, match=r"results/artefacts\.json is of another model"):
        pages()


def test_pages_are_written_once_and_checked(pages, tmp_path, capsys):
    with pytest.raises(
        CourseError, match=r"README.md is not current: run `python -m course pages`"
    ):
        builder.pages(check=True)
    assert not (tmp_path / "README.md").exists()
    first = pages()
    capsys.readouterr()
    assert pages() == first and builder.pages(check=True) == 0
    current = [f"{name} is current" for name in PAGES]
    assert capsys.readouterr().out.replace("\\", "/").splitlines() == [*current, *current]


def test_the_pages_agree_with_the_committed_results():
    assert builder.pages(check=True) == 0
