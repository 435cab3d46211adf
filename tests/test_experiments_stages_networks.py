"""The losses that recipes name: built from settings, refused where they do not fit, one step."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from experiments.config import Data, Evaluation, Experiment, Loss, Model
from experiments.settings import with_setting
from experiments.stages import networks
from landmarks_tf import losses
from landmarks_tf.models import build_embedder, build_landmark_model
from landmarks_tf.models.backbones import Backbone
from tests import contracts

pytestmark = contracts.IGNORE_ARRAY_COPY

P, K = 4, 3
LABELS = np.repeat([11, 3, 7, 0], K).astype(np.int32)

HEADS = {
    "ge2e": "ge2e",
    "triplet": "embedding",
    "contrastive": "embedding",
    "multi_similarity": "embedding",
    "supervised_contrastive": "embedding",
    "circle": "embedding",
    "proxy_anchor": "cosine",
}


def recipe(name: str, **settings) -> Experiment:
    return Experiment(
        name="pairs",
        summary="s",
        source="t",
        data=Data(
            sampling="class_balanced", batch_size=P * K, classes_per_batch=P, images_per_class=K
        ),
        model=Model(head=HEADS[name]),
        loss=Loss(name=name, **settings),
        evaluation=Evaluation(recognition="knn"),
    )


def tiny_model(head: str):
    pixels = keras.Input((8, 8, 3), name="image")
    scaled = keras.layers.Rescaling(1 / 127.5, -1.0)(pixels)
    maps = keras.layers.Conv2D(6, 2, strides=2, activation="tanh")(scaled)
    backbone = Backbone("tiny", keras.Model(pixels, maps))
    embedder = build_embedder(backbone, dim=5, neck=("dense",))
    return build_landmark_model(embedder, backbone, num_classes=12, head=head, images_per_class=K)


@pytest.mark.parametrize("name", HEADS)
def test_steps_move_every_weight_and_lower_the_loss(name):
    # Semi-hard mining takes other triplets after each step, whose loss may be higher.
    settings = {"mining": "all"} if name == "triplet" else {}
    loss, metrics, weights = networks.losses_of(recipe(name, **settings))
    keras.utils.set_random_seed(0)
    model = tiny_model(HEADS[name])
    images = np.random.default_rng(0).integers(0, 256, (P * K, 8, 8, 3), dtype=np.uint8)
    before = [np.array(w) for w in model.trainer.trainable_weights]
    expected = float(loss(LABELS, model.trainer.predict(images, verbose=0)))
    model.trainer.compile(
        keras.optimizers.SGD(0.05, global_clipnorm=1.0), loss, metrics=metrics, loss_weights=weights
    )
    first, *accuracy = np.ravel(model.trainer.train_on_batch(images, LABELS))
    np.testing.assert_allclose(first, expected, rtol=1e-4)
    assert len(accuracy) == (HEADS[name] == "cosine")
    still = [
        w.path
        for w, old in zip(model.trainer.trainable_weights, before, strict=True)
        if np.array_equal(np.array(w), old)
    ]
    # A common offset cancels in GE2E's softmax.
    assert [path for path in still if not path.endswith("similarities/offset")] == []
    for _ in range(20):
        last = np.ravel(model.trainer.train_on_batch(images, LABELS))[0]
    assert np.isfinite(last)
    assert last < first


def test_settings_reach_the_loss():
    changed = recipe("triplet")
    assert networks.losses_of(changed)[0].get_config() == losses.TripletLoss().get_config()
    for assignment in (
        "loss.margin=0.5",
        "loss.mining=hard",
        "loss.distance=euclidean",
        "loss.average=nonzero",
    ):
        changed = with_setting(changed, assignment)
    loss = networks.losses_of(changed)[0]
    assert (loss.margin, loss.mining, loss.distance) == (0.5, "hard", "euclidean")
    assert loss.average == "nonzero"
    soft = networks.losses_of(recipe("triplet", soft_margin=True))[0]
    assert soft.margin is None
    contrast = networks.losses_of(recipe("ge2e", form="contrast"))[0]
    assert (contrast.form, contrast.epsilon) == ("contrast", 0.0)
    similar = recipe("multi_similarity", alpha=3.0, beta=40.0, base=0.5, epsilon=0.2)
    loss = networks.losses_of(similar)[0]
    assert (loss.alpha, loss.beta, loss.base, loss.epsilon) == (3.0, 40.0, 0.5, 0.2)
    assert networks.losses_of(recipe("supervised_contrastive", temperature=0.07))[0].temperature
    circle = networks.losses_of(recipe("circle", margin=0.25, scale=256.0))[0]
    assert (circle.margin, circle.scale) == (0.25, 256.0)


def test_a_network_without_classes_has_no_class_scores():
    for head in ("embedding", "ge2e"):
        trainer = tiny_model(head).trainer
        assert (
            networks.class_scores(replace(recipe("triplet"), model=Model(head=head)), trainer)
            is None
        )


def test_refusals():
    def losses_of(name, *, settings=None, **sections):
        return lambda: networks.losses_of(replace(recipe(name, **(settings or {})), **sections))

    triplet = recipe("triplet")
    shuffled = replace(triplet.data, sampling="shuffled")
    single = replace(triplet.data, classes_per_batch=12, images_per_class=1)
    one_class = replace(triplet.data, classes_per_batch=1, images_per_class=12)
    contracts.check_refusals(
        {
            "The circle loss reads margin, scale. Received: loss.temperature=0.1": losses_of(
                "circle", settings={"temperature": 0.1}
            ),
            "reads temperature. Received: loss.margin=0.2": losses_of(
                "supervised_contrastive", settings={"margin": 0.2}
            ),
            "A soft margin has no margin. Received: loss.margin=0.2": losses_of(
                "triplet", settings={"margin": 0.2, "soft_margin": True}
            ),
            "trains a 'embedding' head. Received: model.head='cosine'": losses_of(
                "triplet", model=Model(head="cosine")
            ),
            "triplet loss compares the pictures of a batch": losses_of("triplet", data=shuffled),
            "ge2e loss compares the pictures of a batch": losses_of("ge2e", data=shuffled),
            "2 pictures a class. Received: 12 x 1": losses_of("circle", data=single),
            "2 pictures a class. Received: 1 x 12": losses_of("ge2e", data=one_class),
            "the embedding head knows no classes: set evaluation.recognition=knn": losses_of(
                "contrastive", evaluation=Evaluation(recognition="softmax")
            ),
            "model.auxiliary_weight=0.3 with the ge2e head": losses_of(
                "ge2e", model=Model(head="ge2e", auxiliary_weight=0.3)
            ),
        }
    )
    # Proxies stand for the classes, so that any batch will do.
    networks.losses_of(replace(recipe("proxy_anchor"), data=shuffled))
