"""The real images in the repository: which they are, what their files hold, how they are chosen."""

import subprocess

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from course.build import samples
from utils import data, images, settings


def table(name):
    return pd.read_csv(settings.SAMPLES[name] / f"{name}.csv")


def test_these_images_are_tracked_and_no_others():
    asked = ["git", "ls-files", "data"]
    done = subprocess.run(asked, cwd=settings.ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("This is no clone.")
    expected = {"data/README.md", "data/samples/README.md"}
    for name, place in settings.SAMPLES.items():
        names = [f"{name}.csv", *(f"{image_id}.jpg" for image_id in table(name)["image_id"])]
        expected |= {(place / file).relative_to(settings.ROOT).as_posix() for file in names}
    assert set(done.stdout.split()) == expected and len(expected) == 2 + 2 + 60 + 300


@pytest.mark.parametrize("name", samples.SETS)
def test_an_image_has_its_size_and_carries_nothing_but_pixels(name):
    size, melanomas, others = samples.SETS[name]
    known = table(name)
    assert known["label"].value_counts().to_dict() == {"melanoma": melanomas, "other": others}
    assert (known["licence"] == "CC0 1.0").all() and known["image_id"].str.match("ISIC_").all()
    for image_id in known["image_id"]:
        path = settings.SAMPLES[name] / f"{image_id}.jpg"
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (size, size))
            assert {key for key in image.info if not key.startswith("jfif")} == set()
            assert [marker for marker, _ in image.applist] == ["APP0"]  # 20 bytes of JFIF
        assert path.read_bytes()[:6] == b"\xff\xd8\xff\xe0\x00\x10"  # too short for a thumbnail


def test_the_two_sets_share_no_image():
    shown, more = data.load_set("samples", 128), data.load_set("elsewhere", 128)
    assert not set(shown.table["image_id"]) & set(more.table["image_id"])
    pixels = [one.tobytes() for one in (*shown.images, *more.images)]
    assert len(set(pixels)) == len(pixels) == 360
    assert (shown.melanoma.sum(), more.melanoma.sum()) == (24, 60)
    assert (shown.source, shown.data_set, shown.drawn) == ("repository", "samples", False)
    assert shown.take([1, 0]).data_set == "samples"
    with pytest.raises(ValueError, match="128x128 pixels, too few for 129x129"):
        data.load_set("elsewhere", 129)


def test_the_choice_is_the_same_again_and_takes_one_of_each_content(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "SETS", {"samples": (32, 1, 1), "elsewhere": (16, 0, 3)})
    monkeypatch.setattr(
        settings, "SAMPLES", {"samples": tmp_path / "s", "elsewhere": tmp_path / "s" / "e"}
    )
    folder = tmp_path / "isic"
    (folder / "images").mkdir(parents=True)
    ids = [f"ISIC_{i:07d}" for i in range(7)]
    for i, image_id in enumerate(ids):
        grey = np.full((64, 64, 3), 10 * min(i, 5), np.uint8)  # the last two are the same
        Image.fromarray(grey).save(folder / "images" / f"{image_id}.jpg")
    known = pd.DataFrame({"image_id": ids, "melanoma": [1, 1, 0, 0, 0, 0, 0]})
    known.to_csv(folder / "metadata.csv", index=False)
    (folder / "isic2016_training_ids.txt").write_text("\n".join(ids[1:]))
    monkeypatch.setenv("ISIC2017_DIR", str(folder))
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "of_an_older_choice.jpg").touch()
    written = []
    for _ in range(2):
        samples.write()
        written.append({p: p.read_bytes() for p in (tmp_path / "s").rglob("*.*")})
    assert written[0] == written[1]
    chosen = [path.stem for path in written[0] if path.suffix == ".jpg"]
    assert len(chosen) == len(set(chosen)) == 5  # of seven: one not listed, one a copy
    assert ids[0] not in chosen and not {ids[5], ids[6]} <= set(chosen)
    monkeypatch.delenv("ISIC2017_DIR")
    with pytest.raises(SystemExit, match="set ISIC2017_DIR"):
        samples.write()


@pytest.mark.slow
@pytest.mark.skipif(settings.folder("ISIC2017_DIR") is None, reason="needs ISIC 2017")
def test_the_committed_images_are_those_of_the_script(tmp_path, monkeypatch):
    places = {"samples": tmp_path / "s", "elsewhere": tmp_path / "s" / "elsewhere"}
    own = dict(settings.SAMPLES)
    monkeypatch.setattr(settings, "SAMPLES", places)
    samples.write()
    for name, place in places.items():
        for path in sorted(place.glob("*.*")):
            committed = own[name] / path.name
            if path.suffix == ".csv":
                assert path.read_bytes() == committed.read_bytes()
            else:  # another Pillow may write other bytes
                a, b = (np.asarray(images.read(p), int) for p in (path, committed))
                assert abs(a - b).mean() < 1
