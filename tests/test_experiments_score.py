"""The scoring command as a user meets it: JSON on stdout, exit codes, no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf
from PIL import Image

from experiments import score
from landmarks_tf.export.kaggle import zip_saved_model

ROOT = Path(__file__).resolve().parent.parent
Q = [f"{number:016x}" for number in range(5)]
X = [f"{number:016x}" for number in range(0xA0, 0xA6)]


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run(capsys, *arguments):
    """(exit code, what was printed as JSON or None, standard error)."""
    code = score.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else None, err


@pytest.fixture
def retrieval(tmp_path):
    return write(
        tmp_path / "retrieval.csv",
        "id,images,Usage",
        f"{Q[0]},{X[0]} {X[1]},Public",
        f"{Q[1]},{X[2]},Private",
        f"{Q[2]},{X[3]},Private",
        f"{Q[3]},None,Ignored",
    )


def test_retrieval_by_hand(tmp_path, capsys, retrieval):
    predictions = write(
        tmp_path / "p.csv", "id,images", f"{Q[0]},{X[0]} {X[5]} {X[1]}", f"{Q[1]},{X[5]} {X[2]}"
    )
    code, scores, err = run(
        capsys, "retrieval", "--predictions", predictions, "--solution", retrieval
    )
    assert (code, err) == (0, "")
    # Public: (1/1 + 2/3) / 2. Private: 1/2 for the one, nothing for the other.
    assert scores["public"] == pytest.approx(
        {
            "map@100": 5 / 6,
            "p@1": 1,
            "p@5": 2 / 5,
            "p@10": 2 / 10,
            "p@50": 2 / 50,
            "p@100": 2 / 100,
            "mean_position": 1,
            "median_position": 1,
            "queries": 1,
        }
    )
    assert scores["private"] == pytest.approx(
        {
            "map@100": 1 / 4,
            "p@1": 0,
            "p@5": 1 / 10,
            "p@10": 1 / 20,
            "p@50": 1 / 100,
            "p@100": 1 / 200,
            "mean_position": 51.5,
            "median_position": 51.5,
            "queries": 2,
        }
    )
    assert set(scores) == {"public", "private"}


def test_recognition_by_hand(tmp_path, capsys):
    solution = write(
        tmp_path / "s.csv",
        *("id,landmarks,Usage", "a,5,Public", "b,,Public", "c,6 7,Public", "d,,Private"),
    )
    predictions = write(tmp_path / "p.csv", "id,landmarks", "a,5 0.9", "b,5 0.8", "c,7 0.7 ", "d,")
    code, scores, _ = run(
        capsys, "recognition", "--predictions", predictions, "--solution", solution
    )
    assert code == 0
    assert scores["public"] == pytest.approx(
        {
            "gap": (1 + 2 / 3) / 2,
            "gap_ignoring_non_landmarks": 1,
            "top1": 1,
            "queries": 3,
            "queries_with_landmark": 2,
        }
    )
    # Nothing to divide by: null, not zero.
    assert scores["private"]["gap"] is scores["private"]["top1"] is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{Q[0]},{X[0]}\n", "has no header: its first line is already the query"),
        ("id,landmarks\n", "expected the columns id,images, received 'id,landmarks'"),
        (f"id,images\n{Q[4]},{X[0]}\n", "is unknown"),
        (None, "p.csv: No such file or directory"),
    ],
)
def test_mistakes_are_messages(tmp_path, capsys, retrieval, text, message):
    if text:
        (tmp_path / "p.csv").write_text(text)
    code, scores, err = run(
        capsys, "retrieval", "--predictions", tmp_path / "p.csv", "--solution", retrieval
    )
    assert (code, scores) == (1, None)
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["retrieval"],
        ["triage", "--solution", "x"],
        ["kaggle-2020", "--model", "m", "--images", "i", "--solution", "s", "--k", "0"],
        ["kaggle-2020", "--model", "m", "--images", "i", "--solution", "s", "--k", "many"],
    ],
)
def test_usage_errors_exit_with_two(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        score.main(arguments)
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert "usage: python -m experiments.score" in err
    if "--k" in arguments:
        assert "expected a whole number from 1 up" in err


def test_ctrl_c_exits_with_130(capsys, monkeypatch, retrieval):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(score.metrics, "read_retrieval_solution", interrupted)
    code, scores, err = run(capsys, "retrieval", "--predictions", "p", "--solution", retrieval)
    assert (code, scores, err) == (130, None, "\ninterrupted; nothing was scored\n")


@pytest.fixture
def model(tmp_path):
    """A SavedModel that describes a picture by its mean colour."""
    module = tf.Module()
    module.describe = tf.function(
        lambda image: {"global_descriptor": tf.reduce_mean(tf.cast(image, tf.float32), (0, 1))},
        input_signature=[tf.TensorSpec((None, None, 3), tf.uint8, name="input_image")],
    )
    path = tmp_path / "model"
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.describe})
    return path


@pytest.fixture
def patches(tmp_path):
    """Grey patches; the nearest in brightness is nearest to the model."""
    for split, ids, levels in (
        ("test", Q, [100, 200, 30, 0, 0]),
        ("index", X, [95, 120, 205, 60, 180, 250]),
    ):
        for name, level in zip(ids, levels, strict=True):
            path = tmp_path / "images" / split / name[0] / name[1] / name[2] / f"{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (5 + level % 4, 6), (level,) * 3).save(path)
    return tmp_path / "images"


def test_kaggle_2020_in_a_process_of_its_own(retrieval, model, patches):
    arguments = ["--model", model, "--images", patches, "--solution", retrieval, "--k", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "experiments.score", "kaggle-2020", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)
    # Q0 (100): 95, 120 -> X0, X1, both right. Q1 (200): 205 -> X2, right. Q2 (30): 60 -> X3, right.
    assert scores.pop("public") == pytest.approx(
        {"map@2": 1, "p@1": 1, "mean_position": 1, "median_position": 1, "queries": 1}
    )
    assert scores.pop("private")["map@2"] == pytest.approx(1)
    assert scores == {
        "test_images": 5,
        "index_images": 6,
        "descriptor_size": 3,
        "unreadable": [],
    }
    assert "index: 100%" in done.stderr
    assert "Traceback" not in done.stderr


def test_kaggle_2020_counts_misses(tmp_path, capsys, model, patches):
    # Q0 (100) ranks 95, 120, 60, ...: its ground truth 120 and 60 stand at ranks 2 and 3.
    solution = write(
        tmp_path / "s.csv",
        "id,images,Usage",
        f"{Q[0]},{X[1]} {X[3]},Public",
        f"{Q[3]},None,Ignored",
    )
    submission = tmp_path / "submission.zip"
    zip_saved_model(model, submission)
    code, scores, _ = run(
        capsys, "kaggle-2020", "--model", submission, "--images", patches, "--solution", solution
    )
    assert code == 0
    assert scores["public"]["map@100"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert scores["public"]["mean_position"] == 2
    assert scores["private"]["map@100"] is None


def test_kaggle_2020_says_what_could_not_be_read(capsys, retrieval, model, patches):
    for path in (patches / "index").rglob(f"{X[2]}.jpg"):
        path.write_bytes(b"no picture")
    arguments = ["--model", model, "--images", patches, "--solution", retrieval]
    code, scores, err = run(capsys, "kaggle-2020", *arguments)
    assert code == 0
    assert [Path(name).stem for name in scores["unreadable"]] == [X[2]]
    assert scores["private"]["map@100"] == pytest.approx(1 / 2)
    assert "warning: 1 files could not be read" in err


def test_kaggle_2020_rejects_what_the_competition_would(tmp_path, capsys, retrieval, patches):
    arguments = ["--model", tmp_path / "absent", "--images", patches, "--solution", retrieval]
    code, scores, err = run(capsys, "kaggle-2020", *arguments)
    assert (code, scores) == (1, None)
    assert err.startswith("error: rejected: expected one saved_model.pb in ")
    module = tf.Module()
    path = tmp_path / "bare"
    tf.saved_model.save(module, str(path))
    arguments[1] = path
    code, scores, err = run(capsys, "kaggle-2020", *arguments)
    assert (code, scores) == (1, None)
    assert "error: rejected: expected the signature 'serving_default', the model has none." in err


def test_revisited_crops_the_queries_itself(tmp_path, capsys, model):
    """A grey query inside of a white picture: only its box is as grey as the right pictures."""
    for name, level in (("near", 100), ("far", 240), ("junk", 91)):
        Image.new("RGB", (8, 8), (level,) * 3).save(tmp_path / f"{name}.jpg", quality=95)
    query = Image.new("RGB", (64, 64), (255,) * 3)
    query.paste((90, 90, 90), (16, 16, 32, 48))
    query.save(tmp_path / "query.jpg", quality=95)
    row = {"bbx": [16, 16, 32, 48], "easy": [0], "hard": [], "junk": [2]}
    truth = {"imlist": ["near", "far", "junk"], "qimlist": ["query"], "gnd": [row]}
    (tmp_path / "gnd.json").write_text(json.dumps(truth))
    arguments = ["revisited", "--truth", tmp_path / "gnd.json", "--model", model, "--images"]
    code, scores, err = run(
        capsys, *arguments, tmp_path, "--metrics-txt", tmp_path / "out" / "metrics.txt"
    )
    assert code == 0, err
    assert scores["medium"]["map"] == scores["medium"]["mp@1"] == 1
    assert scores["hard"]["map"] is None
    text = (tmp_path / "out" / "metrics.txt").read_text()
    assert text.startswith("easy\n  mAP=100.0\n  mP@k[ 1  5 10] [100. 100. 100.]\n")
    # The same box on a copy of half the size would be another part of it.
    query.resize((24, 24)).save(tmp_path / "query.jpg")
    code, _, err = run(capsys, *arguments, tmp_path)
    assert code == 1
    assert "error: query query: the box" in err
    (tmp_path / "near.jpg").write_bytes(b"no picture")
    query.save(tmp_path / "query.jpg")
    code, _, err = run(capsys, *arguments, tmp_path)
    assert code == 1
    assert "near.jpg cannot be read as a picture" in err
    (tmp_path / "near.jpg").unlink()
    code, _, err = run(capsys, *arguments, tmp_path)
    assert code == 1
    assert "1 pictures of the ground truth are not under" in err
    assert "near.jpg; the ranking must hold the whole index" in err
