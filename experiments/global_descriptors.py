"""S1's networks on ResNet-101: ArcFace, GE2E, a classification baseline and a U-Net baseline.

    python -m experiments.run --exp resnet101_arcface --data GLDV2

Source: "landmark-retrieval" (Wang, Wang, Cui, University of Toronto), report and programs
(reproduction.md section 2). Where our recipes differ from the programs: pictures are standardised
as the ImageNet weights expect, where the programs fed BGR over 255
(`--set model.preprocessing=bgr_unit` does as they did); the validation pictures are held out, where
theirs were the training pictures, augmented; the class centres are in the checkpoint; and mAP is
cut off at 100 for all of them, where three of their four programs cut at 5. Never run at full size
here.
"""

from __future__ import annotations

from dataclasses import replace

from experiments.config import Data, Evaluation, Experiment, Loss, Model, Published, Train

_FULL_INDEX = "S1, index of 761,757 images, 1,129 queries, 35,000 steps"

RESNET101_ARCFACE = Experiment(
    name="resnet101_arcface",
    summary="ResNet-101 with ArcFace (S1): the best of the report's three systems",
    source="S1: margin 0.35, scale 30, 48 classes x 5 pictures, SGD 0.01 halved every 25,000 steps",
    data=Data(
        validation_fraction=0.0,
        expected_classes=81_313,
        image_size=224,
        resize="letterbox",
        augment="s1",
        sampling="class_balanced",
        batch_size=240,
        classes_per_batch=48,
        images_per_class=5,
    ),
    model=Model(
        backbone="resnet101",
        weights="imagenet",
        head="cosine",
        neck=("dropout", "dense", "batch_norm"),
        embedding_dim=512,
    ),
    loss=Loss(name="arcface", margin=0.35, scale=30.0),
    train=Train(
        optimizer="sgd",
        learning_rate=0.01,
        schedule="halving",
        halve_every=25_000,
        steps=35_000,
        checkpoint_every=250,
    ),
    evaluation=Evaluation(recognition="knn"),
    published=(
        Published("map_at_100_public", 0.214198, _FULL_INDEX),
        Published("map_at_100_private", 0.233212, _FULL_INDEX),
    ),
    # A CPU gets through a few hundred steps of a small picture, from random weights.
    demo=(
        ("data.expected_classes", None),
        ("data.validation_fraction", 0.1),
        ("data.image_size", 64),
        ("data.batch_size", 32),
        ("data.classes_per_batch", 8),
        ("data.images_per_class", 4),
        ("model.weights", None),
        ("train.steps", 300),
        ("train.log_every", 10),
        ("train.checkpoint_every", 50),
        ("train.validate_every", 100),
        ("evaluation.untrained_baseline", True),
    ),
)

RESNET101_GE2E = replace(
    RESNET101_ARCFACE,
    name="resnet101_ge2e",
    summary="ResNet-101 with the generalised end-to-end loss (S1), which needs no classifier",
    source="S1: w 10, b -5 and their gradients times 0.01; epsilon 1e-6; gradients clipped at 3",
    model=replace(RESNET101_ARCFACE.model, head="ge2e"),
    loss=Loss(name="ge2e", form="softmax", epsilon=1e-6),
    train=replace(RESNET101_ARCFACE.train, clip_global_norm=3.0),
    published=(
        Published("map_at_100_public", 0.061897, _FULL_INDEX),
        Published("map_at_100_private", 0.071373, _FULL_INDEX),
    ),
)

RESNET101_CLASSIFICATION = replace(
    RESNET101_ARCFACE,
    name="resnet101_classification",
    summary="ResNet-101 with an 81,313-way softmax (S1's code; not in its report)",
    source="S1's cls program: dropout 0.5 and a dense layer on the 2048 pooled features",
    model=Model(backbone="resnet101", weights="imagenet", head="softmax", dropout=0.5),
    loss=Loss(name="cross_entropy"),
    published=(),
)

RESNET101_UNET = replace(
    RESNET101_ARCFACE,
    name="resnet101_unet",
    summary="U-Net over ResNet-101 that draws its own input (S1's baseline)",
    source="S1: mean squared error against the augmented input; the pooled 2048 are the embedding",
    model=Model(backbone="resnet101", weights="imagenet", head="reconstruction"),
    loss=Loss(name="mean_squared_error"),
    published=(
        Published("map_at_100_public", 0.017318, _FULL_INDEX),
        Published("map_at_100_private", 0.019721, _FULL_INDEX),
    ),
)

RECIPES = (RESNET101_ARCFACE, RESNET101_GE2E, RESNET101_CLASSIFICATION, RESNET101_UNET)
