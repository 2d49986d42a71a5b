"""Every exercise: its blank, each typical wrong answer with its hint, its solution, its hint."""

import ast
import math
import re
from functools import lru_cache

import jupytext
import nbformat
import numpy as np
import pytest

from course import lessons
from course.build import style
from utils import evaluation, exercises
from utils.evaluation import Estimate
from utils.exercises import CHECKS

WITH_EXERCISES = (*lessons.names(), "audit")
for name in WITH_EXERCISES:
    exercises.import_module(f"utils.exercises.{name}")
# Their checks build, train or convert networks, or read data sets again and again.
SLOW = {"mobilenetv2.2", "transfer.3", "fine_tuning.1"}
SLOW |= {"batchnorm.1", "batchnorm.2", "batchnorm.3", "deployment.2", "deployment.3", "splitting.2"}
SLOW |= {"grad_cam.1", "better_models.1", "your_project.2"}
each_by_cost = pytest.mark.parametrize(
    "number",
    [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in sorted(CHECKS)],
    scope="module",  # tests of the same exercise follow each other
)


@pytest.fixture(scope="module", autouse=True)
def fewer_resamples():
    """A fifth of the usual thousand: checks compare intervals that are made in the same way."""
    draw = evaluation.resampled_lesions

    def fewer(y, groups, n=1000, seed=0):
        return draw(y, groups, min(n, 200), seed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "resampled_lesions", fewer)
        yield


@lru_cache(1)  # some train a network
def cases_of(number):
    return CHECKS[number].cases()


def said(capsys, number, answer, given):
    exercises.check(number, answer, **given)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 90
    return " ".join(out.split())


@each_by_cost
def test_blank_right_and_wrong_answers_are_told_apart(capsys, number):
    cases = cases_of(number)
    for blank in (..., cases.blank):
        found = said(capsys, number, blank, cases.given)
        assert found.startswith(f"Exercise {number}: nothing answered yet.")
    assert said(capsys, number, cases.right, cases.given).startswith(f"Exercise {number}: right. ")
    assert len(cases.wrong) >= 2
    for answer, words in cases.wrong:
        found = said(capsys, number, answer, cases.given)
        assert found.startswith(f"Exercise {number}: not yet. ") and words in found, found


@each_by_cost
def test_a_hint_on_request_gives_no_answer_away(capsys, number):
    exercises.hint(number)
    out = capsys.readouterr().out
    assert out.startswith(f"Hint for {number}: ") and max(map(len, out.splitlines())) <= 90
    right = singles(cases_of(number).right)
    assert given_away(number, right, CHECKS[number].hint) == []
    # One that did would be noticed, in every exercise.
    longest = max(map(ast.unparse, lines(number)), key=len)
    assert all(given_away(number, right, f"It is {part}.") for part in [longest, *right])


@lru_cache
def code_cells(name):
    """Code cells in the source of a lesson."""
    source = lessons.NOTEBOOKS / "src" / f"{name}.py"
    return [cell for cell in jupytext.read(source).cells if cell.cell_type == "code"]


def solution(number):
    """Syntax tree of the lesson's solution."""
    cells = [
        cell.source
        for cell in code_cells(number.partition(".")[0])
        if "solution" in style.tags(cell)
    ]
    (own,) = (source for source in cells if f'"{number}"' in source)
    return ast.parse(own)


def lines(number):
    """Syntax trees of what the solution's lines compute."""
    for node in ast.walk(solution(number)):
        if isinstance(node, ast.stmt) and "exercises.check" not in ast.unparse(node):
            for part in ast.iter_child_nodes(node):
                target = isinstance(getattr(part, "ctx", None), ast.Store)
                if isinstance(part, ast.expr) and not target:
                    yield part


