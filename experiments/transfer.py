"""Pre-trained backbones fine-tuned with a margin loss: the usual start on one's own pictures.

    python -m experiments.run --exp mobilenet_v2_arcface --data PICTURES
    python -m experiments.run --exp mobilenet_v2_arcface --data PICTURES --set model.weights=FILE.h5

No paper's recipe: MobileNetV2 (Sandler et al., CVPR 2018) with ArcFace (S1's margin 0.35 and scale
30) on class-balanced batches, small enough for a CPU.
"""

from __future__ import annotations

from experiments.config import Data, Evaluation, Experiment, Loss, Model, Train

MOBILENET_V2_ARCFACE = Experiment(
    name="mobilenet_v2_arcface",
    summary="ImageNet MobileNetV2 fine-tuned with ArcFace on class-balanced batches",
    source="ours; loss as S1 (margin 0.35, scale 30)",
    data=Data(
        min_images_per_class=2,
        validation_fraction=0.1,
        validation_split="per-class",
        expected_classes=81_313,
        image_size=224,
        resize="letterbox",
        augment="flip_jitter",
        sampling="class_balanced",
        batch_size=64,
        classes_per_batch=16,
        images_per_class=4,
    ),
    model=Model(
        backbone="mobilenet_v2",
        weights="imagenet",
        head="cosine",
        pooling="gem",
    ),
    loss=Loss(name="arcface", margin=0.35, scale=30.0),
    train=Train(
        optimizer="adamw",
        learning_rate=3e-4,
        weight_decay=1e-4,
        schedule="cosine",
        warmup_steps=100,
        epochs=10,
    ),
    evaluation=Evaluation(recognition="knn"),
    demo=(
        ("data.expected_classes", None),
        ("data.image_size", 192),
        ("data.batch_size", 32),
        ("data.classes_per_batch", 8),
        ("train.learning_rate", 5e-4),
        ("train.epochs", 10),
        ("train.warmup_steps", 20),
        ("train.log_every", 10),
        ("train.checkpoint_every", 50),
        ("train.validate_every", 100),
        ("evaluation.untrained_baseline", True),
    ),
)

RECIPES = (MOBILENET_V2_ARCFACE,)
