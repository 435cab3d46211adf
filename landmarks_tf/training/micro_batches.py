"""Gradient accumulation inside a step: a batch in M parts, one after the other, one update.

Keras' own `gradient_accumulation_steps` branches on the step number around the update, which
MirroredStrategy refuses (`merge_call`). Here a step is the whole batch, and nothing branches: it
works under every strategy, under XLA, and on JAX.
"""

from __future__ import annotations

import types

import keras

from landmarks_tf.training.lazy_rows import joined, without_repeats


def use_micro_batches(model: keras.Model, parts: int) -> None:
    """Train a compiled model on each batch in equal parts, by the mean of their gradients.

    Memory for activations is that of one part (on JAX's CPU it hardly falls: there the parts are
    unrolled for speed). For a loss that looks at each row alone the update
    is that of the undivided batch. A loss over the pairs of a batch compares the rows of a part:
    with `parts` of P / M whole classes each, the update is the mean of M smaller batches'. Batch
    norm, too, sees parts, and moves its statistics at each. The metrics count every row.

    A replica (a device, on JAX) divides its own share, so that each part is spread over all.

    Args:
        model: compiled; it is changed in place. Its `compute_loss` may be a subclass' own.
        parts: M, at least 1; must divide the rows of each replica.

    Raises:
        ValueError: `parts` below 1, or a backend other than TensorFlow and JAX.
    """
    if parts < 1:
        raise ValueError(f"A batch has at least 1 part. Received: parts={parts}.")
    steps = {"tensorflow": _tensorflow_step, "jax": _jax_step}
    backend = keras.backend.backend()
    if backend not in steps:
        raise ValueError(f"Micro-batches need TensorFlow or JAX. Received: {backend!r}.")
    # On the instance: any subclass of Model keeps its own `compute_loss`, and the saved file names
    # the class it was.
    model.train_step = types.MethodType(steps[backend](parts), model)
    model.train_function = None


def _tensorflow_step(parts: int):
    import tensorflow as tf

    def identity(tensor):
        return None if tensor is None else tf.identity(tensor)

    def part_of(tensor, number: int):
        if tensor is None:
            return None
        return tf.reshape(tensor, (parts, -1, *tensor.shape[1:]))[number]

    def train_step(model, data):
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        weights = model.trainable_weights
        gradients = None
        for number in range(parts):
            # One part after the other, or the memory of all would be held at once.
            done = [g for g in gradients or () if g is not None]
            with tf.control_dependencies(done):
                whole = tf.nest.map_structure(identity, data)
            some = tf.nest.map_structure(lambda t, n=number: part_of(t, n), whole)
            x, y, weight = keras.utils.unpack_x_y_sample_weight(some)
            with tf.GradientTape() as tape:
                y_pred = model(x, training=True)
                loss = model.compute_loss(x, y, y_pred, weight, training=True)
                scaled = model.optimizer.scale_loss(loss / parts)
            gradients = _sum(gradients, tape.gradient(scaled, weights))
            # Keras has divided the loss by the replicas.
            _count_loss(model, loss * replicas, tf.shape(tf.nest.flatten(x)[0])[0])
            logs = model.compute_metrics(x, y, y_pred, sample_weight=weight)
        # Rows of a sampled head that several parts have stand there once for each.
        gradients = [
            without_repeats(g) if isinstance(g, tf.IndexedSlices) else g for g in gradients
        ]
        model.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return logs

    return train_step


def _jax_step(parts: int):
    import jax

    def train_step(model, state, data):
        trainable, non_trainable, optimizer_state, metrics = state
        compute = jax.value_and_grad(model.compute_loss_and_updates, has_aux=True)

        def one_part(carry, some):
            # One part after the other, where the loop is unrolled.
            carry, some = jax.lax.optimization_barrier((carry, some))
            gradients, non_trainable, metrics = carry
            x, y, weight = keras.utils.unpack_x_y_sample_weight(some)
            (_, (loss, y_pred, non_trainable, metrics)), new = compute(
                trainable,
                non_trainable,
                metrics,
                x,
                y,
                weight,
                training=True,
                optimizer_variables=optimizer_state,
            )
            gradients = [total + g / parts for total, g in zip(gradients, new, strict=True)]
            metrics, logs = _jax_metrics(model, metrics, loss, x, y, y_pred, weight)
            return (gradients, non_trainable, metrics), logs

        zeros = [jax.numpy.zeros_like(v) for v in trainable]
        start = (zeros, list(non_trainable), list(metrics))
        split = jax.tree.map(lambda rows: _spread_parts(rows, parts), data)
        # In a loop XLA convolves on the CPU without its threads, 17 times as slowly (measured).
        unroll = parts if jax.default_backend() == "cpu" else 1
        (gradients, non_trainable, metrics), logs = jax.lax.scan(
            one_part, start, split, unroll=unroll
        )
        trainable, optimizer_state = model.optimizer.stateless_apply(
            optimizer_state, gradients, trainable
        )
        last = jax.tree.map(lambda by_part: by_part[-1], logs)
        return last, (trainable, non_trainable, optimizer_state, metrics)

    return train_step


def _spread_parts(rows, parts: int):
    """(B, ...) -> (M, B / M, ...): each part has its share of each device's rows, in order."""
    mesh = keras.distribution.distribution()
    devices = 1 if mesh is None else mesh.num_model_replicas
    by_device = rows.reshape(devices, parts, -1, *rows.shape[1:])
    return by_device.swapaxes(0, 1).reshape(parts, -1, *rows.shape[1:])


def _jax_metrics(model, variables, loss, x, y, y_pred, weight):
    """The metrics' new variables, and their values."""
    mapping = list(zip(model.metrics_variables, variables, strict=True))
    with keras.StatelessScope(state_mapping=mapping) as scope:
        _count_loss(model, loss, keras.tree.flatten(x)[0].shape[0])
        logs = model.compute_metrics(x, y, y_pred, sample_weight=weight)
    return [scope.get_current_value(v) for v in model.metrics_variables], logs


def _count_loss(model, loss, rows) -> None:
    for metric in model.metrics:
        if metric.name == "loss":
            metric.update_state(loss, sample_weight=rows)


def _sum(totals, gradients):
    if totals is None:
        return gradients
    return [_added(total, g) for total, g in zip(totals, gradients, strict=True)]


def _added(total, gradient):
    if total is None:
        return gradient
    # Of some rows of a matrix: TensorFlow's slices do not add.
    return joined(total, gradient) if hasattr(total, "indices") else total + gradient
