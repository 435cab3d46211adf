"""A data set without an index, from its trained network to submission.csv, and its opposite."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from experiments import run
from experiments.data_source import find_data
from experiments.registry import get_experiment
from experiments.settings import at_demo_size
from experiments.stages import deliver, report_gallery
from experiments.stages.context import Context
from landmarks_tf.data.pictures import read_pictures
from landmarks_tf.records import RecordIndex
from landmarks_tf.serving.finder import Finder
from landmarks_tf.serving.labels import read_labels
from tests import kaggle_edition
from tests.contracts import IGNORE_ARRAY_COPY
from tests.kaggle_edition import ABSENT, BROKEN, COPIES, SAMPLED, STRANGERS, command

pytestmark = IGNORE_ARRAY_COPY  # networks are saved


@pytest.fixture(scope="module")
def edition(tmp_path_factory):
    """(folder of records, workdir of the whole run, what it printed)."""
    folder = tmp_path_factory.mktemp("edition")
    raw = kaggle_edition.write_edition(folder / "raw")
    records = kaggle_edition.write_records(raw, folder / "records")
    workdir = kaggle_edition.trained(records, folder / "run")
    done = subprocess.run(
        [sys.executable, "-m", "experiments.run", *command(records, workdir.root)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return records, workdir, done


@pytest.fixture
def again(edition, tmp_path):
    """The same, to be changed."""
    records, workdir, _ = edition
    shutil.copytree(records, tmp_path / "records")
    shutil.copytree(workdir.root, tmp_path / "run")
    note = json.loads((tmp_path / "run/run.json").read_text())
    for key in ("data", "training_pictures"):
        note[key] = note[key].replace(str(records), str(tmp_path / "records"))
    (tmp_path / "run/run.json").write_text(json.dumps(note))
    return tmp_path / "records", type(workdir)(tmp_path / "run")


def context_of(records, workdir) -> Context:
    recipe = at_demo_size(get_experiment("mobilenet_v2_arcface"))
    return Context(recipe, "demo", find_data(records), workdir)


def read(path) -> list[list[str]]:
    with path.open(newline="") as stream:
        return list(csv.reader(stream))


def test_submission_has_a_row_for_each_picture_that_the_sample_lists(edition):
    """As the competition reads it: `id,landmarks`, one landmark with a confidence, or nothing."""
    header, *rows = read(edition[1].root / "submission.csv")
    assert header == ["id", "landmarks"]
    assert [row[0] for row in rows] == SAMPLED
    answers = dict(rows)
    assert answers[BROKEN] == answers[ABSENT] == ""
    for query in (*COPIES, *STRANGERS):
        landmark, confidence = answers[query].split(" ")
        assert int(landmark) in kaggle_edition.CLASSES
        assert np.isfinite(float(confidence))
    assert "warning" not in edition[2].stderr
    assert "submission.csv: 8 test pictures, 6 of them with an answer." in edition[2].stdout


def test_answers_are_the_votes_of_the_nearest_training_pictures(edition):
    """Two neighbours, each weighing its cosine: counted here in float64."""
    records, workdir, _ = edition
    train = RecordIndex.open(records, "train")
    with (records / "relabeling.csv").open(newline="") as stream:
        landmark = {int(r["new_label"]): int(r["old_label"]) for r in csv.DictReader(stream)}
    vectors = np.load(workdir.embeddings / "train.npy").astype(np.float64)
    queries = np.load(workdir.embeddings / "test.npy").astype(np.float64)
    given = dict(read(workdir.root / "submission.csv")[1:])
    for image_id, row in zip(RecordIndex.open(records, "test").id, queries, strict=True):
        cosines = vectors @ row
        votes: dict[int, float] = {}
        for place in np.argsort(-cosines, kind="stable")[:2]:
            label = landmark[int(train.label[place])]
            votes[label] = votes.get(label, 0.0) + cosines[place]
        best = max(votes, key=votes.__getitem__)
        found, confidence = given[image_id.decode()].split()
        assert int(found) == best
        assert float(confidence) == pytest.approx(votes[best], abs=1e-5)
    # The nearest picture outvotes the next, however alike a random network finds them.
    assert {query: int(given[query].split()[0]) for query in COPIES} == COPIES


def test_numbers_that_nobody_measured_are_absent(edition):
    _, workdir, done = edition
    measured = json.loads(workdir.metrics.read_text())
    assert set(measured["trained"]) == {"held_out", "held_out_recognition"}
    assert measured["trained"]["held_out_recognition"]["queries"] == 3
    assert "index_size" not in measured
    assert measured["images"] == {"train": 12, "test": 6, "validation": 3}
    assert not (workdir.predictions / "retrieval.csv").exists()
    for text in (done.stdout, workdir.report.read_text()):
        assert "mAP" not in text
        assert "etrieval is left out, as the data has no index" in text
        assert "no recognition_solution_v2.1.csv" in text
        assert "no index" in text


def test_report_shows_answers_that_nobody_can_judge(edition):
    """From the surest to the least sure; neither right nor wrong."""
    rows = report_gallery.gallery(context_of(*edition[:2]))
    answers = dict(read(edition[1].submission_csv)[1:])
    sure = [float(answers[row.query_id].split()[1]) for row in rows]
    assert len(rows) == 6
    assert sure == sorted(sure, reverse=True)
    for row in rows:
        assert row.note.startswith(f"answer: landmark {answers[row.query_id].split()[0]}, conf")
        assert {match.right for match in row.matches} == {None}


def test_what_needs_an_index_is_left_out_or_has_the_training_pictures(edition):
    records, workdir, done = edition
    assert not workdir.submission.exists()
    assert "no submission.zip" in done.stderr
    parity = json.loads((workdir.root / "parity.json").read_text())
    assert parity["parity"]["images"] == 6
    assert parity["parity"]["max_abs"] <= parity["tolerance"]
    labels = read_labels(workdir.train_landmarks)
    finder = Finder.open(workdir.saved_model, workdir.index, labels)
    train = RecordIndex.open(records, "train")
    assert sorted(labels) == sorted(one.decode() for one in train.id)
    for row, picture in enumerate(read_pictures(train, range(4))):
        best = finder.find(picture, 1).matches[0]
        assert best.image_id == train.id[row].decode()
        assert best.score == pytest.approx(1, abs=1e-3)
        assert finder.recognize(picture)[0] in map(str, kaggle_edition.CLASSES)


def test_ground_truth_that_comes_later_is_scored(again, capsys):
    """GAP and top-1 by hand, from the rows of the submission."""
    records, workdir = again
    truth = {query: str(landmark) for query, landmark in COPIES.items()}
    wrong, *_ = COPIES  # so that not every sure answer is a right one
    truth[wrong] = "31"
    truth[STRANGERS[0]] = "555"  # a landmark that the train set lacks, as in the private re-run
    truth |= dict.fromkeys(STRANGERS[1:], "")
    kaggle_edition.write_solution(records / "metadata", truth)
    assert run.main(command(records, workdir.root, "--stage", "evaluate")) == 0
    told = capsys.readouterr().err
    assert "evaluated anew, for since then these changed: recognition_solution_v2.1.csv." in told
    assert "1 of the 3 landmarks of the solution are not in the data, such as 555" in told
    measured = json.loads(workdir.metrics.read_text())
    assert "retrieval" not in measured["trained"]
    assert list(measured["not_scored"]) == ["retrieval"]
    rows = dict(read(workdir.predictions / "recognition.csv")[1:])
    for part, queries in (("public", list(truth)[::2]), ("private", list(truth)[1::2])):
        ranking = sorted(queries, key=lambda q: (-float(rows[q].split()[1]), q))
        hits = total = 0
        for rank, query in enumerate(ranking, start=1):
            if rows[query].split()[0] in truth[query].split():
                hits += 1
                total += hits / rank
        assert hits == 1
        shown = [query for query in queries if truth[query]]
        found = measured["trained"]["recognition"][part]
        assert found["gap"] == pytest.approx(total / len(shown))
        assert found["top1"] == pytest.approx(hits / len(shown))
    assert not workdir.is_done("export")
    shown = {row.query_id: row for row in report_gallery.gallery(context_of(records, workdir))}
    assert set(shown) == set(truth)
    for query, row in shown.items():
        right = [match.right for match in row.matches]
        is_right = rows[query].split()[0] in truth[query].split()
        assert row.note.endswith(", right" if is_right else ", wrong")
        assert row.landmark == (f"landmark {truth[query]}" if truth[query] else "")
        if query in COPIES:
            assert right[0] == (query != wrong)
            assert row.matches[0].score == pytest.approx(1, abs=1e-3)
        else:
            assert not any(right)


def test_other_test_pictures_are_never_given_the_old_answers(again, capsys):
    records, workdir = again
    for path in records.glob("test*"):
        path.unlink()
    raw = records.parent / "raw"
    kaggle_edition.write_edition(raw)
    for name in STRANGERS:
        kaggle_edition.gldv2.image_path(raw, "test", name).unlink()
    (raw / "sample_submission.csv").write_text(
        "id,landmarks\n" + "".join(f"{name},\n" for name in COPIES)
    )
    (records / "metadata" / "sample_submission.csv").unlink()
    kaggle_edition.convert(
        raw, records, kaggle_edition.ConvertOptions("test", shards=1),
        workers=1, progress=False, say=len,
    )  # fmt: skip
    assert run.main(command(records, workdir.root, "--stage", "export")) == 0
    assert "evaluated anew, for since then these changed: test." in capsys.readouterr().err
    assert [row[0] for row in read(workdir.submission_csv)[1:]] == list(COPIES)


def test_other_training_pictures_are_another_run(again, capsys):
    records, workdir = again
    for path in (*records.glob("train*"), *records.glob("validation*")):
        path.unlink()
    kaggle_edition.gldv2.write_folder(records.parent / "raw", kaggle_edition.CLASSES | {900: 8})
    kaggle_edition.write_records(records.parent / "raw", records)
    assert run.main(command(records, workdir.root)) == 1
    told = capsys.readouterr().err
    assert "another recipe or other data" in told
    assert "(12 pictures, index " in told
    assert "(13 pictures, index " in told


def test_a_stage_that_was_stopped_is_made_again(again, capsys, monkeypatch):
    records, workdir = again
    workdir.unmark("export")
    workdir.submission_csv.unlink()

    def stopped(context):
        raise KeyboardInterrupt

    monkeypatch.setattr(deliver, "write_submission", stopped)
    assert run.main(command(records, workdir.root, "--stage", "export")) == 130
    assert not workdir.submission_csv.exists()
    monkeypatch.undo()
    assert run.main(command(records, workdir.root, "--stage", "export")) == 0
    assert "[index] done before" in capsys.readouterr().err
    assert len(read(workdir.submission_csv)) == 9


def test_a_sample_of_other_pictures_is_refused(again, capsys):
    records, workdir = again
    (records / "metadata/sample_submission.csv").write_text("id,landmarks\n" + f"{ABSENT},\n")
    workdir.unmark("export")
    assert run.main(command(records, workdir.root, "--stage", "export")) == 1
    told = capsys.readouterr().err
    assert "lists 1 pictures, but not 7 of the 8 test pictures" in told
    assert "Traceback" not in told


def test_pictures_that_only_the_sample_knows_have_an_empty_row(again, capsys):
    records, workdir = again
    with (records / "metadata/sample_submission.csv").open("a") as stream:
        stream.write(f"{'e' * 16},\n")
    workdir.unmark("export")
    assert run.main(command(records, workdir.root, "--stage", "export")) == 0
    assert "1 of the 9 pictures of sample_submission.csv are not" in capsys.readouterr().err
    assert read(workdir.submission_csv)[-1] == ["e" * 16, ""]


@pytest.mark.parametrize("split", ["test", "index"])
def test_splits_that_are_not_whole_are_refused_at_once(edition, tmp_path, capsys, split):
    """No test pictures at all, and an index whose conversion was stopped."""
    for path in edition[0].iterdir():
        if not path.name.startswith(split):
            (tmp_path / path.name).symlink_to(path)
    if split == "index":
        (tmp_path / "index-00000-of-00002").touch()
    assert run.main(command(tmp_path, tmp_path / "run")) == 1
    told = capsys.readouterr().err
    assert f"without a complete {split} split" in told
    assert "give --stage train" in told
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--stage", "visuals"], "--stage visuals is a study of scored retrieval, and --data"),
        (["--stage", "open_set"], "has no recognition_solution_v2.1.csv"),
        (["--set", "evaluation.reference_penalty=0.5"], "Set both to 0"),
    ],
)
def test_what_the_data_cannot_answer_is_refused_before_the_training(
    edition, tmp_path, capsys, more, message
):
    assert run.main(command(edition[0], tmp_path / "run", *more)) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_retrieval_edition_without_ground_truth(tmp_path, capsys):
    """Both tasks are answered, neither is scored; the sample asks for retrieval."""
    raw = kaggle_edition.write_edition(tmp_path / "raw", task="retrieval")
    records = kaggle_edition.write_records(raw, tmp_path / "records")
    workdir = kaggle_edition.trained(records, tmp_path / "run")
    assert run.main(command(records, workdir.root)) == 0
    told = capsys.readouterr()
    assert "predictions/retrieval.csv is written but not scored" in told.out
    assert "predictions/recognition.csv is written but not scored" in told.out
    measured = json.loads(workdir.metrics.read_text())
    assert measured["index_size"] == 4
    assert set(measured["trained"]) == {"held_out", "held_out_recognition"}
    header, *rows = read(workdir.submission_csv)
    assert header == ["id", "images"]
    assert [row[0] for row in rows] == SAMPLED
    index = {one.decode() for one in RecordIndex.open(records, "index").id}
    for query, images in rows:
        assert set(images.split()) == (set() if query in (BROKEN, ABSENT) else index)
    assert workdir.submission.is_file()
    assert not workdir.train_landmarks.exists()
