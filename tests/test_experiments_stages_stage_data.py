"""Stages on data of their own: what they train on, what is carried, what is judged and refused."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from experiments import run
from experiments.config import Evaluation, Loss, Model, Stage
from experiments.data_source import find_data, find_stage_data
from experiments.stages import evaluate, prepare, publish
from experiments.stages.class_set import class_keys, landmark_ids
from experiments.stages.context import Context
from experiments.stages.held_out import held_out
from experiments.stages.planned import plan_stages
from experiments.stages.train import _training_data, compiled_network
from experiments.workdir import Workdir
from landmarks_tf.records import RecordIndex
from tests import staged_training
from tests.reference import gldv2
from tfrecords_tools.convert import convert
from tfrecords_tools.options import ConvertOptions

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CLEAN = {900: 9, 7: 7, 31: 6}
UNCLEAN = {7: 2, 55: 6}
TEST = [gldv2.image_id(f"test {i}") for i in range(4)]
INDEX = [gldv2.image_id(f"index {i}") for i in range(5)]

RECIPE = replace(
    staged_training.RECIPE,
    data=replace(staged_training.RECIPE.data, batch_size=4, resize="squash", augment="none"),
    loss=Loss(name="arcface", scale=8.0, margin=0.1),
    train=replace(staged_training.RECIPE.train, steps=4),
    stages=(Stage("first"), Stage("second")),
)


def name_landmarks(raw, word="Landmark"):
    rows = "".join(f"{one},Category:{word}_{one}\n" for one in (7, 31, 55, 900, 8, 32, 901))
    (raw / "train_label_to_category.csv").write_text(f"landmark_id,category\n{rows}")


def records_of(raw, out, **options):
    convert(raw, out, ConvertOptions(shards=2, **options), workers=1, progress=False, say=len)
    return out


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """{name: folder}: a raw folder, its subsets as records, and records of other landmarks."""
    folder = tmp_path_factory.mktemp("sets")
    raw = folder / "raw"
    gldv2.write_folder(raw, CLEAN, unclean=UNCLEAN, num_index=5, num_test=4)
    name_landmarks(raw)
    records_of(raw, folder / "clean", split="train", subset="clean", validation_fraction=0.3)
    for split in ("index", "test"):
        records_of(raw, folder / "clean", split=split)
    for subset in ("c2x", "full"):
        records_of(raw, folder / subset, split="train", subset=subset)
    # As many classes under other ids, and the same ids as the names of other landmarks.
    for name, classes, word in (
        ("others", {901: 5, 8: 5, 32: 5}, "Landmark"),
        ("v1", CLEAN, "Old"),
    ):
        gldv2.write_folder(folder / f"raw-{name}", classes)
        name_landmarks(folder / f"raw-{name}", word)
        records_of(folder / f"raw-{name}", folder / name, split="train")
    staged_training.add_tiny_backbone()
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture
def on(sets, tmp_path):
    """A run on the clean records, some of whose stages have data of their own."""

    def context(recipe=RECIPE, source="clean", **stages):
        assignments = [f"{stage}={sets[name]}" for stage, name in stages.items()]
        data = find_stage_data(assignments, recipe)
        workdir = Workdir(tmp_path / "run")
        return Context(recipe, "demo", find_data(sets[source]), workdir, stage_data=data)

    return context


def warm_start(context):
    """The second stage's network, the first's weights, and what was carried, by layer."""
    from experiments.stages.devices import strategy_of

    strategy = strategy_of(context.experiment)
    first, second = plan_stages(context, 1)
    before, _ = compiled_network(first, strategy)
    # As if trained: from the same seed the second network would begin with the same numbers.
    for weight in before.trainer.trainable_weights:
        weight.assign(weight + 0.01)
    first.folder.mkdir(parents=True)
    before.trainer.save(first.result)
    after, started = compiled_network(second, strategy, first)
    return after.trainer, before.trainer, started


def weights_of(model, layer):
    return [np.asarray(weight) for weight in model.get_layer(layer).weights]


@pytest.mark.parametrize(
    ("stages", "classes", "kept"),
    [
        ({"second": "c2x"}, 3, True),  # more pictures of the same classes
        ({"second": "full"}, 4, False),
        ({"first": "full"}, 3, False),
        ({"first": "others"}, 3, False),  # as many classes
        ({"first": "v1"}, 3, False),  # as many, of the same ids, which name other landmarks
        ({"first": "v1", "second": "clean"}, 3, False),
    ],
)
def test_the_head_is_kept_where_the_classes_are_the_same(on, stages, classes, kept):
    after, before, started = warm_start(on(**stages))
    carried = {"conv1", "bn1", "conv2", "neck_dense"} | ({"cosines"} if kept else set())
    assert set(started.carried) == carried
    assert started.new.get("cosines") == (None if kept else "other classes")
    for layer in carried:
        for new, old in zip(weights_of(after, layer), weights_of(before, layer), strict=True):
            np.testing.assert_array_equal(new, old, err_msg=layer)
    (centres,) = weights_of(after, "cosines")
    assert centres.shape[0] == classes
    if not kept and len(weights_of(before, "cosines")[0]) == classes:
        assert np.abs(centres - weights_of(before, "cosines")[0]).max() > 1e-3


def truth_of(raw):
    with (raw / "train.csv").open(newline="") as stream:
        return {row["id"]: int(row["landmark_id"]) for row in csv.DictReader(stream)}


@pytest.mark.parametrize(("name", "landmarks"), [("full", [7, 31, 55, 900]), ("c2x", [7, 31, 900])])
def test_a_stages_labels_are_those_of_its_own_folder(on, sets, name, landmarks):
    """Against train.csv: the picture of each row has the landmark that its label stands for."""
    stage, _ = plan_stages(on(first=name), 1)
    assert landmark_ids(sets[name]).tolist() == landmarks
    truth, batches = truth_of(sets["raw"]), stage.batches.steps_per_epoch
    dataset = _training_data(stage.recipe, stage.index, stage.batches, 0, batches, stage.classes)
    for step, (_, labels) in enumerate(dataset):
        ids = [stage.index.id[row].decode() for row in stage.batches.batch(step)]
        assert [landmarks[label] for label in labels.numpy()] == [truth[one] for one in ids]


def test_what_the_run_holds_out_trains_in_no_stage(on, sets):
    context = on(first="full")
    first, second = plan_stages(context, 1)
    held = set(context.index_of("validation").id.tolist())
    theirs = set(RecordIndex.open(sets["full"], "train").id.tolist())
    assert held and held < theirs
    assert set(first.index.id.tolist()) == theirs - held
    assert not set(second.index.id.tolist()) & held
    # A whole pass draws what is counted.
    assert first.class_sizes.sum() == len(theirs) - len(held) == first.batches.num_rows


def test_a_stages_minimum_is_one_of_its_own_folder(on, sets):
    """Landmark 7 has 7 clean pictures and 9 in all, those held out included."""
    stages = (Stage("first", (("data.min_images_per_class", 9),)), Stage("second"))
    first, _ = plan_stages(on(replace(RECIPE, stages=stages), first="full"), 1)
    assert landmark_ids(sets["full"])[first.classes.kept].tolist() == [7, 900]
    assert first.judged.kept.tolist() == [0, 2]  # of 7, 31, 900


@pytest.mark.parametrize("name", ["full", "others", "v1"])
def test_held_out_pictures_are_judged_under_the_stages_numbers(on, sets, name):
    """A scorer that knows the landmark of each held-out picture is right on all of them."""
    context = on(first=name)
    stage, _ = plan_stages(context, 1)
    index, truth = context.index_of("validation"), truth_of(sets["raw"])
    numbers = {landmark: n for n, landmark in enumerate(landmark_ids(sets[name]).tolist())}

    class Oracle:
        def predict(self, dataset, verbose, callbacks):
            return np.eye(len(stage.classes))[[numbers[truth[one.decode()]] for one in index.id]]

    found = held_out(replace(context, experiment=RECIPE), Oracle(), stage.judged)
    # No class of the others is one of the run's, whatever their numbers.
    assert found == ({"top1": 1.0, "top5": 1.0, "macro_f1": 1.0} if name == "full" else {})


def test_the_last_stage_knows_every_class_that_is_judged(on):
    plan_stages(on(second="full"), 1)
    with pytest.raises(ValueError, match=r"stage 2 \(second\) trains on .*others .*0 of the 3"):
        plan_stages(on(second="others"), 1)
    with pytest.raises(ValueError, match=r"0 of the 3 \(by landmark id and metadata/train_label"):
        plan_stages(on(second="v1"), 1)


def test_records_without_names_are_told_by_their_ids(on, sets, tmp_path):
    shutil.copytree(sets["clean"], tmp_path / "bare")
    (tmp_path / "bare" / "metadata" / "train_label_to_category.csv").unlink()
    context = on()
    bare, named = class_keys(context.on(tmp_path / "bare")), class_keys(context)
    # A name on one side alone proves nothing.
    assert not set(bare.tolist()) & set(named.tolist())
    assert len(set(bare.tolist())) == len(named) == 3
    (tmp_path / "bare" / "relabeling.csv").unlink()
    assert class_keys(context.on(tmp_path / "bare")).tolist() == [b"0", b"1", b"2"]


def test_a_softmax_head_of_other_classes_answers_by_its_own_landmarks(on, sets, tmp_path):
    """A head that always says the fourth set's landmark 55, which the run's own records lack."""
    recipe = replace(
        RECIPE,
        model=Model(backbone="tiny", head="softmax", dropout=0.0),
        loss=Loss(name="cross_entropy"),
        evaluation=Evaluation(recognition="softmax", batch_size=16),
    )
    shutil.copytree(sets["clean"], tmp_path / "clean")
    for task, column, answer in (
        ("retrieval", "images", INDEX),
        ("recognition", "landmarks", CLEAN),
    ):
        lines = [
            f"{q},{a},{u}" for q, a, u in zip(TEST, answer, ("Public", "Private"), strict=False)
        ]
        text = "\n".join([f"id,{column},Usage", *lines, *(f"{q},None,Ignored" for q in TEST[2:])])
        (tmp_path / "clean/metadata" / f"{task}_solution_v2.1.csv").write_text(text + "\n")
    context = replace(on(recipe, second="full"), source=find_data(tmp_path / "clean"))
    from experiments.stages.devices import strategy_of

    last = plan_stages(context, 1)[-1]
    network, _ = compiled_network(last, strategy_of(recipe))
    head = network.trainer.layers[-1]
    head.bias.assign([0.0, 0.0, 50.0, 0.0])
    context.workdir.trainer.parent.mkdir(parents=True)
    network.trainer.save(context.workdir.trainer)
    network.embedder.save(context.workdir.embedder)
    evaluate.run(context)
    answers = (context.workdir.predictions / "recognition.csv").read_text().splitlines()[1:]
    assert len(answers) == len(TEST)
    assert all(line.split(",")[1].split()[0] == "55" for line in answers)
    measured = json.loads(context.workdir.metrics.read_text())
    assert measured["trained"]["held_out"]["top1"] == 0.0
    assert measured["stage_data"]["stage 2 (second)"] == f"{sets['full']} (--stage-data)"
    for table in publish._tables(measured)[:2]:
        assert table.protocol["stage 2 (second) trained on"] == f"{sets['full']} (--stage-data)"


def test_a_subset_of_a_raw_folder_is_converted_once_for_all_its_stages(on, sets, capfd):
    full = (("data.train_set", "full"),)
    recipe = replace(RECIPE, stages=(Stage("first", full), Stage("again", full), Stage("last")))
    context = replace(on(recipe), source=find_data(sets["raw"]))
    shutil.copytree(sets["clean"], context.workdir.records)
    held = len(context.index_of("validation"))
    made = prepare._prepare_stages(context)
    assert made == [context.workdir.stage_records / "full"]
    told = capfd.readouterr().err
    assert (
        "stage 1 (first) trains on all of train.csv (data.train_set=full). Left out, as the run "
        f"holds them out: {held} of 30 pictures (by id).\n"
    ) in told
    assert "stage 3 (last) trains on the run's own training pictures." in told
    first, again, last = plan_stages(context, 1)
    assert (len(first.classes), len(last.classes)) == (4, 3)
    assert first.index.shards == again.index.shards != last.index.shards


def test_it_is_told_where_no_held_out_picture_can_be_recognised(on, sets):
    context = on(first="others")
    own, theirs = (context.on(sets[name]).index_of("train").id for name in ("clean", "others"))
    assert not set(own.tolist()) & set(theirs.tolist())
    (_, first), (_, second) = context.training_sets()
    assert prepare._held_out(context, first).startswith(" By their ids none of them is")
    assert prepare._held_out(context, second) == ""


def test_other_data_of_a_stage_is_another_run(sets, tmp_path, capsys):
    shutil.copytree(sets["full"], tmp_path / "moving")
    command = (
        *("--exp", "resnest269_stages", "--data", str(sets["clean"]), "--stage", "prepare"),
        *("--workdir", str(tmp_path / "run")),
    )

    def said(*arguments):
        code = run.main([*command, *arguments])
        return code, capsys.readouterr().err

    low = ("--stage-data", f"low={tmp_path / 'moving'}")
    code, err = said(*low)
    assert code == 0
    assert f"stage 1 (low) trains on {tmp_path / 'moving'} (--stage-data). Left out, as" in err
    assert "of 30 pictures (by id). The source: GLDv1 (1,215,498 images, 14,950 classes)" in err
    assert said("--stage-data", f"1={tmp_path / 'moving'}")[0] == 0
    code, err = said("--stage-data", f"low={sets['c2x']}")
    assert code == 1
    assert f"stage_data.low: '{tmp_path / 'moving'} (30 pictures, index " in err
    assert f"-> '{sets['c2x']} (24 pictures, index " in err
    code, err = said()
    assert code == 1 and "(30 pictures, index" in err and "-> None" in err
    # The same folder, converted anew with other options.
    shutil.rmtree(tmp_path / "moving")
    records_of(sets["raw"], tmp_path / "moving", split="train", subset="full", seed=3)
    code, err = said(*low)
    assert code == 1
    assert err.count("(30 pictures, index") == 2


def test_the_dry_run_tells_each_stages_pictures(sets, tmp_path, capsys):
    command = ("--exp", "resnest269_stages", "--data", str(sets["clean"]), "--dry-run", "--json")
    stage_data = ("--stage-data", f"low={sets['full']}", "--workdir", str(tmp_path / "run"))
    small = [w for n in (1, 2, 3) for w in ("--set", f"stages.{n}.data.batch_size=4")]
    assert run.main([*command, *stage_data, *small]) == 0
    low, high, _ = json.loads(capsys.readouterr().out)["stages"]
    assert low["data"] == f"{sets['full']} (--stage-data)"
    assert (low["epoch"]["classes"], high["epoch"]["classes"]) == (4, 3)
    assert not (tmp_path / "run").exists()
