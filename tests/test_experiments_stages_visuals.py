"""Pictures of an evaluated run: the right ones are picked, drawn, and come into the report."""

from __future__ import annotations

import csv
import dataclasses
import json

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from experiments.data_source import find_data
from experiments.registry import get_experiment
from experiments.report import Report, render
from experiments.settings import at_demo_size, with_setting
from experiments.stages import evaluate, picked, rankings, scalability, visuals
from experiments.stages.context import Context
from experiments.stages.studied import studied
from experiments.workdir import Workdir
from landmarks_tf.layers import GeMPooling2D, L2Normalization
from tests.contracts import IGNORE_ARRAY_COPY
from tests.reference.metrics import average_precision

pytestmark = IGNORE_ARRAY_COPY  # the network is saved


def tiny_embedder():
    """32 px, a map of 8x8x16 of random filters: finds a little, and wrongly enough."""
    keras.utils.set_random_seed(1)
    inputs = layers.Input((32, 32, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    for number in (8, 16):
        x = layers.Conv2D(number, 3, 2, "same", activation="relu")(x)
    x = L2Normalization(name="embedding")(GeMPooling2D(name="pool")(x))
    return keras.Model(inputs, x, name="embedder")


@pytest.fixture(scope="module")
def context(demo_records, tmp_path_factory):
    """A run that is evaluated but for its training: a real network, embeddings and rankings."""
    recipe = at_demo_size(get_experiment("mobilenet_v2_arcface"))
    for setting in ("data.image_size=32", "evaluation.untrained_baseline=false"):
        recipe = with_setting(recipe, setting)
    workdir = Workdir(tmp_path_factory.mktemp("visuals"))
    context = Context(recipe, "demo", find_data(demo_records), workdir)
    workdir.embedder.parent.mkdir()
    embedder = tiny_embedder()
    embedder.save(workdir.embedder)
    found = [evaluate.embed(context, embedder, split, trained=True) for split in ("test", "index")]
    path = workdir.predictions / "retrieval.csv"
    evaluate._write_rankings(path, *found, device="cpu")
    return context


@pytest.fixture(scope="module")
def ranked(context):
    return rankings.read_rankings(context)


def table(context, name):
    with (context.metadata / name).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_rankings_are_those_that_were_scored(context, ranked):
    truth = {row["id"]: row for row in table(context, "retrieval_solution_v2.1.csv")}
    ids = [name.decode() for name in context.index_of("index").id]
    assert {truth[q]["Usage"].lower() for q in ranked.queries} == {"public", "private"}
    for query, part, row, score in zip(
        ranked.queries, ranked.parts, ranked.found, ranked.precision, strict=True
    ):
        answers = truth[query]["images"].split()
        assert truth[query]["Usage"].lower() == part
        ranking = [ids[at] for at in row]
        assert score == pytest.approx(average_precision(ranking, answers, 100), abs=1e-12)
    landmark = {
        r["id"]: int(r["landmark_id"]) for r in table(context, "index_image_to_landmark.csv")
    }
    of_answers = [landmark[one] for one in truth[ranked.queries[0]]["images"].split()]
    assert ranked.asked[0] == max(set(of_answers), key=of_answers.count)


def test_the_first_right_match_is_found_however_deep(ranked):
    short = dataclasses.replace(ranked, found=ranked.found[:, :3])
    deep = 0
    for query in range(len(ranked.queries)):
        scores = ranked.index @ ranked.tests[ranked.query_rows[query]]
        order = np.argsort(-scores, kind="stable")
        place = int(np.flatnonzero(np.isin(order, ranked.truth[query]))[0])
        assert short.first_right(query) == (place + 1, order[place])
        deep += place >= 3
    assert deep
    lost = dataclasses.replace(short, truth=[np.zeros(0, np.int64)] * len(ranked.queries))
    assert lost.first_right(0) is None
    assert lost.asked.tolist() == [-1] * len(ranked.queries)


def test_the_hardest_queries_end_with_what_should_have_been_found(context, ranked):
    rows = picked.hardest(context, ranked, 3)
    worst = sorted(ranked.precision)[:3]
    assert [row.note.rpartition(" ")[2] for row in rows] == [f"{score:.2f}" for score in worst]
    for row in rows:
        marks = [match.right for match in row.matches]
        assert any(marks)
        ranks = [match.rank for match in row.matches]
        assert ranks[:-1] == [None] * 5
        assert ranks[-1] is None or (marks == [False] * 5 + [True] and ranks[-1] > 6)
    assert any(row.matches[-1].rank for row in rows)


def test_confused_pairs_show_the_other_landmark_where_it_was_found(context, ranked):
    confusions = visuals.counted(ranked)
    ((asked, other, _), *_) = pairs = confusions.pairs()[:2]
    rows = picked.confused(context, ranked, pairs)
    assert rows[0].landmark == ranked.name(asked)
    query = ranked.queries.index(rows[0].query_id)
    for match in rows[0].matches:
        row = ranked.found[query, match.rank - 1]
        assert context.index_of("index").id[row].decode() == match.image_id
        assert ranked.landmark[row] == other
        assert match.right is False
        assert match.score == pytest.approx(ranked.cosine(query, row))


def test_explained_pairs_are_the_networks_own_cosines(context, ranked):
    pairs = picked.explained(context, ranked, 2)
    assert [pair.right for pair in pairs] == [True, True, False, False]
    first = ranked.found[:, 0]
    cosines = [ranked.cosine(query, row) for query, row in enumerate(first)]
    for pair in pairs:
        assert pair.query.shape == (32, 32, 3)
        assert pair.query_map.shape == pair.match_map.shape == (8, 8)
        assert pair.query_map.sum() == pytest.approx(pair.match_map.sum(), abs=1e-5)
        assert min(abs(pair.cosine - cosine) for cosine in cosines) < 1e-4
        np.testing.assert_array_equal(pair.centres[0], 4 * np.arange(8) + 3)


@pytest.fixture(scope="module")
def shown(context):
    """Everything but UMAP, which has its own tests and takes a while to be compiled; smaller."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(visuals._PARTS, "UMAP of the index")
        for name in ("_GALLERY_QUERIES", "_HARDEST", "_CONFUSED_PAIRS", "_EXPLAINED"):
            patch.setattr(visuals, name, 2)
        patch.setattr(visuals, "_DPI", 75)
        outputs = visuals.run(context)
        before = {path: path.read_bytes() for path in outputs}
        assert visuals.run(context) == outputs
    context.workdir.mark_done("visuals", 0, outputs)
    return before


def test_every_picture_is_made_and_made_again_alike(context, shown):
    folder = context.workdir.root / "visuals"
    for path, content in shown.items():
        assert path.read_bytes() == content, path
    listed = json.loads((folder / "visuals.json").read_text())
    assert listed["left_out"] == {}
    names = [file for entry in listed["shown"] for file in entry["files"]]
    assert names == [
        *("projector/projector_config.pbtxt", "gallery.png", "hardest.png", "confusion.png"),
        *("confusion_pairs.png", "confusion.csv", "similarity_maps.png", "class_sizes.png"),
        "schedules.png",
    ]
    for name in names:
        if name.endswith(".png"):
            with Image.open(folder / name) as picture:
                assert picture.width > 300
    assert not list(folder.rglob("*.partial"))
    lines = (folder / "projector" / "metadata.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "landmark_id\tid\tlandmark"
    of = {row["id"]: row["landmark_id"] for row in table(context, "index_image_to_landmark.csv")}
    assert all(of[line.split("\t")[1]] == line.split("\t")[0] for line in lines[1:])


def test_the_table_of_confusions_is_the_count(context, ranked, shown):
    with (context.workdir.root / "visuals" / "confusion.csv").open(encoding="utf-8") as stream:
        rows = [
            (int(r["asked"]), int(r["found"]), float(r["share"])) for r in csv.DictReader(stream)
        ]
    assert rows == [
        (a, f, pytest.approx(s, abs=1e-6)) for a, f, s in visuals.counted(ranked).pairs()
    ]


def test_the_report_gets_what_the_studies_found(context, shown):
    assert not studied(
        dataclasses.replace(context, workdir=Workdir(context.workdir.root / "x"))
    ).files
    context.workdir.mark_done("scalability", 0, scalability.run(context))
    found = studied(context)
    sizes, mixed = found.tables
    study = json.loads((context.workdir.root / "scalability" / "scalability.json").read_text())
    last = study["trained"][-1]
    assert list(sizes.values["public mAP@100"].values())[-1] == last["public"]["map@100"]
    assert f"{last['index_size']:,} pictures (k = 1)" in sizes.values["public mAP@100"]
    assert "ground truth" in sizes.note
    assert all("→" in pair for pair in mixed.values["queries"])
    assert [figure.title for figure in found.figures][-1] == "Schedules"
    parts = {"figures": found.figures, "pictures": found.pictures, "files": found.files}
    page = render(Report("run", metrics=found.tables, **parts), context.workdir.root)
    assert page.count('src="data:image/jpeg') == 1
    assert 'href="./visuals/hardest.png"' in page
    assert 'href="./scalability/scalability.csv"' in page


def test_what_cannot_be_shown_says_why(context, ranked, tmp_path):
    unknown = dataclasses.replace(ranked, landmark=np.full(len(ranked.landmark), -1))
    for part, reason in (
        ("UMAP of the index", "too few index pictures"),
        ("embedding projector", "no landmark of an index picture"),
        ("confused landmarks", "no landmark of a query is known"),
    ):
        with pytest.raises(visuals.CannotShowError, match=reason):
            visuals._PARTS[part](context, unknown, tmp_path)
    embedder = keras.Model((x := layers.Input((32, 32, 3))), layers.Flatten()(x))
    before = context.workdir.embedder.read_bytes()
    try:
        embedder.save(context.workdir.embedder)
        with pytest.raises(visuals.CannotShowError, match="no layer 'pool'"):
            visuals._PARTS["similarity maps"](context, ranked, tmp_path)
    finally:
        context.workdir.embedder.write_bytes(before)
