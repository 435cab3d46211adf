"""The sections of a recipe: which pictures, network, loss, optimisation, evaluation and export."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Data:
    """Which pictures train, and how they become a batch.

    Attributes:
        train_set: which of a raw folder's pictures train: "clean" (train_clean.csv), "c2x" (all of
            the clean classes) or "full" (train.csv); None for the clean ones where they are listed,
            else all. Records are taken as they are.
        min_images_per_class: classes with fewer clean training pictures are left out.
        validation_fraction: part of the training pictures that is held out, in [0, 1).
        validation_split: "random" by picture, "per-class" as DELF does, or "one-per-class": one of
            each class of at least four (hav4ik's), with a `validation_fraction` of 0.
        split_seed: seed of that split.
        expected_classes: how many classes the source trains on: `--show` counts parameters with
            it, and a full-size run that finds another number says so. None where none is stated.
        image_size: side of the square input in pixels.
        resize: a mode of landmarks_tf.data.image_ops, such as "letterbox", "squash" or
            "center_crop" (short side to `image_size`, then crop).
        augment: a policy of landmarks_tf.data.augment, or several joined by "+".
        decoding: how much of a training picture is decoded (landmarks_tf.data.jpeg): "whole",
            "crop" (the same pictures from less work, where `augment` crops) or "scaled" (others).
        mixup: a of Beta(a, a): pictures of a batch are blended two by two, with their labels (0.1
            to 0.4 is usual); 0 for none. For "cross_entropy" and "norm_softmax".
        cutmix: the same for boxes of one picture pasted into another (1 is usual). With both, each
            batch has either.
        sampling: "shuffled", "class_balanced" (P classes x K pictures), or "weighted" (each picture
            by its class' size).
        class_power: a: of "weighted", where a picture of a class of n weighs n ** -a (0.5: Kaggle
            2020, akensert); of "class_balanced", where a class is as likely as its pictures weigh
            together, and None makes all classes equally likely.
        batch_size: pictures a step over all devices; for "class_balanced" it is P * K.
        classes_per_batch: P; 0 without "class_balanced".
        images_per_class: K; 0 without "class_balanced".
        replace_damaged: in training a record that cannot be read or decoded is named, counted and
            replaced by another picture of its class, where the default stops.
    """

    train_set: str | None = None
    min_images_per_class: int = 1
    validation_fraction: float = 0.1
    validation_split: str = "random"
    split_seed: int = 0
    expected_classes: int | None = None
    image_size: int = 224
    resize: str = "letterbox"
    augment: str = "none"
    decoding: str = "whole"
    mixup: float = 0.0
    cutmix: float = 0.0
    sampling: str = "shuffled"
    class_power: float | None = None
    batch_size: int = 64
    classes_per_batch: int = 0
    images_per_class: int = 0
    replace_damaged: bool = False


@dataclass(frozen=True)
class Model:
    """The network: see landmarks_tf.models for what each name means.

    Attributes:
        weights: None (random), "imagenet", a name of landmarks_tf.models.pretrained, or the path of
            a file.
        preprocessing: what the backbone reads; None for what its weights expect.
        trainable: the backbone's layers that are trained, by how their names begin; "@norms" for
            its norms, "@nothing" for none of it; empty for all.
        pooling: a name of landmarks_tf.models.pooling; "gem:P" starts GeM's exponent at P.
        neck: parts in order, as landmarks_tf.models.neck takes them.
        embedding_dim: width of the neck's plain "dense" part, None without one.
        dropout: rate of the neck's plain "dropout" part and before a softmax head.
        auxiliary_weight: weight of the auxiliary classifier's loss; 0 leaves the head out.
    """

    backbone: str = "inception_v200"
    weights: str | None = None
    preprocessing: str | None = None
    trainable: tuple[str, ...] = ()
    pooling: str = "avg"
    neck: tuple[str, ...] = ()
    embedding_dim: int | None = None
    dropout: float = 0.5
    head: str = "softmax"
    subcenters: int = 1
    auxiliary_weight: float = 0.0


@dataclass(frozen=True)
class Loss:
    """What is minimised.

    None leaves a setting at the loss' own default; one that the loss does not read is refused
    before training starts (landmarks_tf.losses says what each means).

    Attributes:
        name: a loss of experiments.stages.networks.
        margin: radians for "arcface", a cosine for "cosface", "circle" and "proxy_anchor", a
            distance for "triplet" and "contrastive".
        scale: factor of the cosines of "arcface", "cosface", "circle" and "proxy_anchor".
        dynamic_margin: "arcface" and "cosface": a margin for each class by its number of training
            pictures, in place of `margin`; from `margin_low` for the largest class to `margin_high`
            for the smallest, by n ** -`margin_power`.
        margin_schedule: "arcface" and "cosface": "step" or "linear": the margin changes with the
            training step (of its stage), in place of a fixed `margin`.
        margin_values: of the schedule: margins; factors of the margins by class size where
            `dynamic_margin` gives them. The last is the final one.
        margin_steps: of the schedule: the step at which each value is reached; 0 first.
        adaptive: "adacos": the scale follows each batch.
        label_smoothing: the losses over classes: "cross_entropy", "arcface", "cosface", "adacos"
            and "norm_softmax".
        class_weights: the same losses: each picture weighs 1 / log(n + 1), n the number of training
            pictures of its class.
        mining: "triplet": "all", "hard" or "semi_hard".
        distance: "triplet": "squared", "euclidean" or "cosine".
        soft_margin: "triplet": no margin, but log(1 + exp(...)).
        average: "triplet" and "contrastive": over "all" or "nonzero" terms.
        temperature: "supervised_contrastive" and "norm_softmax".
        alpha, beta, base: "multi_similarity".
        epsilon: "multi_similarity": slack of the mining; "ge2e": inside of the logarithm.
        form: "ge2e": "softmax" or "contrast"; "arcface": "hard", "easy" or "plain".
        softmax: "arcface", "cosface", "adacos" and "norm_softmax": "fused" or "streamed": the
            scores are computed in the loss, for many classes (landmarks_tf.losses.CenterLoss).
        sample_rate: the same losses: part of the classes that a training step scores (Partial FC).
    """

    name: str = "cross_entropy"
    margin: float | None = None
    scale: float | None = None
    dynamic_margin: bool | None = None
    margin_low: float | None = None
    margin_high: float | None = None
    margin_power: float | None = None
    margin_schedule: str | None = None
    margin_values: tuple[float, ...] | None = None
    margin_steps: tuple[int, ...] | None = None
    adaptive: bool | None = None
    label_smoothing: float | None = None
    class_weights: bool | None = None
    mining: str | None = None
    distance: str | None = None
    soft_margin: bool | None = None
    average: str | None = None
    temperature: float | None = None
    alpha: float | None = None
    beta: float | None = None
    base: float | None = None
    epsilon: float | None = None
    form: str | None = None
    softmax: str | None = None
    sample_rate: float | None = None


@dataclass(frozen=True)
class Train:
    """The recipe of the optimisation.

    Attributes:
        epochs: passes over the training pictures; used when `steps` is 0.
        steps: optimizer steps; overrides `epochs` when above 0.
        weight_decay: coupled L2 for "adam", decoupled for "adamw".
        schedule: of the learning rate, a name of landmarks_tf.training.schedules.
        floor: where "cosine", "linear" and "polynomial" end.
        halve_every: of "halving", in steps.
        milestones: of "step": the steps at which the rate is multiplied by `factor`.
        factor: of "step"; None for 0.1.
        power: of "polynomial"; None for 2.
        warmup_steps: linear rise from 0 in front of any schedule.
        clip_global_norm: bound on the gradients' common L2 norm, or None.
        ema_momentum: of moving averages of the weights, which then stand for the network in
            validation and evaluation and in what is saved; None for none.
        precision: a Keras dtype policy.
        strategy: which devices train, a name of landmarks_tf.training.distribution.
        micro_batches: parts of a device's share of a batch, one after the other, for one update: as
            much memory as a part needs. Losses that compare pictures compare those of a part.
        gather: losses that compare pictures compare those of all devices, not of each alone. On JAX
            they do so anyway.
        shard_centers: the class centres of the cosine head and their optimizer slots are split over
            the devices; on JAX only.
        lazy_centers: with `loss.sample_rate`: a step touches the sampled class centres and their
            moments alone (landmarks_tf.training.lazy_rows); on TensorFlow only.
        deterministic: ask the framework for bit-reproducible kernels.
        overfit: no training, but a check whether one batch can be learnt by heart.
    """

    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    floor: float = 1e-6
    halve_every: int = 25_000
    milestones: tuple[int, ...] = ()
    factor: float | None = None
    power: float | None = None
    warmup_steps: int = 0
    epsilon: float = 1e-7
    weight_decay: float = 0.0
    clip_global_norm: float | None = None
    ema_momentum: float | None = None
    epochs: int = 1
    steps: int = 0
    log_every: int = 100
    checkpoint_every: int = 1000
    validate_every: int = 5000
    precision: str = "float32"
    strategy: str = "auto"
    micro_batches: int = 1
    gather: bool = False
    shard_centers: bool = False
    lazy_centers: bool = False
    seed: int = 0
    deterministic: bool = False
    overfit: bool = False


@dataclass(frozen=True)
class Evaluation:
    """How the trained network is judged.

    Attributes:
        recognition: "softmax" takes the classifier's own class and confidence; "knn" votes among
            the nearest training pictures.
        knn_neighbours: k of "knn".
        knn_vote: how they vote, a scheme of landmarks_tf.retrieval.votes.
        reference_penalty: "knn": weight of a training picture's likeness to non-landmarks
            (landmarks_tf.retrieval.open_set), 0 for none. They are the public queries without a
            landmark, none compared with itself: only the private score is one of unseen queries.
        query_penalty: the same for a query's likeness.
        untrained_baseline: also embed and score the network before its first step.
        scales: sizes of a picture that are described, as factors of `data.image_size`; the exported
            model describes one.
        scale_pooling: how they become one descriptor, "sum" or "mean".
        flip: describe the mirror image too.
        search_device: where exact search multiplies: "cpu", "gpu" (through JAX), or "auto" (a GPU
            where JAX sees one). The rankings are the same.
    """

    batch_size: int = 64
    recognition: str = "softmax"
    knn_neighbours: int = 5
    knn_vote: str = "cosine"
    reference_penalty: float = 0.0
    query_penalty: float = 0.0
    untrained_baseline: bool = False
    scales: tuple[float, ...] = (1.0,)
    scale_pooling: str = "sum"
    flip: bool = False
    search_device: str = "cpu"


@dataclass(frozen=True)
class Export:
    """What an exported model must hold to.

    Attributes:
        parity_tolerance: largest difference of any coordinate of the unit descriptor between the
            Keras model and the SavedModel; worse is refused.
        parity_images: how many test pictures are compared.
    """

    parity_tolerance: float = 1e-4
    parity_images: int = 16
