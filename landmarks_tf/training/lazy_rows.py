"""Optimizer steps that touch only the rows of a matrix that have a gradient ("lazy" steps).

Partial FC (An et al., CVPR 2022) scores a sample of the classes, and on TensorFlow the gradient of
the centres then holds the sampled rows alone (`tf.IndexedSlices`). Keras' optimizers with moments
make a whole matrix of it: each step decays every moment and moves every row, and so costs as much
as with all classes.
"""

from __future__ import annotations

import keras

_WHAT_FOR = "A lazy step is one of the sampled rows alone"


class LazyRows:
    """Lets a Keras optimizer step one weight by those of its rows that have a gradient.

    A base class before the optimizer's own. Of `lazy_weight` a step reads and writes the rows with
    a gradient and their slots, so that it costs in proportion to them. What that changes:

    - The moments of the other rows do not decay, and the other rows do not move. In the dense step
      they go on by their momentum, each time by less.
    - Weight decay shrinks the rows with a gradient alone.
    - A bias correction counts the steps of the training, not those of a row, as the LazyAdam of
      tensorflow-addons does.

    A step in which every row has a gradient is the dense one.

    Args:
        lazy_weight: end of the path of the weight, such as "cosines/centers"; None for dense steps
            throughout.
        *args, **kwargs: the optimizer's own.

    Raises:
        ValueError: moving averages of the weights, which would touch every row after all; another
            backend than TensorFlow, whose gradients hold every row; and, when it is built or
            steps, not just one such weight, or one whose gradient holds every row.
    """

    def __init__(self, *args, lazy_weight: str | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.lazy_weight = lazy_weight
        self._lazy_place = None
        if lazy_weight is None:
            return
        if self.use_ema:
            raise ValueError(
                f"{_WHAT_FOR}; moving averages of the weights change every row in every step. Use "
                f"one of the two. Received: lazy_weight={lazy_weight!r} with use_ema=True."
            )
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                f"{_WHAT_FOR}, for which the gradient must hold no others: so it does on "
                f"TensorFlow alone. Received: the {keras.backend.backend()} backend."
            )

    def build(self, variables):
        if self.lazy_weight is not None and not self.built:
            places = [p for p, v in enumerate(variables) if v.path.endswith(self.lazy_weight)]
            if len(places) != 1:
                raise ValueError(
                    f"Expected one trained weight whose path ends with {self.lazy_weight!r}. "
                    f"Found {len(places)} among {', '.join(v.path for v in variables)}."
                )
            self._lazy_place = places[0]
            # The decay of its rows is a part of their step.
            self.exclude_from_weight_decay(var_list=[variables[places[0]]])
        super().build(variables)

    def update_step(self, gradient, variable, learning_rate):
        of_rows = hasattr(gradient, "indices")
        if self.lazy_weight is None or self._get_variable_index(variable) != self._lazy_place:
            # Keras squares what a row has from each replica, not the sum.
            gradient = without_repeats(gradient) if of_rows else gradient
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        if not of_rows:
            raise ValueError(
                f"{_WHAT_FOR}, but the gradient of {self.lazy_weight} holds all rows: let the head "
                f"sample its classes, or leave lazy_weight out."
            )
        rows, slopes = summed_rows(gradient)
        slots = [slot.value for slot in self.slots_at(self._lazy_place)]
        weight, *others = (tf.gather(whole, rows) for whole in (variable, *slots))
        rate = tf.cast(learning_rate, variable.dtype)
        after = self.step_rows(tf.cast(slopes, variable.dtype), weight, others, rate)
        for whole, values in zip((variable, *slots), after, strict=True):
            whole.scatter_update(tf.IndexedSlices(values, rows))

    def slots_at(self, place: int) -> list:
        """The slots of the weight at that place of the list that the optimizer was built with."""
        raise NotImplementedError

    def step_rows(self, slopes, weight, slots: list, rate) -> tuple:
        """(S, D) gradients, rows of the weight and of each slot, the rate -> new rows of each."""
        raise NotImplementedError

    def get_config(self):
        return {**super().get_config(), "lazy_weight": self.lazy_weight}


def summed_rows(slices) -> tuple:
    """`tf.IndexedSlices` -> its rows (S,), and (S, D) the sum of what it holds for each.

    A row stands twice where micro-batches or replicas have it both; it then has its whole sum
    twice. Shapes are those of the slices.
    """
    import tensorflow as tf

    place = _one_place_of_each(slices)
    return slices.indices, tf.gather(_summed_at(place, slices), place)


def without_repeats(slices):
    """`tf.IndexedSlices` of the same matrix in which all but one entry of each row are 0.

    So its values have the norm of the matrix.
    """
    import tensorflow as tf

    values = _summed_at(_one_place_of_each(slices), slices)
    return tf.IndexedSlices(values, slices.indices, slices.dense_shape)


def joined(first, second):
    """The sum of two `tf.IndexedSlices` of one shape, as one."""
    import tensorflow as tf

    return tf.IndexedSlices(
        tf.concat([first.values, second.values], axis=0),
        tf.concat([first.indices, second.indices], axis=0),
        first.dense_shape,
    )


def _one_place_of_each(slices):
    """(S,) rows -> (S,) the last place at which the same row stands."""
    import tensorflow as tf

    rows = slices.indices
    last = tf.zeros(slices.dense_shape[:1], tf.int32)
    last = tf.tensor_scatter_nd_max(last, rows[:, None], tf.range(tf.shape(rows)[0]))
    return tf.gather(last, rows)


def _summed_at(place, slices):
    import tensorflow as tf

    return tf.math.unsorted_segment_sum(slices.values, place, tf.shape(place)[0])
