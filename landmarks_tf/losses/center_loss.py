"""A softmax over cosines whose scores are computed where the loss is: fused, streamed, sampled."""

from __future__ import annotations

import keras
from keras import ops

from landmarks_tf.losses.center_softmax import center_cross_entropy
from landmarks_tf.losses.class_weighted import ClassWeightedLoss, weigh_by_class
from landmarks_tf.losses.cross_entropy import CrossEntropyLoss
from landmarks_tf.losses.float32 import Float32Loss
from landmarks_tf.losses.sampled_classes import sample_classes, sample_size
from landmarks_tf.losses.target_column import class_ids, nan_unless

SOFTMAX_FORMS = ("fused", "streamed")
# Scores computed at a time: they stay within a CPU's caches.
_CHUNK_SCORES = 2**20


@keras.saving.register_keras_serializable(package="landmarks_tf")
class CenterLoss(Float32Loss):
    """Another loss over cosines, of the unit rows of a network that ends with `ClassCenters`.

    The values are those of the other loss over the cosines, the gradients too. "fused" holds one
    tensor of the scores' size beside the centres' gradient, and two more before that is made;
    "streamed" holds none, and computes the scores twice. Where the head samples, a training step
    scores a part of the classes (Partial FC).

    A model that was loaded from a file has lost the head: give it `follow` before training on.

    Args:
        loss: `ArcFaceLoss`, `CosFaceLoss`, `NormSoftmaxLoss`, `AdaCosLoss` (not adaptive), or one
            of them in a `ClassWeightedLoss`. Its own reduction is not used.
        form: one of `SOFTMAX_FORMS`.
        classes_per_batch: so many different classes a batch has at most, such as P of P x K
            batches: a sample then has room for these, and its rate counts on small class sets too.
            None for as many as the batch has rows.
        name: the loss' name; that of `loss` if not given.
        **kwargs: `dtype` and `reduction`, as every loss here.

    Call: labels (B,) in [0, N), unit rows (B, D) -> one value per row, reduced by Keras. A label
    out of range gives NaN, and so does a row whose class the sample has no room for because the
    batch has more classes than `classes_per_batch`: never a loss among the wrong classes.

    Raises:
        ValueError: another form, fewer than one class a batch, a loss that needs all scores at
            once, a dtype other than float32, or (when called) no head.
    """

    def __init__(
        self,
        loss,
        form: str = "fused",
        name: str | None = None,
        classes_per_batch: int | None = None,
        **kwargs,
    ):
        plain = loss.loss if isinstance(loss, ClassWeightedLoss) else loss
        if not isinstance(plain, CrossEntropyLoss):
            raise ValueError(
                f"Only softmax losses over cosines can be computed from the centres. Received: "
                f"loss={loss!r}."
            )
        plain.check_own_alone()
        if form not in SOFTMAX_FORMS:
            raise ValueError(
                f"Expected a form among {', '.join(SOFTMAX_FORMS)}. Received: form={form!r}."
            )
        if classes_per_batch is not None and classes_per_batch < 1:
            raise ValueError(
                f"A batch has at least 1 class. Received: classes_per_batch={classes_per_batch}."
            )
        super().__init__(name=name or loss.name, **kwargs)
        self.loss = loss
        self.form = form
        self.classes_per_batch = classes_per_batch
        self._plain = plain
        self._head = None

    def follow(self, head) -> None:
        """Read the centres of a built `landmarks_tf.layers.ClassCenters` from now on."""
        self._head = head

    def call(self, y_true, y_pred):
        head = self._head
        if head is None:
            raise ValueError(
                "The loss reads the class centres of a layer and has none, as after loading a "
                "model. Call follow(layer) with the network's ClassCenters layer."
            )
        ids, known = class_ids(y_true, head.num_classes)
        scale, change = self._plain.own_alone(ids, head.num_classes)
        if head.is_sampled:
            size = sample_size(
                head.num_classes, head.sample_rate, y_pred.shape[0], self.classes_per_batch
            )
            classes, places = sample_classes(ids, head.num_classes, size, head.seed_generator)
            known = ops.logical_and(known, ops.take(classes, places) == ids)
            centers = _centers_of(classes, head)
        else:
            places, centers = ids, ops.convert_to_tensor(head.centers)
        losses, hits = center_cross_entropy(
            places,
            y_pred,
            centers,
            change,
            scale=scale,
            subcenters=head.subcenters,
            label_smoothing=self._plain.label_smoothing,
            chunk_classes=(
                chunk_classes(y_pred.shape[0], head.subcenters) if self.form == "streamed" else None
            ),
        )
        head.accuracy.update_state(ops.cast(ops.logical_and(hits, known), "float32"))
        losses = nan_unless(known, losses)
        if self._plain is self.loss:
            return losses
        return weigh_by_class(y_true, losses, self.loss.weights)

    def get_config(self):
        loss = keras.saving.serialize_keras_object(self.loss)
        return {
            **super().get_config(),
            "loss": loss,
            "form": self.form,
            "classes_per_batch": self.classes_per_batch,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "loss": keras.saving.deserialize_keras_object(config["loss"])})


def chunk_classes(batch_size: int | None, subcenters: int = 1) -> int:
    """Classes that a streamed softmax scores at a time: so many that the batch is no matter."""
    return max(64, _CHUNK_SCORES // ((batch_size or 256) * subcenters))


def _centers_of(classes, head):
    """(S,) classes -> their (S * K, D) centres."""
    rows = classes[:, None] * head.subcenters + ops.arange(head.subcenters, dtype="int32")
    rows = ops.reshape(rows, (-1,))
    value = head.centers.value
    try:
        # A variable of TensorFlow: to read all of it is to copy it, once a step has written rows.
        return value.sparse_read(rows)
    except AttributeError:  # another backend's, or one that several devices hold
        return ops.take(value, rows, axis=0)
