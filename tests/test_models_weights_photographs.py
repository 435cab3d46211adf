"""Real ImageNet weights on real photographs: they name what is there, and find the like."""

from __future__ import annotations

import csv

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.data import image_ops
from landmarks_tf.metrics.retrieval import mean_average_precision
from landmarks_tf.metrics.solutions import read_retrieval_solution
from landmarks_tf.models import build_embedder, create_backbone
from landmarks_tf.retrieval.exact import ExactIndex
from tests import contracts
from tests.conftest import ROOT

pytestmark = contracts.IGNORE_ARRAY_COPY

WEIGHTS = ROOT.parent / "shared" / "weights"


@pytest.fixture(scope="module")
def real_weights():
    path = WEIGHTS / "mobilenet_v2_1.0_224_tfhub_dequant_no_top.h5"
    if not path.is_file():
        pytest.skip(f"the ImageNet weights ({path.name} in ../shared/weights) are not here")
    return path


def photographs(folder, split: str, ids: list[str]) -> np.ndarray:
    """(N, 224, 224, 3) uint8, letterboxed, as this project's recipes read them."""

    def read(image_id):
        path = folder / split / image_id[0] / image_id[1] / image_id[2] / f"{image_id}.jpg"
        image = image_ops.decode(tf.io.read_file(str(path)))
        return image_ops.to_uint8(image_ops.prepare(image, mode="letterbox", image_size=224))

    return np.stack([read(image_id).numpy() for image_id in ids])


# One photograph of each of these, and what ImageNet has for it.
SUBJECTS = {
    "06e64f6d4fb0206e": "fountain",  # the Rotonde of Aix
    "040d7aaad045bdc1": "fountain",  # the fountain of the Federation, Toulon
    "0f40e3a3287e8c2a": "triumphal arch",  # Orange
    "183b7062e235a03c": "cinema",  # the Moulin Rouge; a theatre's front
    "0533f68e728307c9": "church",  # Notre-Dame de Paris
    "01ba331edac5d4f9": "palace",  # Longchamp, Marseille
    "0325b1564a5b5a18": "palace",  # the Negresco, Nice
    "061f09fb0dd86561": "pedestal",  # a statue, Toulon
    "0ccfa2c7320849de": "promontory",  # Halong Bay
    "22d49b80dcda2040": "seashore",  # the Promenade des Anglais
}


def test_real_weights_name_what_photographs_show(real_weights, real_landmarks):
    trunk = create_backbone("mobilenet_v2", image_size=224, weights=str(real_weights)).model
    head = keras.layers.Dense(1000, activation="softmax")
    pooled = keras.layers.GlobalAveragePooling2D()(trunk.output)
    model = keras.Model(trunk.input, head(pooled))
    whole_file = WEIGHTS / "mobilenet_v2_1.0_224_tfhub_dequant.h5"
    with h5py.File(whole_file) as file:
        group = file["predictions"]
        head.set_weights([np.asarray(group[key]) for key in group.attrs["weight_names"]])
    labels = (WEIGHTS / "imagenet_labels.txt").read_text().splitlines()[1:]

    images = photographs(real_landmarks, "index", list(SUBJECTS))
    scores = model.predict(images, verbose=0)
    best = [labels[row.argmax()].split(",")[0] for row in scores]
    assert best == list(SUBJECTS.values())

    # keras.applications' own network behind its own preprocessing says the same.
    theirs = keras.applications.MobileNetV2(weights=str(whole_file))
    prepared = keras.applications.mobilenet_v2.preprocess_input(images.astype(np.float32))
    np.testing.assert_allclose(scores, theirs.predict(prepared, verbose=0), atol=1e-4)


@pytest.mark.slow
def test_real_weights_retrieve_far_better_than_random_ones(real_weights, real_landmarks):
    # The reference, measured by others: 0.532 public and 0.550 private; random weights near 0.05.
    ids = {}
    for split in ("index", "test"):
        with (real_landmarks / f"{split}.csv").open(newline="") as file:
            ids[split] = [row["id"] for row in csv.DictReader(file)]
    images = {split: photographs(real_landmarks, split, ids[split]) for split in ids}
    solution = read_retrieval_solution(real_landmarks / "retrieval_solution_v2.1.csv")

    def scores(weights, images):
        keras.utils.set_random_seed(0)
        side = images["test"].shape[1]
        backbone = create_backbone("mobilenet_v2", image_size=side, weights=weights)
        embedder = build_embedder(backbone, pooling="avg")
        vectors = {split: embedder.predict(images[split], verbose=0) for split in ids}
        _, rows = ExactIndex(vectors["index"], ids["index"]).search(vectors["test"], 100)
        found = {
            q: [ids["index"][r] for r in row] for q, row in zip(ids["test"], rows, strict=True)
        }
        return [
            mean_average_precision({query: found[query] for query in part}, part)
            for part in (solution.public, solution.private)
        ]

    np.testing.assert_allclose(scores(str(real_weights), images), [0.532, 0.550], atol=0.015)
    # Every second pixel tells random weights as little as all of them.
    assert max(scores(None, {split: images[split][:, ::2, ::2] for split in ids})) < 0.08
