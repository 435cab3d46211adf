"""`score --data` and models in archives."""

from __future__ import annotations

import json
import zipfile

import pytest

from experiments import score
from experiments.score_inputs import model_folder


def write(path, *lines):
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.fixture
def files(tmp_path):
    data = tmp_path / "data"
    write(data / "test.csv", "id", "a", "b")
    write(data / "index.csv", "id", "x", "y")
    write(data / "train.csv", "id,url,landmark_id", "t,,5", "u,,6")
    predictions = write(tmp_path / "p.csv", "id,images", "a,x")
    return ["retrieval", "--predictions", predictions, "--data", str(data), "--solution"]


def test_a_solution_that_fits_is_scored_without_a_word(files, tmp_path, capsys):
    solution = write(tmp_path / "s.csv", "id,images,Usage", "a,x,Public", "b,y,Private")
    assert score.main([*files, solution]) == 0
    out, err = capsys.readouterr()
    assert (json.loads(out)["public"]["map@100"], err) == (1, "")


def test_what_is_missing_is_told_and_another_version_refused(files, tmp_path, capsys):
    solution = write(tmp_path / "s.csv", "id,images,Usage", "a,x gone,Public", "b,y,Private")
    assert score.main([*files, solution]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["public"]["map@100"] == 1 / 2
    assert err.startswith("warning: 1 of the 3 index images of the solution are not in the data")
    solution = write(tmp_path / "s.csv", "id,images,Usage", "a,v w,Public")
    assert score.main([*files, solution]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: none of the 2 index images of the solution is among the 2")


def test_recognition_looks_for_its_landmarks(files, tmp_path, capsys):
    predictions = write(tmp_path / "p.csv", "id,landmarks", "a,5 0.5")
    arguments = ["recognition", "--predictions", predictions, *files[3:]]
    solution = write(tmp_path / "s.csv", "id,landmarks,Usage", "a,5,Public", "b,,Public")
    assert score.main([*arguments, solution]) == 0
    assert capsys.readouterr().err == ""
    solution = write(tmp_path / "s.csv", "id,landmarks,Usage", "a,77,Public")
    assert score.main([*arguments, solution]) == 1
    assert "none of the 1 landmarks of the solution" in capsys.readouterr().err
    # Kaggle's editions list their test pictures in the sample alone.
    (tmp_path / "data" / "test.csv").rename(tmp_path / "data" / "sample_submission.csv")
    solution = write(tmp_path / "s.csv", "id,landmarks,Usage", "a,5,Public", "z,,Public")
    assert score.main([*arguments, solution]) == 0
    assert "1 of the 2 queries of the solution are not in the data" in capsys.readouterr().err
    write(tmp_path / "data" / "train.csv", "id,label", "t,5")
    assert score.main([*arguments, solution]) == 1
    assert (
        "train.csv: expected a column landmark_id, received 'id,label'" in capsys.readouterr().err
    )


def test_an_archive_is_unpacked_for_as_long_as_it_is_needed(tmp_path):
    with zipfile.ZipFile(tmp_path / "submission.zip", "w") as archive:
        archive.writestr("saved_model.pb", b"graph")
        archive.writestr("variables/variables.index", b"i")
    with model_folder(tmp_path / "submission.zip") as folder:
        assert (folder / "saved_model.pb").read_bytes() == b"graph"
    assert not folder.exists()
    with model_folder(tmp_path) as folder:
        assert folder == tmp_path
    with pytest.raises(FileNotFoundError), model_folder(tmp_path / "absent.zip"):
        pass
