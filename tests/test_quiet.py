import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from utils import predict, settings
from utils.quiet import keras


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=settings.ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_keras_is_imported_where_standard_error_is_closed():
    """Nor does the next file get its number: TensorFlow would write its log lines into it."""
    done = run("import os; os.close(2); import utils.quiet; print(open(os.devnull).fileno())")
    assert done.returncode == 0 and int(done.stdout) > 2


@pytest.mark.slow
def test_keras_is_imported_where_nothing_can_be_written():
    code = "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/nowhere']; "
    done = run(code + "from utils.quiet import keras; print(keras.version())")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout[0].isdigit()


@pytest.mark.slow
def test_the_backend_is_tensorflow_whatever_another_course_has_left(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    code = "from utils.quiet import keras; print(keras.backend.backend())"
    done = run(code, KERAS_HOME=str(tmp_path), KERAS_BACKEND="torch")
    assert done.stdout == "tensorflow\n", done.stderr


def test_keras_that_already_runs_on_another_backend_is_said(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.delitem(sys.modules, "utils.quiet")
    with pytest.raises(ImportError, match=r"Keras runs on jax here.*: restart Python"):
        import utils.quiet  # noqa: F401


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_is_told_and_does_not_wait_for_ever():
    image = np.zeros((60, 60, 3), np.uint8)
    predict.predict_skin_cancer(image)
    process = os.fork()
    if process == 0:
        signal.alarm(20)
        said = 1
        for ask in (predict.predict_skin_cancer, predict.melanoma_probability):
            try:
                ask(image)
            except RuntimeError as error:
                said += "use multiprocessing.get_context" in str(error)
        os._exit(said)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 3
    assert predict.predict_skin_cancer(image)  # here it goes on


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_a_process_forked_before_anything_was_asked_answers():
    done = run(
        "import multiprocessing, numpy as np\n"
        "from utils import predict\n"
        "with multiprocessing.get_context('fork').Pool(1) as pool:\n"
        "    found = pool.map_async(predict.predict_skin_cancer, [np.zeros((60, 60, 3), int)])\n"
        "    print(len(found.get(60)))"
    )
    assert done.stdout == "1\n", done.stderr
