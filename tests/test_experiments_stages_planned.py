"""What each stage will do, and what is refused before the first of them starts."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.config import Data, Experiment, Loss, Model, Stage, Train
from experiments.data_source import find_data
from experiments.settings import with_value
from experiments.stages.class_set import ClassSet, class_set
from experiments.stages.context import Context
from experiments.stages.held_out import held_out
from experiments.stages.optimization import learning_rate_of, optimizer_of
from experiments.stages.planned import check_networks, plan_stages, sampling_plan
from experiments.stages.succession import join_metrics
from experiments.stages.train import _training_data, list_damaged
from experiments.workdir import Workdir
from tests import contracts

RECIPE = Experiment(
    name="planned",
    summary="s",
    source="t",
    data=Data(image_size=32, resize="squash", batch_size=8),
    model=Model(backbone="mobilenet_v2", head="cosine"),
    loss=Loss(name="arcface"),
    train=Train(steps=20),
    stages=(
        Stage("low", (("train.steps", 5),)),
        Stage("high", (("data.image_size", 64), ("data.batch_size", 4))),
    ),
)
P_TIMES_K = (
    ("data.sampling", "class_balanced"),
    ("data.batch_size", 6),
    ("data.classes_per_batch", 3),
    ("data.images_per_class", 2),
)


@pytest.fixture
def context(demo_records, tmp_path):
    return Context(RECIPE, "demo", find_data(demo_records), Workdir(tmp_path / "run"))


@pytest.fixture
def sizes(context):
    """Training pictures of each class, held-out ones included."""
    splits = [np.asarray(context.index_of(name).label) for name in ("train", "validation")]
    return np.bincount(np.concatenate(splits), minlength=context.num_classes)


def of(context, number=2, **settings):
    """The context with fields of a stage replaced; `section__field=value`."""
    recipe = context.experiment
    for name, value in settings.items():
        recipe = with_value(recipe, f"stages.{number}.{name.replace('__', '.')}", value)
    return replace(context, experiment=recipe)


def test_each_stage_has_its_folder_length_and_batches(context):
    low, high = plan_stages(context, 1)
    root = context.workdir.training
    assert (low.folder, high.folder) == (root / "1-low", root / "2-high")
    assert (low.steps, high.steps) == (5, 20)
    assert (low.batches.batch_size, high.batches.batch_size) == (8, 4)
    assert low.classes.is_all and len(low.classes) == context.num_classes
    assert low.result == root / "1-low" / "trainer.keras"


def test_a_training_in_one_piece_lies_where_it_always_did(context):
    (only,) = plan_stages(replace(context, experiment=replace(RECIPE, stages=())), 1)
    assert only.folder == context.workdir.training
    assert only.title == ""


def test_epochs_of_a_stage_count_its_own_pictures(context, sizes):
    least = int(np.sort(sizes)[-3])
    changed = of(context, 1, data__min_images_per_class=least, train__steps=0, train__epochs=2)
    low, _ = plan_stages(changed, 1)
    kept = np.flatnonzero(sizes >= least)
    in_training = np.isin(context.index_of("train").label, kept).sum()
    assert low.classes.kept.tolist() == kept.tolist()
    assert len(low.index) == in_training
    assert low.steps == round(2 * in_training / 8)
    assert low.class_sizes.sum() == in_training and len(low.class_sizes) == len(kept)


def test_a_stages_batches_hold_its_classes_numbered_anew(context, sizes):
    least = int(np.sort(sizes)[-3])
    low, _ = plan_stages(of(context, 1, data__min_images_per_class=least), 1)
    dataset = _training_data(low.recipe, low.index, low.batches, 0, 4, low.classes)
    whole = context.index_of("train")
    for step, (_, labels) in enumerate(dataset):
        rows = low.batches.batch(step)
        original = [
            int(whole.label[np.flatnonzero(whole.id == low.index.id[row])[0]]) for row in rows
        ]
        assert labels.numpy().tolist() == [low.classes.kept.tolist().index(c) for c in original]


def test_held_out_pictures_of_other_classes_are_left_out(context, sizes):
    least = int(np.sort(sizes)[-3])
    classes = class_set(context, least)
    seen = []

    class Oracle:
        def predict(self, dataset, verbose, callbacks):
            labels = classes.relabel(np.concatenate([labels for _, labels in dataset]))
            seen.extend(labels)
            return np.eye(len(classes))[labels]

    found = held_out(replace(context, experiment=replace(RECIPE, stages=())), Oracle(), classes)
    assert found["top1"] == 1.0
    assert min(seen) >= 0
    assert len(seen) == np.isin(context.index_of("validation").label, classes.kept).sum()


def test_a_class_set_by_hand():
    six = np.array([b"a", b"b", b"c", b"d", b"e", b"f"], "S16")
    some = ClassSet.of(np.array([1, 4]), six)
    assert (len(some), some.total, some.kept.tolist()) == (2, 6, [1, 4])
    assert some.relabel([4, 1, 0, 5]).tolist() == [1, 0, -1, -1]
    assert some == ClassSet.of(np.array([1, 4]), six) != ClassSet.of(np.array([1, 3]), six)
    assert not some.is_all and ClassSet.of(np.arange(6), six).is_all
    # In other records, whose classes are e, x and b, the second and fifth have the numbers 1 and 0.
    seen = some.seen_from(np.array([b"e", b"x", b"b"], "S16"))
    assert seen.relabel([0, 1, 2]).tolist() == [1, -1, 0]
    assert seen == some and not seen.is_all
    # Two classes in another order are others to a head.
    turned = ClassSet.of(np.arange(2), six[[4, 1]])
    assert turned != some and not turned.seen_from(six[[1, 4]]).is_all


def test_refused_before_any_training(context, sizes):
    def plan(number=2, replicas=1, **settings):
        return lambda: plan_stages(of(context, number, **settings), replicas)

    balanced = {name.replace(".", "__"): value for name, value in P_TIMES_K}
    many = int(sizes.max()) + 1
    too_many_classes = balanced | {"data__classes_per_batch": 500, "data__batch_size": 1000}
    too_many_images = balanced | {"data__images_per_class": many, "data__batch_size": 3 * many}
    by_step = {"train__schedule": "step"}
    scheduled = {"loss__margin_schedule": "step", "loss__margin_values": (0.1, 0.3)}
    contracts.check_refusals(
        {
            "In stage 2 (high): a batch of 500 different classes cannot be drawn from": plan(
                **too_many_classes
            ),
            f"No class has data.images_per_class={many} training pictures": plan(**too_many_images),
            "In stage 1 (low): milestones are rising steps within 1..4": plan(
                1, **by_step, train__milestones=(3, 9)
            ),
            "Received: milestones=(9, 3)": plan(**by_step, train__milestones=(9, 3)),
            "milestones belongs to the step schedule": plan(train__milestones=(3,)),
            "ema_momentum must lie in (0, 1)": plan(train__ema_momentum=1.5),
            "In stage 2 (high): The circle loss trains a 'embedding' head": plan(
                loss__name="circle"
            ),
            "In degrees? 30 degrees are 0.5236 radians": plan(
                **scheduled | {"loss__margin_values": (0.1, 30.0)}, loss__margin_steps=(0, 5)
            ),
            "whose steps are 0 to 19. Received: loss.margin_steps=(0, 20)": plan(
                **scheduled, loss__margin_steps=(0, 20)
            ),
            "needs loss.margin_values and loss.margin_steps": plan(**scheduled),
            "loss.margin_steps belongs to a margin schedule": plan(loss__margin_steps=(0, 20)),
            "Received also: loss.margin=0.2": plan(
                **scheduled, loss__margin_steps=(0, 5), loss__margin=0.2
            ),
            "In stage 2 (high): A batch of 4 pictures cannot be shared evenly by 3": plan(
                replicas=3, number=1, data__batch_size=6
            ),
            "The last stage trains on every class": plan(data__min_images_per_class=5),
            f"=100000, which 0 of {len(sizes)} classes have": plan(
                data__min_images_per_class=100_000
            ),
        }
    )


def test_a_network_that_cannot_be_is_refused_before_any_training(context):
    stages = plan_stages(of(context, 2, model__trainable=("layer9",)), 1)
    with pytest.raises(ValueError, match=r"In stage 2 \(high\): No layer of .* 'layer9'"):
        check_networks(stages[1:])
    stages = plan_stages(of(context, 2, model__pooling="median"), 1)
    with pytest.raises(ValueError, match=r"In stage 2 \(high\): Expected a pooling among"):
        check_networks(stages[1:])


def test_margins_by_class_size_take_factors(context, sizes):
    from experiments.stages.networks import losses_of
    from landmarks_tf.losses import dynamic_margins

    settings = {
        "loss__dynamic_margin": True,
        "loss__margin_schedule": "linear",
        "loss__margin_values": (0.0, 1.0),
        "loss__margin_steps": (0, 5),
    }
    _, high = plan_stages(of(context, 2, **settings), 1)
    margin = losses_of(high.recipe, high.class_sizes)[0].margin
    np.testing.assert_array_equal(margin.class_margins, dynamic_margins(high.class_sizes))
    assert (margin.values, margin.form) == ([0.0, 1.0], "linear")


def test_rates_and_averages_reach_the_optimizer():
    train = Train(schedule="step", learning_rate=0.8, milestones=(4,), factor=0.5, ema_momentum=0.9)
    recipe = replace(RECIPE, train=train)
    rate = learning_rate_of(recipe, 10)
    assert [round(float(rate(step)), 3) for step in (3, 4)] == [0.8, 0.4]
    optimizer = optimizer_of(recipe, 10)
    assert (optimizer.use_ema, optimizer.ema_momentum) == (True, 0.9)
    curve = replace(train, schedule="polynomial", milestones=(), factor=None, power=3.0, floor=0.0)
    rate = learning_rate_of(replace(recipe, train=curve), 10)
    assert float(rate(5)) == pytest.approx(0.1)


def test_a_largest_class_of_k_pictures_is_enough():
    data = Data(sampling="class_balanced", batch_size=6, classes_per_batch=2, images_per_class=3)
    assert sampling_plan(data, np.array([0, 0, 0, 1]), 0).batch_size == 6
    with pytest.raises(ValueError, match="images_per_class=3 training pictures, the largest has 2"):
        sampling_plan(data, np.array([0, 0, 1]), 0)


def test_histories_are_joined_with_steps_that_count_on(context, tmp_path):
    stages = plan_stages(context, 1)
    for stage, steps in zip(stages, ((2, 5), (10, 20)), strict=True):
        stage.folder.mkdir(parents=True)
        lines = [{"step": s, "images": s * stage.batches.batch_size, "loss": 1.0} for s in steps]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (stage.folder / "metrics.jsonl").write_text(text)
    join_metrics(stages, tmp_path / "joined.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "joined.jsonl").read_text().splitlines()]
    assert [(line["step"], line["images"], line["stage"]) for line in lines] == [
        (2, 16, "1-low"),
        (5, 40, "1-low"),
        (15, 80, "2-high"),
        (25, 120, "2-high"),
    ]


def test_damaged_records_are_replaced_and_listed(context, demo_records, tmp_path, capsys):
    """A bit is flipped in the first record of a copy of the records."""
    from landmarks_tf.data.damaged_records import DamagedRecords

    copy = tmp_path / "records"
    shutil.copytree(demo_records, copy)
    (stage,) = plan_stages(
        replace(context, experiment=replace(RECIPE, stages=()), source=find_data(copy)), 1
    )
    shard = Path(stage.index.shards[0])
    content = bytearray(shard.read_bytes())
    content[50] ^= 1
    shard.write_bytes(content)
    damaged = DamagedRecords(stage.index, quiet=True)
    steps = stage.batches.steps_per_epoch  # a whole pass meets the first record
    batches = _training_data(stage.recipe, stage.index, stage.batches, 0, steps, None, damaged)
    labels = np.concatenate([labels for _, labels in batches])
    rows = np.concatenate([stage.batches.batch(step) for step in range(steps)])
    assert labels.tolist() == stage.index.label[rows].tolist()
    list_damaged(damaged, tmp_path)
    times = json.loads((tmp_path / "damaged.json").read_text())
    assert list(times) == [stage.index.id[0].decode()]
    assert times[stage.index.id[0].decode()] == (rows == 0).sum()
    assert "1 damaged records were replaced" in capsys.readouterr().err


def weights_by_class(plan, labels, steps):
    drawn = np.concatenate([labels[plan.batch(step)] for step in range(steps)])
    return np.bincount(drawn) / len(drawn)


def test_samplings_that_weigh_classes_by_their_size():
    """Classes of 4, 16 and 64: by power 0.5 they come up as 2 : 4 : 8, by 0 as their sizes."""
    labels = np.repeat([0, 1, 2], [4, 16, 64])
    plan = sampling_plan(Data(sampling="weighted", class_power=0.5, batch_size=84), labels, 0)
    np.testing.assert_allclose(weights_by_class(plan, labels, 50), np.array([1, 2, 4]) / 7, 0.01)
    balanced = Data(
        sampling="class_balanced",
        class_power=0.5,
        batch_size=4,
        classes_per_batch=1,
        images_per_class=4,
    )
    plan = sampling_plan(balanced, labels, 0)
    assert plan.group_size == 4
    np.testing.assert_allclose(weights_by_class(plan, labels, 700), np.array([1, 2, 4]) / 7, 0.01)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Data(sampling="weighted"), "weighted needs data.class_power"),
        (Data(class_power=0.5), r"data.sampling=shuffled, data.class_power=0\.5"),
        (Data(sampling="weigthed"), "among shuffled, class_balanced, weighted. Received: 'weigt"),
    ],
)
def test_samplings_that_do_not_fit_their_settings(data, message):
    with pytest.raises(ValueError, match=message):
        sampling_plan(data, np.zeros(9, int), 0)
