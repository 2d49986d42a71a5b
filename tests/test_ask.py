"""The shipped model's answers in the terminal."""

import io
import json

import pytest
from PIL import Image

from course import cli
from utils import lite, serve


@pytest.fixture
def files(tmp_path):
    lesion, plain, broken = (tmp_path / name for name in ("mole.png", "red.png", "broken.jpg"))
    lesion.write_bytes(serve.sample_png(3))
    Image.new("RGB", (90, 90), "red").save(plain)
    Image.open(io.BytesIO(serve.sample_png(3))).convert("RGB").save(broken)
    broken.write_bytes(broken.read_bytes()[:900])
    return str(lesion), str(plain), str(broken)


@pytest.fixture(scope="module")
def expected():
    """What the service answers about the lesion."""
    return serve.answer(serve.sample_png(3))


def test_a_table_for_people(files, capsys, expected):
    assert cli.main(["predict", *files[:2]]) == 0
    out, err = capsys.readouterr()
    assert f"{expected.decision:8}  {expected.probability:.3f}" in out
    assert "refused   -" in out and err == ""
    assert "Not a medical device" in out and "not harmless" in out


def test_what_cannot_be_read_is_said_and_the_others_are_answered(files, tmp_path, capsys, expected):
    missing = str(tmp_path / "no.jpg")
    assert cli.main(["predict", missing, files[0], files[2]]) == 1
    out, err = capsys.readouterr()
    assert f"{expected.probability:.3f}" in out
    assert f"There is no image file {missing}" in err and "broken or truncated" in err


def test_json_for_programs(files, capsys, expected):
    assert cli.main(["predict", "--json", files[0], files[1], files[2]]) == 1
    found = json.loads(capsys.readouterr().out)
    first, second, third = found["answers"]
    assert first["decision"] == expected.decision
    assert first["probability"] == pytest.approx(expected.probability, abs=1e-3)
    assert second == {**second, "decision": "refused", "probability": None}
    assert third["error"].endswith("get a new copy of it.")
    assert "Not a medical device" in found["note"]


def test_a_missing_file_of_the_model_is_said_in_one_sentence(files, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lite.Shipped.__init__, "__defaults__", (tmp_path / "m.keras",))
    for words in (["predict", files[0]], ["serve", "--port", "0"]):
        assert cli.main(words) == 1
        (said,) = capsys.readouterr().err.splitlines()
        assert said.endswith(
            "m.tflite: run `python -m experiments shipped.export`, which makes it."
        )
