"""What docs/PROOF.md shows of faults: each with the tests that try it."""

import ast
from functools import lru_cache
from pathlib import Path

from course.errors import CourseError

TESTS = Path(__file__).parents[2] / "tests"

# The fault, where it happens, what the person sees, and the tests: FILE::FUNCTION.
FAULTS = (
    (
        "download cut, stalled, HTTP 500, wrong bytes (MD5)",
        "ImageNet's weights",
        "one sentence that names the file and where to put it; nothing is kept, the next try works",
        (
            "faults::test_weights_that_do_not_come_whole_are_not_kept_and_come_the_next_time",
            "pretrained::test_half_a_download_or_another_page_leaves_nothing",
        ),
    ),
    (
        "download cut, stalled, HTTP 500, wrong bytes (MD5)",
        "HAM10000 from Kaggle",
        "one sentence; the file is not used, the next try works; `auto` says why it draws lesions",
        (
            "faults::test_kaggles_files_that_do_not_come_whole_are_not_used_and_come_the_next_time",
            "data::test_a_server_that_never_answers_is_given_up",
            "data::test_a_mount_that_never_comes_is_given_up",
        ),
    ),
    (
        "wrong bytes",
        "files that are here: weights, Kaggle's table, images, the cache",
        "the file is named; a damaged image of the cache is made again",
        (
            "pretrained::test_a_broken_file_is_named",
            "data::test_a_wrong_kaggle_table_is_said_in_a_sentence",
            "data::test_a_broken_image_is_named_and_not_kept",
            "data::test_a_damaged_image_is_made_again",
        ),
    ),
    (
        "download cut",
        "the course itself, in Colab",
        "one sentence that says which folder to delete; nothing is deleted unasked",
        (
            "setup::test_half_a_clone_is_named_and_kept",
            "setup::test_what_the_badge_names_is_fetched_and_without_network_a_sentence_says_so",
        ),
    ),
    (
        "disk full",
        "prepared images, weights, copies of lessons, a run's notebook, a model, a backup",
        "one sentence; what is there stays whole, and with space the rest comes",
        (
            "faults::test_prepared_images_on_a_full_disk_are_whole_and_the_others_come_with_space",
            "faults::test_weights_on_a_full_disk_are_not_kept",
            "faults::test_copies_of_lessons_on_a_full_disk_are_whole",
            "faults::test_a_run_on_a_full_disk_says_so_and_keeps_the_last_one",
            "faults::test_a_backup_on_a_full_disk_keeps_the_last_one_and_resumes_with_space",
            "faults::test_a_model_on_a_full_disk_keeps_the_last_one",
            "predict::test_a_model_trained_anew_is_loaded_anew_and_a_failed_save_keeps_the_old",
        ),
    ),
    (
        "kernel killed",
        "a lesson that `make course` runs",
        "one sentence; the notebook as far as it came is kept beside the last whole one",
        ("faults::test_a_lesson_whose_kernel_is_killed_stops_and_the_last_run_is_kept",),
    ),
    (
        "killed in training",
        "Keras's backup (lesson training); a training of all layers",
        "the next run resumes at the epoch that was begun, and ends at the same weights",
        (
            "faults::test_a_training_whose_kernel_is_killed_resumes_in_the_next_kernel",
            "training::test_a_killed_training_goes_on_and_ends_at_the_same_weights",
        ),
    ),
    (
        "killed or ended",
        "preparing images; a run; an experiment",
        "the next run resumes, and nothing unfinished stays",
        (
            "data::test_an_interrupted_run_resumes",
            "run::test_a_run_that_is_ended_leaves_nothing_unfinished",
            "common::test_an_interrupted_answer_leaves_its_backup_and_finds_it_again",
        ),
    ),
    (
        "two at once",
        "prepared images, weights, one training's backup, copies of lessons, runs",
        "both end, with the same result and whole files",
        (
            "faults::test_two_that_prepare_the_same_images_get_the_same",
            "faults::test_two_that_fetch_the_same_weights_get_the_whole_file",
            "faults::test_two_trainings_with_one_backup_end_at_the_same_weights",
            "faults::test_two_that_open_jupyterlab_copy_each_lesson_once",
            "run::test_two_runs_of_a_lesson_write_to_different_files_until_they_are_done",
        ),
    ),
    (
        "blanks and letters that are not ASCII in paths",
        "clone, data, `KERAS_HOME`, cache, `my_notebooks`, an image, a backup",
        "as elsewhere",
        (
            "faults::test_a_clone_in_any_folder_runs_a_lesson_predicts_and_copies",
            "faults::test_images_weights_and_cache_lie_in_any_folder",
            "faults::test_a_training_backup_lies_in_any_folder",
        ),
    ),
)


def faults():
    """The table's rows: list of tuples of four texts, the tests as links.

    Raises
    ------
    CourseError
        If a test that is named is not there.
    """
    return [(*texts, ", ".join(map(_link, tests))) for *texts, tests in FAULTS]


def _link(test):
    file, _, name = test.partition("::")
    path = TESTS / f"test_{file}.py"
    if not path.exists() or name not in _functions(path.read_text(encoding="utf-8")):
        raise CourseError(f"docs/PROOF.md names the test {name}: {path.name} has none.")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../tests/{path.name})"


@lru_cache
def _functions(text):
    """Names of the functions that a text of Python defines at its top."""
    return {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
