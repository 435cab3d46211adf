"""S4's networks: ResNet50 with most layers frozen, and SE-ResNeXt101 with a linear layer.

    python -m experiments.run --exp resnet50_conv5 --data GLDV2

Source: "Google Landmark Recognition" (Patel, Taneja, Aradhey, NC State), reproduction.md section
3.2. The baseline's layers, counts and freezing are the source's; its dropout rate, activations,
optimizer, rate, batch and epochs are stated nowhere and are ours, and so is the magnitude of each
augmentation. The proposed network is trained with a triplet loss in the source, whose margin,
mining, normalisation and batches are stated nowhere: ours are FaceNet's. Beside it stands the same
network with ArcFace, which the authors name as future work. Never run at full size here.
"""

from __future__ import annotations

from dataclasses import replace

from experiments.config import Data, Evaluation, Experiment, Loss, Model, Published, Train

_TABLE = "S4, 943 sampled classes, about 18,000 images"
_KERAS_NORM = "batch_norm:0.99:0.001"

RESNET50_CONV5 = Experiment(
    name="resnet50_conv5",
    summary="ImageNet ResNet50, only its last stage and a three-layer head trained (S4's baseline)",
    source="S4: layers and freezing; dropout 0.5, Adam 1e-4, batch 32, 20 epochs are ours",
    data=Data(
        validation_fraction=0.1,
        validation_split="per-class",
        expected_classes=943,
        image_size=224,
        resize="squash",
        augment="s4",
        batch_size=32,
    ),
    model=Model(
        backbone="resnet50_keras",
        weights="imagenet",
        trainable=("conv5",),
        neck=(
            _KERAS_NORM,
            "dense:1024",
            "relu",
            "dropout:0.5",
            _KERAS_NORM,
            "dense:512",
            "relu",
            _KERAS_NORM,
        ),
        head="softmax",
        dropout=0.0,
    ),
    train=Train(optimizer="adam", learning_rate=1e-4, schedule="constant", epochs=20),
    evaluation=Evaluation(recognition="softmax"),
    published=(
        Published("f1_top1_percent", 62.3, _TABLE),
        Published("top1_percent", 65.0, _TABLE),
        Published("top5_percent", 78.0, _TABLE),
    ),
    demo=(
        ("data.expected_classes", None),
        ("data.image_size", 64),
        ("model.weights", None),
        # Random features are worth nothing frozen.
        ("model.trainable", ()),
        ("train.epochs", 5),
        ("train.log_every", 10),
        ("train.checkpoint_every", 50),
        ("train.validate_every", 100),
        ("evaluation.untrained_baseline", True),
    ),
)

SE_RESNEXT101_TRIPLET = replace(
    RESNET50_CONV5,
    name="se_resnext101_triplet",
    summary="ImageNet SE-ResNeXt101 with a linear layer and triplets (S4's proposal)",
    source="S4: network, linear layer, triplets, k = 3; margin, mining, sizes, batches are ours",
    data=replace(
        RESNET50_CONV5.data,
        sampling="class_balanced",
        classes_per_batch=8,
        images_per_class=4,
    ),
    model=Model(
        backbone="se_resnext101",
        weights="imagenet",
        neck=("dense",),
        embedding_dim=512,
        head="embedding",
    ),
    loss=Loss(name="triplet", margin=0.2, mining="semi_hard", distance="squared"),
    evaluation=Evaluation(recognition="knn", knn_neighbours=3),
    published=(
        Published("f1_top1_percent", 72.0, _TABLE),
        Published("top1_percent", 75.8, _TABLE),
        Published("top5_percent", 90.4, _TABLE),
    ),
)

SE_RESNEXT101_ARCFACE = replace(
    SE_RESNEXT101_TRIPLET,
    name="se_resnext101_arcface",
    summary="ImageNet SE-ResNeXt101 with a linear layer (S4's proposal), trained with ArcFace",
    source="S4: network and linear layer; ArcFace where the source has triplets, sizes ours",
    model=replace(SE_RESNEXT101_TRIPLET.model, head="cosine"),
    loss=Loss(name="arcface"),
    published=tuple(
        replace(number, where=f"{_TABLE}, trained with triplets")
        for number in SE_RESNEXT101_TRIPLET.published
    ),
)

RECIPES = (RESNET50_CONV5, SE_RESNEXT101_TRIPLET, SE_RESNEXT101_ARCFACE)