def pieces(line):
    """What a line is made of, without its variables: calls, attributes, words and numbers."""
    for node in ast.walk(line):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant):
            yield str(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def pattern(line):
    """A regular expression of a line under any names of its variables, without spaces."""
    line = ast.parse(ast.unparse(line))  # a copy
    called = {node.func for node in ast.walk(line) if isinstance(node, ast.Call)}
    for node in ast.walk(line):
        if isinstance(node, ast.Name) and node not in called:
            node.id = "VARIABLE"
    return re.escape(re.sub(r"\s", "", ast.unparse(line))).replace("VARIABLE", r"\w+")


def singles(answer):
    """The words and numbers of which an answer consists."""
    if isinstance(answer, Estimate):
        answer = (answer.value, answer.low, answer.high)
    if isinstance(answer, set | list | tuple):
        return [part for each in answer for part in singles(each)]
    return [answer] if isinstance(answer, str | int | float | np.number) else []


def given_away(number, right, hint):
    """What a hint gives away: words and numbers of the answer, and lines of the solution, in code
    or by naming all that a line is made of."""
    numbers = [float(text) for text in re.findall(r"\d+(?:\.\d+)?", hint)]

    def named(piece):
        return re.search(rf"(?<!\w)(?<!\d\.){re.escape(piece)}(?!\w|\.\d)", hint)

    def known(answer):
        if isinstance(answer, str):
            return named(answer)
        sizes = (abs(answer), 100 * abs(answer))  # as it is, and in percent
        return any(math.isclose(n, size, rel_tol=0.02) for n in numbers for size in sizes)

    def written(line):
        made_of = set(pieces(line))
        if len(made_of) > 1 and all(map(named, made_of)):
            return True
        simple = isinstance(line, ast.Name | ast.Attribute | ast.Constant)
        bare = isinstance(line, ast.Call) and not line.args  # says no more than a name
        return not simple and not bare and re.search(pattern(line), re.sub(r"\s", "", hint))

    code = [ast.unparse(line) for line in lines(number) if written(line)]
    return code + [answer for answer in right if known(answer)]


@pytest.fixture
def toys(monkeypatch):
    def judge(answer):
        return f"It is {answer([])}."

    monkeypatch.setattr(exercises, "_states", {})
    toy = exercises.registry.Exercise(judge, "", lambda: None, lambda: len)
    for number in ("99.1", "99.2"):
        monkeypatch.setitem(CHECKS, number, toy)


def test_an_answer_that_raises_is_told_so(capsys, toys):
    exercises.check("99.1", lambda values: values[0])
    assert "not yet. Your code stopped with IndexError: list index" in capsys.readouterr().out


def test_an_answer_with_a_part_missing_is_blank(capsys, toys):
    for answer in ((1, ...), [..., 1]):
        exercises.check("99.1", answer)
        assert "99.1: nothing answered yet" in capsys.readouterr().out


def test_an_unknown_number_is_an_error():
    for number in ("00.99", "98.1", "x"):
        for call in (exercises.check, exercises.use):
            with pytest.raises(KeyError):
                call(number, 1)


@pytest.mark.parametrize(
    "number",
    [
        "confidence.1",  # a function
        "training.1",  # a function that builds a Keras model
        pytest.param("splitting.2", marks=pytest.mark.slow),  # its answers are made by `cases`
        "splitting.3",  # a function, whose check is given a table
    ],
)
def test_later_cells_use_the_answer_if_right_else_the_courses_own(capsys, number):
    cases = cases_of(number)
    assert exercises.use(number, cases.right, **cases.given) is cases.right
    assert capsys.readouterr().out == f"Using your answer to exercise {number}.\n"

    def stops(*values):
        raise ValueError

    for answer in (..., None, cases.blank, cases.wrong[0][0], stops):
        found = exercises.use(number, answer, **cases.given)
        assert " ".join(capsys.readouterr().out.split()) == (
            f"Using the course's solution, because exercise {number} is not solved yet."
        )
        assert said(capsys, number, found, cases.given).startswith(f"Exercise {number}: right.")


def test_a_solution_is_made_of_what_the_check_is_given(monkeypatch, capsys):
    monkeypatch.setattr(exercises.registry, "CHECKS", CHECKS.copy())
    monkeypatch.setattr(exercises, "CHECKS", exercises.registry.CHECKS)

    def judge(answer, values):
        if answer != sum(values):
            raise exercises.Hint("Add them.")
        return "That is the sum."

    words = {"hint": "", "wrong": [], "given": {"values": [1, 2]}}
    exercises.registry.exercise("99.1", solution=sum_of, **words)(judge)
    assert exercises.find("99.1").cases().right == 3
    assert exercises.use("99.1", 0, values=[4, 5]) == 9
    assert exercises.use("99.1", 9, values=[4, 5]) == 9
    exercises.registry.exercise("99.2", right=3, **words)(judge)
    with pytest.raises(TypeError, match=r"99.2 needs `solution`"):
        exercises.use("99.2", 0, values=[4, 5])


def sum_of(values):
    return sum(values)


def test_progress_is_that_of_this_kernel_and_lesson(monkeypatch, capsys):
    monkeypatch.setattr(exercises, "_states", {})
    none = "No exercise of this lesson is answered yet. Try one: it takes about five minutes, and "
    for _ in range(2):  # nothing was checked, then only what is blank
        exercises.progress()
        assert " ".join(capsys.readouterr().out.split()).startswith(none)
        exercises.check("confidence.1", ...)
        capsys.readouterr()
    exercises.check("confidence.3", CHECKS["confidence.3"].cases().right)
    exercises.use("confidence.2", max)
    capsys.readouterr()
    exercises.progress()
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 90
    assert " ".join(out.split()) == (
        "1 of 3 exercises are right: confidence.1 not begun, confidence.2 not yet, "
        "confidence.3 right."
    )
    assert exercises.states_in(out) == []


def test_states_are_read_from_what_checks_print(capsys):
    number, cases = "confidence.3", CHECKS["confidence.3"].cases()
    for answer in (cases.right, cases.wrong[0][0], cases.blank):
        exercises.check(number, answer)
        exercises.use(number, answer)
    exercises.hint(number)
    found = exercises.states_in(capsys.readouterr().out)
    assert found == [(number, state) for state in ("right", "not yet", "not begun")]


def test_slow_answers_are_made_for_tests_only(monkeypatch):
    monkeypatch.setattr(exercises.registry, "CHECKS", {})
    made = []
    exercises.registry.exercise(
        "99.3", "", cases=lambda: made.append(1) or {"right": 1, "wrong": []}
    )(len)
    assert made == []
    assert exercises.registry.CHECKS["99.3"].cases().right == 1 and made == [1]


@pytest.mark.parametrize("name", WITH_EXERCISES)
def test_every_exercise_is_in_its_lesson_blank_and_with_a_folded_solution(name):
    blank = re.compile(r"^Exercise ([\w.]+): nothing answered yet", re.MULTILINE)
    found = {"exercise": [], "solution": []}
    for cell in nbformat.read(lessons.notebook(name), 4).cells:
        if "exercise" in style.tags(cell):
            found["exercise"] += blank.findall(style.output_text(cell))
        elif "solution" in style.tags(cell):
            found["solution"] += re.findall(r"<summary>Solution of ([\w.]+)<", cell.source)
    own = sorted(number for number in CHECKS if number.startswith(f"{name}."))
    assert own and found == {"exercise": own, "solution": own}
