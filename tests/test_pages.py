"""Quoted figures, and the rendered pages against the committed records."""

import shutil

import pytest

from course import lessons
from course.build import pages as builder
from course.build import render
from course.errors import CourseError
from utils import results, settings
from utils.evaluation import Estimate

PAGES = ("README.md", "results/README.md", "models/README.md", "docs/PROOF.md", "deploy/README.md")


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
def pages(tmp_path, monkeypatch):
    """Renders the committed records, or what a test made of them in ``tmp_path``: text by page."""
    for record in results.COMMITTED.glob("*.json"):
        shutil.copy(record, tmp_path)
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    monkeypatch.setattr(builder, "address", lambda: ("ada/moles", "trunk"))

    def rendered():
        builder.pages()
        return {name: (tmp_path / name).read_text() for name in PAGES}

    return rendered


def records():
    """What the lines below name: the committed records, and parts of them."""
    found = {p.stem: results.committed(p.stem) for p in results.COMMITTED.glob("*.json")}
    draws, shipped, seven = (found[n] for n in ("ten_draws", "shipped_model", "seven_diagnoses"))
    gain = "recipe, 28 px minus colour baseline"
    tones = found["subgroups"]["tones"]
    return found | {
        "run": found["quickstart-width0.35-28px"],
        "ours": draws["models"]["recipe, 28 px"],
        "colours": draws["models"]["colour baseline"],
        "lowest": draws["lowest"]["recipe, 28 px"],
        "highest": draws["highest"]["recipe, 28 px"],
        "gain": draws["differences"][gain],
        "alone": shipped["beside"]["colour baseline"],
        "women": shipped["subgroups"]["sex: female"],
        "few": next(g for g in shipped["subgroups"].values() if "roc_auc" not in g),
        "way": found["recipe"]["ways"]["corner views"],
        "width": found["cached_prefix"]["widths"]["35%"],
        "stored": found["streaming"]["ways"]["on disk"]["all"],
        "darker": found["subgroups"]["shifts"]["darker"],
        "home": found["elsewhere"]["sets"]["HAM10000, test"],
        "phones": found["elsewhere"]["sets"]["PAD-UFES-20, all"],
        "accuracy": shipped["shipped"]["accuracy"].value,
        "light": (tones["test"]["very light"], tones["validation"]["very light"]),
        "age": found["subgroups"]["beside"]["image and age"],
        "focal": found["ladder"]["balance_gains"]["focal loss"],
        "mel": {way: shares["mel"] for way, shares in seven["sensitivity"].items()},
        "benign": 1 - shipped["mean_probability"]["melanomas"],
    }


