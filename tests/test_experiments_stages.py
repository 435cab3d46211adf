"""The parts of the stages that can be judged without a whole run."""

from __future__ import annotations

import dataclasses
import json
import types

import keras
import numpy as np
import pytest

from experiments.config import Data, Experiment, Loss, Model, Train
from experiments.data_source import find_data
from experiments.registry import get_experiment
from experiments.settings import at_demo_size
from experiments.stages import evaluate, held_out, landmarks, networks, planned, train
from experiments.stages.context import Context
from experiments.workdir import Workdir
from landmarks_tf.losses import ArcFaceLoss
from landmarks_tf.training.labels import LabelError

SMALL = Experiment(
    name="small",
    summary="s",
    source="t",
    data=Data(image_size=32),
    model=Model(backbone="mobilenet_v2", head="cosine"),
    loss=Loss(name="arcface"),
)


def test_the_same_seed_makes_the_same_network():
    first = networks.build_network(SMALL, 3).trainer.get_weights()
    again = networks.build_network(SMALL, 3).trainer.get_weights()
    other_seed = dataclasses.replace(SMALL, train=Train(seed=1))
    other = networks.build_network(other_seed, 3).trainer.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_losses_fit_their_heads():
    loss, metrics, weights = networks.losses_of(SMALL)
    assert isinstance(loss, ArcFaceLoss)
    assert [metric.name for metric in metrics] == ["accuracy"]
    assert weights is None
    softmax = dataclasses.replace(SMALL, loss=Loss(name="cross_entropy"))
    with pytest.raises(ValueError, match="trains a 'softmax' head"):
        networks.losses_of(softmax)
    with pytest.raises(ValueError, match="loss among cross_entropy, arcface"):
        networks.losses_of(dataclasses.replace(SMALL, loss=Loss(name="hinge")))


def test_auxiliary_loss_is_weighted():
    model = Model(auxiliary_weight=0.3)
    losses, _, weights = networks.losses_of(
        dataclasses.replace(SMALL, model=model, loss=Loss(name="cross_entropy"))
    )
    assert set(losses) == {"main", "auxiliary"}
    assert weights == {"main": 1.0, "auxiliary": 0.3}


def test_an_epoch_is_as_many_pictures_as_the_training_set_has():
    labels = np.arange(130) % 5
    plan = planned.sampling_plan(Data(batch_size=32), labels, seed=0)
    recipe = dataclasses.replace(SMALL, train=Train(epochs=10))
    assert planned.total_steps(recipe, plan) == 41  # 10 * 130 / 32 = 40.6
    assert planned.total_steps(dataclasses.replace(SMALL, train=Train(steps=7)), plan) == 7


def test_class_balanced_batches_must_add_up():
    data = Data(sampling="class_balanced", batch_size=8, classes_per_batch=3, images_per_class=2)
    with pytest.raises(ValueError, match="3 x 2 = 6"):
        planned.sampling_plan(data, np.arange(20) % 5, seed=0)
    with pytest.raises(ValueError, match="shuffled, class_balanced"):
        planned.sampling_plan(Data(sampling="sorted"), np.arange(20), seed=0)


def test_landmark_ids_undo_the_relabeling(tmp_path):
    (tmp_path / "relabeling.csv").write_text("new_label,old_label\n1,70\n0,12\n2,300\n")
    assert evaluate.landmark_ids(tmp_path).tolist() == [12, 70, 300]


def test_names_in_mixed_encodings_stay_readable(tmp_path):
    (tmp_path / "index_label_to_category.csv").write_bytes(
        b"landmark_id,category\n"
        b"1,http://commons.wikimedia.org/wiki/Category:Saint-Andr\xe9_Chapel\n"
        b"2,http://commons.wikimedia.org/wiki/Category:Saint-Andr\xc3\xa9\n"
        b'3,"http://commons.wikimedia.org/wiki/Category:Gate,_Pont_d%27Avignon"\n'
    )
    names = landmarks.landmark_names(tmp_path)
    assert landmarks.landmark_names(tmp_path, "train") == {}
    assert names == {1: "Saint-André Chapel", 2: "Saint-André", 3: "Gate, Pont d'Avignon"}
    assert landmarks.landmark_names(tmp_path / "nowhere") == {}


@pytest.fixture
def context(demo_records, tmp_path):
    recipe = at_demo_size(get_experiment("mobilenet_v2_arcface"))
    return Context(recipe, "demo", find_data(demo_records), Workdir(tmp_path / "run"))


def test_a_batch_is_told_by_its_pictures(context):
    """Its ids and labels are those of its rows, which are those the data pipeline reads."""
    (stage,) = planned.plan_stages(context, replicas=1)
    index, contents = context.index_of("train"), train.batch_contents(stage, 3)
    assert contents["rows"] == stage.batches.batch(3).tolist()
    assert [name.encode() for name in contents["ids"]] == list(index.id[contents["rows"]])
    small = dataclasses.replace(stage.recipe.data, image_size=8)
    recipe = dataclasses.replace(stage.recipe, data=small)
    (batch,) = train._training_data(recipe, index, stage.batches, 3, 4, stage.classes)
    assert contents["labels"] == batch[1].numpy().tolist()
    assert json.dumps(contents)


