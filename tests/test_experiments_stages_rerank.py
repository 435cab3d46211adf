"""The study of a run with records: what it writes, what it keeps, and how it goes on."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("cv2")

from experiments import reranking_study
from experiments.data_source import DataSource
from experiments.registry import get_experiment
from experiments.stages import local_features, rerank
from experiments.stages.context import Context
from experiments.workdir import Workdir
from landmarks_tf.records import RecordIndex
from landmarks_tf.retrieval.embed import embed_dataset
from landmarks_tf.retrieval.reranking import describe

METHODS = {
    "average query expansion": ("aqe:n=1", "aqe:n=3"),
    "class-aware": ("class_aware:k=1",),
    "geometric verification": ("geometric:top=1:least=8",),
}


@pytest.fixture(scope="module")
def context(demo_records, tmp_path_factory):
    """A run as evaluation leaves it, with embeddings drawn about a centre for each landmark."""
    experiment = get_experiment("inception_v200")
    evaluation = replace(experiment.evaluation, untrained_baseline=True)
    workdir = Workdir(tmp_path_factory.mktemp("run"))
    workdir.embedder.parent.mkdir(parents=True)
    workdir.embedder.write_bytes(b"stands for a network")
    context = Context(
        replace(experiment, evaluation=evaluation),
        "demo",
        DataSource("records", demo_records, 100),
        workdir,
    )
    for trained, noise in ((True, 0.7), (False, 1.5)):
        for split in ("test", "index", "train"):
            write_embeddings(context, split, noise, trained=trained)
    return context


def write_embeddings(context, split, noise, *, trained):
    index = context.index_of(split)
    labels = landmarks(context, split)
    centres = np.random.default_rng(1).normal(size=(200, 16))
    rows = centres[labels] + noise * np.random.default_rng(2).normal(size=(len(labels), 16))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    embed_dataset(
        lambda batch: batch,
        lambda row: [rows[row:]],
        ids=[image_id.decode() for image_id in index.id],
        dim=16,
        path=context.embeddings_path(split, trained=trained),
        fingerprint=context.fingerprint_of(split, trained=trained),
        progress=False,
    )


def landmarks(context, split):
    """A number for the landmark of each picture, the same in all splits."""
    names = {}
    with (context.records / "relabeling.csv").open(newline="") as stream:
        names = {row["new_label"]: row["old_label"] for row in csv.DictReader(stream)}
    index = context.index_of(split)
    if split == "train":
        known = [int(names[str(label)]) for label in index.label]
    else:
        solution = context.metadata / "recognition_solution_v2.1.csv"
        with solution.open(newline="") as stream:
            known = {row["id"]: row["landmarks"] for row in csv.DictReader(stream)}
        with (context.metadata / "index_image_to_landmark.csv").open(newline="") as stream:
            known |= {row["id"]: row["landmark_id"] for row in csv.DictReader(stream)}
        known = [int((known[i.decode()].split() or ["0"])[0]) for i in index.id]
    return np.asarray(known) % 200


@pytest.fixture(scope="module")
def studied(context):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reranking_study, "METHODS", METHODS)
        return rerank.run(context)


def test_it_writes_tables_of_both_networks(context, studied):
    folder = context.workdir.root / "rerank"
    assert studied == [folder / f"rerank.{kind}" for kind in ("json", "csv", "md")]
    found = json.loads(studied[0].read_text())
    for state in ("trained", "untrained"):
        methods = {row["method"]: row for row in found[state]["methods"]}
        assert list(methods)[:3] == list(METHODS)
        assert methods["average query expansion"]["tried"] == 2
    assert found["trained"]["bare"]["private"] > found["untrained"]["bare"]["private"]
    with studied[1].open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["state"] for row in rows} == {"trained", "untrained"}
    assert float(rows[0]["private"]) == found["trained"]["bare"]["private"]
    assert studied[2].read_text().count("| exact search alone |") == 2


def test_features_are_those_of_the_pictures_as_they_are_in_the_records(context, studied):
    from landmarks_tf.data.pictures import read_pictures

    index = RecordIndex.open(context.records, "index")
    features = local_features.PictureFeatures(context, "index", context.workdir.root / "rerank")
    folder = context.workdir.root / "rerank" / "local_features" / "index"
    ids = [image_id.decode() for image_id in index.id]
    row = next(n for n, one in enumerate(ids) if (folder / one[:2] / f"{one}.npy").is_file())
    expected = describe(next(read_pictures(index, [row])))
    for kept, own in zip(features.of_row(row), expected, strict=True):
        np.testing.assert_array_equal(kept, own)
    assert len(expected.xy) > 10


def test_a_second_time_no_picture_is_read_and_no_pair_is_matched(context, studied, monkeypatch):
    from landmarks_tf.data import pictures
    from landmarks_tf.retrieval.reranking import inlier_counts

    def never(*_arguments, **_options):
        raise AssertionError("this was done before")

    for state in ("trained", "untrained"):  # what is kept of pictures and pairs must do
        (studied[0].parent / f"{state}.scores.jsonl").unlink()
    monkeypatch.setattr(pictures, "read_pictures", never)
    monkeypatch.setattr(inlier_counts, "count_inliers", never)
    monkeypatch.setattr(reranking_study, "METHODS", METHODS)
    before = json.loads(studied[0].read_text())
    rerank.run(context)
    after = json.loads(studied[0].read_text())
    for state in ("trained", "untrained"):
        for one, other in zip(before[state]["methods"], after[state]["methods"], strict=True):
            assert one | {"processor_seconds": 0} == other | {"processor_seconds": 0}


def test_without_opencv_it_is_left_out_with_a_line(context, studied, monkeypatch, capsys):
    import sys

    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setattr(reranking_study, "METHODS", METHODS)
    rerank.run(context)
    assert "Left out: geometric verification" in (studied[0].parent / "rerank.md").read_text()
    printed = capsys.readouterr()
    assert "pip install 'landmarks-tf[geometry]'" in printed.err
    assert "Left out: geometric verification" in printed.out


def test_a_solution_without_private_queries_is_refused(context, studied, tmp_path, monkeypatch):
    solution = (context.metadata / "retrieval_solution_v2.1.csv").read_text()
    metadata = tmp_path / "metadata"
    metadata.mkdir()
    (metadata / "retrieval_solution_v2.1.csv").write_text(solution.replace("Private", "Public"))
    monkeypatch.setattr(Context, "metadata", metadata)
    with pytest.raises(ValueError, match=r"has no private queries: settings are chosen on public"):
        rerank.run(context)