LINES = {
    "README.md": [
        "[![CI](https://github.com/ada/moles/actions/workflows/ci.yml/badge.svg)]",
        "https://colab.research.google.com/github/ada/moles/blob/trunk/notebooks/00_quickstart",
        "```bash\ngit clone https://github.com/ada/moles\ncd moles\nmake lab\n```\n",
        "| HAM10000, its test set | 1,999 | {home[shipped][roc_auc]:.2f} "
        "| {home[colours][roc_auc].value:.2f} | {accuracy:.2f} | {benign:.2f} "
        "| {home[shipped][sensitivity].value:.0%} |\n",
        "| PAD-UFES-20, smartphones | 914 | {phones[shipped][roc_auc]:.2f} |",
        "claimed an accuracy of 0.852 on 200 test images.",
        "reaches {ours[accuracy].value:.2f} ({lowest[accuracy]:.2f} to {highest[accuracy]:.2f}), "
        'colours alone {colours[accuracy].value:.2f}, always "not melanoma" 0.76.',
    ],
    "results/README.md": [
        "# Results on real lesions\n\n1. **At home** [the file that we ship]",
        "(../models/README.md) has an AUC of "
        "{elsewhere[sets][HAM10000, test][shipped][roc_auc]:.2f}, the colour",
        "in other clinics and {phones[shipped][roc_auc]:.2f} on photographs by phones.\n",
        "finds {elsewhere[sets][HAM10000, test][shipped][sensitivity]:.2f} at home, ",
        "| recipe, 28 px | {ours[accuracy]:.3f} | {lowest[accuracy]:.3f} to "
        "{highest[accuracy]:.3f} | {ours[roc_auc]:.3f} |\n",
        "px minus colour baseline | {gain[accuracy]:+.3f} | {gain[roc_auc]:+.3f} |\n",
        "| width 35%, input 96 | {dials[roc_auc][width 35%, input 96]:.3f} |\n",
        "| Original project: claimed | 0.852 |  | 0.790 |  |\n"
        "| Original project: from its own matrix | 0.836 |  | 0.700 | 0.879 |\n",
        "| **{run[model]}**, width 0.35, images of 28 px, mean of 5 seeds "
        "| {run[over_seeds][accuracy]} | {run[over_seeds][roc_auc]} "
        "| {run[over_seeds][sensitivity]} | {run[over_seeds][specificity]} |\n",
        "on the same 600, mean of 5 seeds | {recipe[mini_600][accuracy]} |",
        "trained on about 6,000 | {shipped_model[mini][accuracy]} |",
        "| last 20 layers | {ladder[roc_auc][last 20 layers]:.3f} "
        "| {ladder[gains][last 20 layers]:+.3f} |\n",
        "| head alone | {ladder[roc_auc][head alone]:.3f} |  |\n",
        "| as it is | {ladder[balance][as it is]:.3f} | | |\n",
        "| focal loss | {ladder[balance][focal loss]:.3f} | {focal[roc_auc]:+.3f} "
        "| {focal[average_precision]:+.3f} |\n",
        "Images of 64 px, 3 trainings a step, 1,999 test images of all of HAM10000 (221\n",
        "| width 35% | {width[naive][seconds]:.0f} s, {width[naive][peak_megabytes]:.0f} MB "
        "| {width[cached][seconds]:.0f} s, {width[cached][peak_megabytes]:.0f} MB "
        "| {width[times_faster]:.1f} | {width[difference]:.3f} |\n",
        "| 10,015 on disk | {stored[megabytes_over_start]:.0f} | {stored[ms_a_picture]:.1f} "
        "| {stored[pipeline_ms_a_picture]:.2f} |\n",
        "| quickstart | {lesson_runs[lessons][quickstart][seconds]:.0f} "
        "| {lesson_runs[lessons][quickstart][peak_megabytes]:,.0f} |\n",
        "| **balanced accuracy** | {seven_diagnoses[balanced_accuracy][likeliest]} "
        "| {seven_diagnoses[balanced_accuracy][equal shares]} | |\n",
        "| sensitivity, mel (221 images) | {mel[likeliest]} | {mel[equal shares]} "
        "| {seven_diagnoses[roc_auc][mel]} |\n",
        "| darker 4 | {darker[3][change]:+.3f} | {darker[3][calibration_change]:+.3f} "
        "| {darker[3][mean_probability]:.3f} |\n",
        "| very light | {light[0][images]} | {light[0][melanomas]} | {light[0][roc_auc]} "
        "| {light[1][images]} | {light[1][melanomas]} | {light[1][roc_auc]} |\n",
        "| image and age | {age[roc_auc][value]} | {age[roc_auc][gain]:+.3f} "
        "| {age[average_precision][gain]:+.3f} |\n",
    ],
    "models/README.md": [
        "# Model card: melanoma_mobilenetv2.keras\n\n> **For education only.** Not",
        "all layers trained for {shipped_model[parameters][epochs]} epochs",
        "{{ type: roc_auc, value: {phones[shipped][roc_auc].value:.3f} }}",
        "| PAD-UFES-20, all | 914 / {phones[melanomas]} | {phones[shipped][roc_auc]} |",
        "The file is the training with seed 0; no seed was chosen by\n",
        "`{shipped_model[split_fingerprint]:.16}`",
        "at its own threshold {shipped_model[threshold]:.3f} (chosen",
        "sensitivity {shipped_model[shipped][sensitivity]}, specificity",
        "has an accuracy of {benign:.3f} there",
        "accuracy {shipped_model[mini][accuracy]}, ROC AUC {shipped_model[mini][roc_auc]}.",
        "mean of 5 seeds: accuracy {recipe[mini_600][accuracy]},\n",
        "a temperature of {shipped_model[temperature]:.2f}, found on validation.",
        "| calibrated | {shipped_model[calibration][calibrated][slope]:.2f} |",
        "| sex: female | {women[lesions]} ({women[images]}) | {women[melanoma_lesions]} "
        "({women[melanomas]}) | {women[sensitivity]} | {women[specificity]} | {women[roc_auc]} |\n",
        "| {few[lesions]} ({few[images]}) | {few[melanoma_lesions]} ({few[melanomas]}) "
        "| too few | too few | too few |\n",
        "threshold, {subgroups[shifts][unchanged][sensitivity]:.3f} without a change",
        "| darker 4 | {darker[3][change]:+.3f} | {darker[3][sensitivity_change]:+.3f} "
        "| {darker[3][refused]:.1%} | {darker[3][melanomas_called_benign]:.0%} |\n",
        "({artefacts[lesions][not melanoma]} that are not melanoma, "
        "{artefacts[lesions][melanoma]} melanomas)",
        "| hair | {artefacts[artefacts][hair][not melanoma][alarms]:+.3f} "
        "| {artefacts[artefacts][hair][melanoma][alarms]:+.3f} |\n",
    ],
}
RANKED = (
    "| colour baseline | {alone[roc_auc]} | {alone[average_precision]} "
    "| {alone[sensitivity_at_specificity_90]} |\n",
    "four corners in eight symmetries, mean of 3 seeds | {way[roc_auc]}<br>seeds ",
)