def test_labels_that_are_no_class_are_refused_before_anything_is_built(context, monkeypatch):
    index = context.index_of("train")
    labels = np.array(index.label)
    labels[7] = context.num_classes
    broken = dataclasses.replace(index, label=labels)
    monkeypatch.setattr(Context, "index_of", lambda *arguments: broken)
    with pytest.raises(LabelError, match=rf": {index.id[7].decode()} \(row 7\) with label"):
        planned.plan_stages(context, replicas=1)


def test_held_out_counts_every_picture_once(context):
    """A scorer that answers by the picture's own label must be right on all of them."""
    index = context.index_of("validation")
    labels = np.asarray(index.label)

    class Oracle:
        def predict(self, dataset, verbose, callbacks):
            seen = np.concatenate([labels for _, labels in dataset])
            np.testing.assert_array_equal(seen, labels)
            return np.eye(context.num_classes)[seen]

    found = held_out.held_out(context, Oracle())
    assert found == {"top1": 1.0, "top5": 1.0, "macro_f1": 1.0}


def test_held_out_pairs_watch_whether_a_class_is_nearer_than_the_others(context):
    """Embedders that know the label, or nothing, or are led by something else."""
    labels = np.asarray(context.index_of("validation").label)

    def error_rate(rows):
        class Embedder:
            def predict(self, dataset, verbose, callbacks):
                seen = np.concatenate([labels for _, labels in dataset])
                np.testing.assert_array_equal(seen, labels)
                return rows.astype(np.float32)

        return held_out.held_out_pairs(context, Embedder())

    assert error_rate(np.eye(labels.max() + 1)[labels]) == {"eer": 0.0}
    assert error_rate(np.ones((len(labels), 3))) == {"eer": 0.5}
    number_in_class = np.array([(labels[:i] == label).sum() for i, label in enumerate(labels)])
    assert error_rate(np.eye(len(labels))[number_in_class])["eer"] > 0.6


def test_held_out_pairs_repeat_no_picture(context, monkeypatch):
    """Single pictures are left out; the other classes are taken two by two."""
    labels = np.array([0, 1, 1, 2, 3, 3, 3, 4])
    rows = np.eye(8, dtype=np.float32)
    rows[2] = rows[1]
    rows[5] = rows[6] = rows[4]
    monkeypatch.setattr(held_out, "predict", lambda *arguments: rows)
    monkeypatch.setattr(Context, "index_of", lambda *arguments: types.SimpleNamespace(label=labels))
    assert held_out.held_out_pairs(context, None) == {"eer": 0.0}
    labels[2] = 5
    assert held_out.held_out_pairs(context, None) == {}


def test_recognition_of_held_out_pictures_by_hand():
    """Right 0.9, wrong 0.8, right 0.7: (1/1 + 2/3) / 3, and two of three."""
    found = held_out.held_out_recognition(
        np.array(["a", "b", "c"]),
        np.array([4, 5, 4]),
        np.array([4, 4, 4]),
        np.array([0.9, 0.8, 0.7]),
    )
    assert found == {"gap": pytest.approx(5 / 9), "top1": pytest.approx(2 / 3), "queries": 3}


def test_landmarks_of_what_is_searched(context):
    index, known = context.index_of("index"), landmarks.index_landmarks(context.metadata)
    found = landmarks.searched_landmarks(context)
    assert found.tolist() == [known[one.decode()] for one in index.id]
    assert len(set(found.tolist())) > 3


def test_fingerprint_of_embeddings_follows_network_and_recipe(context):
    context.workdir.embedder.parent.mkdir(parents=True)
    context.workdir.embedder.write_bytes(b"one network")
    first = context.fingerprint_of("index", trained=True)
    assert first == context.fingerprint_of("index", trained=True)
    assert first != context.fingerprint_of("test", trained=True)
    assert first != context.fingerprint_of("index", trained=False)
    context.workdir.embedder.write_bytes(b"another network")
    assert first != context.fingerprint_of("index", trained=True)


def test_description_counts_what_was_used(context):
    described = evaluate._description(context)
    assert described["index_size"] == len(context.index_of("index"))
    assert described["classes"] == context.num_classes
    assert json.dumps(described)


def test_softmax_confidence_is_the_top_class_probability(context, monkeypatch):
    logits = np.array([[1.0, 3.0, 2.0], [1000.0, -1000.0, 0.0]])
    monkeypatch.setattr(evaluate, "predict", lambda *arguments: logits)
    classes, confidences = evaluate._by_softmax(context, scorer=None)
    assert classes.tolist() == [1, 0]
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(logits[0].astype("float32")))[1]
    np.testing.assert_allclose(confidences, [expected, 1.0], rtol=1e-6)
