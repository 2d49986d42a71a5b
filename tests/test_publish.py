"""Quoted figures, the README's blocks and the model card, against small hand-made results."""

import pytest

from course import publish, render
from course.errors import CourseError
from utils import results, settings
from utils.evaluation import Estimate


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes a file of a results/ that is empty at first."""
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    return lambda name, content: settings.write_json(tmp_path / f"{name}.json", content)


def block(name):
    """One block of a README that holds them all."""
    blank = "".join(f"<!-- {n} -->\n<!-- /{n} -->\n" for n in publish.BLOCKS)
    text = publish.render_readme(blank, "ada/moles", "trunk")
    assert publish.render_readme(text, "ada/moles", "trunk") == text
    return text.split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]


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
        ("{{ notebok }}", "'notebok' is undefined"),
        ("{{ quote( }}", "cannot be filled in"),
    ],
)
def test_what_cannot_be_filled_in_is_said_in_one_sentence(own, template, message):
    own("x", {"auc": Estimate(0.5, 0.4, 0.6), "n": 5, "list": [1, 2]})
    with pytest.raises(CourseError) as error:
        render.render(template)
    assert message in str(error.value) and "\n" not in str(error.value)


# --- the README ----------------------------------------------------------------------------------


def test_the_readme_holds_the_repositorys_address(own):
    assert block("clone") == (
        "```bash\ngit clone https://github.com/ada/moles\ncd moles\n\nmake course\nmake test\n```\n"
    )
    ci = "https://github.com/ada/moles/actions/workflows/ci.yml"
    colab = "https://colab.research.google.com"
    assert block("badges") == (
        f"[![CI]({ci}/badge.svg)]({ci})\n"
        f"[![Open In Colab]({colab}/assets/colab-badge.svg)]"
        f"({colab}/github/ada/moles/blob/trunk/notebooks/00_quickstart.ipynb)\n"
    )


def test_what_is_not_measured_is_said(own):
    for name in ("draws", "speed", "shipped", "ladder", "streaming"):
        assert block(name) == (
            f"(not measured yet: there is no {publish.BLOCKS[name]}.json in results/)\n"
        )


def test_a_readme_without_a_block_is_refused(own):
    with pytest.raises(CourseError, match="no block <!-- badges -->"):
        publish.render_readme("# Title\n", "ada/moles", "trunk")


CLAIMED = """\
| | accuracy | ROC AUC | sensitivity | specificity | precision | F1 |
| --- | --- | --- | --- | --- | --- | --- |
| Original project: claimed | 0.852 | - | 0.790 | - | 0.830 | 0.810 |
| Original project: from its own matrix | 0.836 | - | 0.700 | 0.879 | 0.646 | 0.672 |
"""


def every(value, low, high, seeds=()):
    e = Estimate(value, low, high, seeds)
    return dict.fromkeys(
        ("accuracy", "roc_auc", "sensitivity", "specificity", "precision", "f1"), e
    )


def test_the_table_of_results_by_hand(own):
    assert block("results") == CLAIMED  # nothing is recorded yet
    nothing = Estimate(float("nan"), float("nan"), float("nan"))
    own(
        "00_quickstart-width0.35-28px",
        {
            "model": "Net",
            "parameters": {"ALPHA": 0.35, "SIZE": 28},
            "seeds": [0, 1],
            "over_seeds": every(0.75, 0.5, 1.0, (0.7, 0.8)),
            "beside": {
                "majority class": {"metrics": every(0.5, 0.5, 0.5) | {"precision": nothing}}
            },
        },
    )
    own("00_quickstart-width0.35-28px-seed0", {"models": {}})  # one training: no row
    own(
        "shipped_model",
        SHIPPED
        | {"mini": every(0.625, 0.5, 0.75) | {"images": 4, "threshold": 0.1}}
        | {"mini_600": every(0.25, 0.125, 0.375, (0.2, 0.3, 0.25))},
    )
    half, net = "0.500 [0.500, 0.500]", "0.750 [0.500, 1.000]<br>seeds 0.700-0.800"
    of_600, itself = "0.250 [0.125, 0.375]<br>seeds 0.200-0.300", "0.625 [0.500, 0.750]"
    assert block("results").removeprefix(CLAIMED).splitlines() == [
        f"| majority class | {half} | {half} | {half} | {half} | undefined | {half} |",
        "| **Net**, width 0.35, images of 28 px, mean of 2 seeds |" + f" {net} |" * 6,
        "| **All layers learn**, the recipe of the shipped model (below), on the same 600, mean of"
        " 3 seeds |" + f" {of_600} |" * 6,
        "| **The shipped model** itself, trained on about 6,000 |" + f" {itself} |" * 6,
    ]


def ranked(auc, *seeds):
    return {
        "roc_auc": Estimate(auc, auc - 0.125, auc + 0.125, seeds),
        "average_precision": Estimate(0.5, 0.25, 0.75, seeds),
        "sensitivity_at_specificity_90": Estimate(0.375, 0.25, 0.5, seeds),
    }


SHIPPED = {
    "split_fingerprint": "0123456789abcdef" * 4,
    "parameters": {"alpha": 0.35, "size": 96, "source_size": 128, "epochs": 20},
    "seeds": [4, 5],
    "minutes_a_seed": [6.0, 9.0],
    "threshold": 0.0625,
    "temperature": 1.25,
    "ways": {"single": ranked(0.75, 0.7, 0.8), "ensemble": ranked(0.875, 0.875)},
    "beside": {"colour baseline": ranked(0.625, 0.625)},
    "shipped": every(0.5, 0.25, 0.75),
    "mean_probability": {"test": 0.1, "melanomas": 0.125},
    "calibration_error": {"raw": 0.02, "calibrated": 0.01},
    "mini": every(0.5, 0.25, 0.75) | {"images": 200, "threshold": 0.3},
    "mini_600": every(0.5, 0.25, 0.75, (0.4, 0.6)),
    "subgroups": {
        "sex: female": {
            "images": 40,
            "melanomas": 12,
            "sensitivity": Estimate(0.75, 0.5, 1.0),
            "specificity": Estimate(0.5, 0.25, 0.75),
            "roc_auc": Estimate(0.875, 0.75, 1.0),
        },
        "site: ear": {"images": 15, "melanomas": 6},
    },
}
RANKED = """\
| full test set, natural prevalence | ROC AUC | average precision | sensitivity at 90 % \
specificity |
| --- | --- | --- | --- |
| colour baseline | 0.625 [0.500, 0.750] | 0.500 [0.250, 0.750] | 0.375 [0.250, 0.500] |
| **MobileNetV2**, one view, mean of 2 seeds | 0.750 [0.625, 0.875]<br>seeds 0.700-0.800 \
| 0.500 [0.250, 0.750] | 0.375 [0.250, 0.500] |
| **the 2 seeds together**, four corners in eight symmetries | 0.875 [0.750, 1.000] \
| 0.500 [0.250, 0.750] | 0.375 [0.250, 0.500] |
"""


def test_the_shipped_models_table_by_hand(own):
    own("shipped_model", SHIPPED)
    assert block("shipped") == RANKED


def test_the_speed_table_by_hand(own):
    def way(seconds, megabytes):
        return {"seconds": seconds, "peak_megabytes": megabytes, "roc_auc": 0.75}

    width = {
        "naive": way(100.4, 1000.0),
        "cached": way(20.0, 900.6),
        "difference": Estimate(0.0, -0.001, 0.001),
        "times_faster": 5.02,
    }
    own("cached_prefix", {"processors": 2, "epochs": [25, 10], "widths": {"35%": width}})
    assert block("speed") == (
        "| 2 CPU cores, 35 epochs | plain | cached | times faster | test AUC, plain | test AUC, "
        "cached minus plain |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| width 35% | 100 s, 1000 MB | 20 s, 901 MB | 5.0 | 0.750 | 0.000 [-0.001, 0.001] |\n"
    )


def test_the_draws_by_hand(own):
    accuracy = {"accuracy": Estimate(0.8, 0.78, 0.82)}
    gain = {"accuracy": Estimate(0.02, 0.01, 0.03), "roc_auc": Estimate(0.01, -0.01, 0.03)}
    own(
        "ten_draws",
        {
            "models": {
                "recipe, 28 px": accuracy,
                "colour baseline": {"accuracy": Estimate(0.7, 0.6, 0.75)},
            },
            "lowest": {"recipe, 28 px": {"accuracy": 0.75}},
            "highest": {"recipe, 28 px": {"accuracy": 0.85}},
            "differences": {"recipe, 28 px minus colour baseline": gain},
        },
    )
    words = " ".join(block("draws").split())
    assert "accuracy of 0.800 [0.780, 0.820] (single draws 0.750 to 0.850)" in words
    assert "the colour baseline 0.700 [0.600, 0.750]" in words
    assert "gains +0.020 [+0.010, +0.030] in accuracy and +0.010 [-0.010, +0.030] in ROC" in words


def test_the_streaming_table_by_hand(own):
    row = {
        "pictures": 10015,
        "megabytes_over_start": 950.4,
        "ms_a_picture": 2.55,
        "pipeline_ms_a_picture": 0.614,
    }
    own("streaming", {"ways": {"in memory": {"all": row}, "on disk": {"all": row}}})
    assert block("streaming") == (
        "| images | MB that loading and training add | ms an image, training | of it reading |\n"
        "| --- | --- | --- | --- |\n"
        "| 10,015 in memory | 950 | 2.5 | 0.61 |\n"
        "| 10,015 on disk | 950 | 2.5 | 0.61 |\n"
    )


def test_the_ladder_in_words_by_hand(own):
    def rung(auc, *gain):
        return {"roc_auc": Estimate(auc, auc - 0.02, auc + 0.02)} | (
            {"gain": Estimate(*gain)} if gain else {}
        )

    rungs = {
        "head": rung(0.8),
        "layers": rung(0.85, 0.05, 0.03, 0.07),
        "paint": rung(0.855, 0.005, -0.01, 0.02),
        "more paint": rung(0.855, 0.0, -0.01, 0.01),
        "blur": rung(0.83, -0.025, -0.04, -0.01),
    }
    beside = {"colour baseline": rung(0.79), "majority class": rung(0.5)}
    own(publish.LADDER, {"rungs": rungs, "ladder": ["head", "layers", "paint"], "beside": beside})
    words = (
        "from head, 0.800 [0.780, 0.820], up to paint, 0.855 [0.835, 0.875]; the colour baseline "
        "has 0.790 [0.770, 0.810], the majority class 0.500"
    )
    assert block("ladder") == (
        f"![Test AUC of each rung: {words}](results/{publish.LADDER}-ladder.png)\n\n"
        f"Test AUC {words}. Each rung against the one below:\n\n"
        "- Interval of the gain above zero: layers (+0.050 [+0.030, +0.070]).\n"
        "- Inconclusive (interval holds zero): paint (+0.005 [-0.010, +0.020]); "
        "more paint (+0.000 [-0.010, +0.010]).\n"
        "- Interval of the gain below zero: blur (-0.025 [-0.040, -0.010]).\n"
    )


# --- the model card ------------------------------------------------------------------------------


def test_the_model_card_by_hand(own):
    own("shipped_model", SHIPPED)
    card = publish.card()
    words = " ".join(card.split())
    for expected in (
        "# Model card: melanoma_mobilenetv2.keras > **For education only.** Not a medical device.",
        "MobileNetV2 of width 0.35. It takes a square of 128 x 128 raw pixels",
        "for 20 epochs with seven diagnoses as targets. The file is the training with seed 4;",
        "One training took 8 minutes on 2 CPU cores:",
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
        "| | images | melanomas | sensitivity | specificity | ROC AUC |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| sex: female | 40 | 12 | 0.750 [0.500, 1.000] | 0.500 [0.250, 0.750] "
        "| 0.875 [0.750, 1.000] |\n"
        "| site: ear | 15 | 6 | too few | too few | too few |\n\n"
    )
    own("shipped_model", SHIPPED | {"minutes_a_seed": []})
    assert "The training was interrupted and resumed:" in publish.card()


def test_a_card_without_figures_is_refused(own):
    with pytest.raises(CourseError, match="There is no results/shipped_model"):
        publish.card()


def test_pages_are_written_once_and_checked(own, tmp_path, monkeypatch, capsys):
    own("shipped_model", SHIPPED)
    page, card = tmp_path / "README.md", tmp_path / "models" / "README.md"
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    monkeypatch.setattr(publish, "address", lambda: ("ada/moles", "trunk"))
    page.write_text("".join(f"<!-- {n} -->\n<!-- /{n} -->\n" for n in publish.BLOCKS))
    card.parent.mkdir()
    with pytest.raises(
        CourseError, match=r"README.md is not current: run `python -m course readme`"
    ):
        publish.readme(check=True)
    assert "ada" not in page.read_text() and not card.exists()
    assert publish.readme() == 0 and publish.readme() == 0 and publish.readme(check=True) == 0
    assert "ada/moles" in page.read_text() and card.read_text() == publish.card()
    said = ["README.md rendered anew", "models/README.md rendered anew"]
    current = ["README.md is current", "models/README.md is current"]
    assert capsys.readouterr().out.replace("\\", "/").splitlines() == [*said, *current, *current]


def test_readme_and_model_card_agree_with_the_committed_results():
    assert publish.readme(check=True) == 0