@pytest.mark.parametrize("page", LINES)
def test_each_number_of_a_page_is_the_records(pages, page):
    text, known = pages()[page], records()
    for line in LINES[page] + [*RANKED] * (page != "README.md"):
        assert line.format(**known) in text, line


def test_ways_to_serve_stand_on_two_pages(pages, tmp_path):
    run = {"answers_a_second": 41.4, "counts": {"200": 1390, "500": 7}, "lost": 7}
    run |= {"lost_for_good": 0, "megabytes": 987.6, "processes": 12}
    run["percentiles"] = {"p50": 0.65, "p95": 0.81, "p99": 1.02}
    content = {"clients": 32, "seconds_of_a_run": 20, "processors": 2, "ways": {"one": run}}
    settings.write_json(tmp_path / "replicas.json", content)
    text = pages()
    assert "| one | 41 | 0.65, 0.81, 1.02 | 7, 0 | 988 |\n" in text["deploy/README.md"]
    line = "| one | 41.4 | 0.65 | 0.81 | 1.02 | 200: 1,390, 500: 7 | 7, 0 | 988 (12) |\n"
    assert line in text["results/README.md"]
    (tmp_path / "replicas.json").unlink()
    assert "*Lost*" not in pages()["deploy/README.md"]


def test_an_undefined_number_and_one_training_are_told(pages, tmp_path):
    """And what one page alone may lack is left out with its heading."""
    content = results.committed("quickstart-width0.35-28px")
    content["over_seeds"]["specificity"] = Estimate(float("nan"), float("nan"), float("nan"))
    settings.write_json(tmp_path / "quickstart-width0.35-28px.json", content)
    for name in builder.OPTIONAL:
        (tmp_path / f"{name}.json").unlink(missing_ok=True)
    text = pages()
    assert "| undefined |\n" in text["results/README.md"]
    assert "What is not skin" not in text["models/README.md"]
    assert "When it does not answer" not in text["models/README.md"]
    assert "Groups stand on the" in text["results/README.md"]
    assert "| test images, shifted |" not in text["results/README.md"]
    assert "What another training is worth" not in text["results/README.md"]


def test_what_is_not_measured_is_said_in_one_sentence(pages, tmp_path):
    (tmp_path / "ladder.json").unlink()
    with pytest.raises(CourseError, match=r"The pages need results/ladder.json, which is not"):
        builder.pages()


def test_what_the_readme_says_of_a_lesson_stands_in_its_notebook():
    seconds, rows = builder.lesson_rows()
    first = lessons.notebook("quickstart").read_text(encoding="utf-8")
    own = {"number": "00", "name": "quickstart", "file": "00_quickstart"}
    assert own.items() <= rows[0].items()
    assert f"# 00 · {rows[0]['title']}" in first and f"Time: {rows[0]['minutes']} minutes" in first
    assert len(rows) == len(lessons.choose_lessons()) and seconds > 10 * len(rows)


def test_a_page_never_shows_figures_of_two_models(pages, tmp_path):
    settings.write_json(tmp_path / "artefacts.json", {"model_sha256": "cd" * 32})
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
