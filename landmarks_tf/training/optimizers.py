"""The optimizers of the sources, with their weight decay and epsilon as the sources have them."""

from __future__ import annotations

import math

import keras
from keras import ops

from landmarks_tf.training.lazy_rows import LazyRows, without_repeats

OPTIMIZERS = ("adam", "adamw", "sgd")


class ClipsTheWholeBatch:
    """Makes `global_clipnorm` bound the gradient of the whole batch, on however many devices.

    Keras 3 clips what each replica has of the gradient, and adds up afterwards: with two devices
    the step is another one than with one. Here the shares are added first.
    """

    def apply(self, grads, trainable_variables=None):
        if self.global_clipnorm and keras.backend.backend() == "tensorflow":
            grads = _clip_the_sum(list(grads), self.global_clipnorm)
        return super().apply(grads, trainable_variables)

    def _clip_gradients(self, grads):
        # Keras' own makes a whole matrix of the gradient of some rows.
        if self.global_clipnorm and any(hasattr(gradient, "indices") for gradient in grads):
            return _clipped(grads, self.global_clipnorm)
        return super()._clip_gradients(grads)


def _clipped(gradients: list, bound: float) -> list:
    import tensorflow as tf

    # The norm is that of the sums, where a row stands several times.
    whole = [without_repeats(g) if isinstance(g, tf.IndexedSlices) else g for g in gradients]
    return tf.clip_by_global_norm(whole, bound)[0]


def _clip_the_sum(gradients: list, bound: float) -> list:
    """Equal shares of the clipped sum over replicas; Keras adds them up again."""
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return gradients
    places = [place for place, gradient in enumerate(gradients) if gradient is not None]
    total = context.all_reduce(tf.distribute.ReduceOp.SUM, [gradients[p] for p in places])
    for place, gradient in zip(places, _clipped(total, bound), strict=True):
        gradients[place] = ops.divide(gradient, context.num_replicas_in_sync)
    return gradients


@keras.saving.register_keras_serializable(package="landmarks_tf")
class AdamW(LazyRows, ClipsTheWholeBatch, keras.optimizers.AdamW):
    """Keras' AdamW (Loshchilov and Hutter, ICLR 2019), clipping over all devices together.

    With `lazy_weight` that weight is stepped by its rows that have a gradient (`LazyRows`).
    """

    def slots_at(self, place):
        return [self._momentums[place], self._velocities[place]]

    def step_rows(self, slopes, weight, slots, rate):
        first, second = slots
        step = ops.cast(self.iterations + 1, weight.dtype)
        adapted = rate * ops.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        weight = weight - weight * self.weight_decay * rate
        first = first + (slopes - first) * (1 - self.beta_1)
        second = second + (ops.square(slopes) - second) * (1 - self.beta_2)
        return weight - first * adapted / (ops.sqrt(second) + self.epsilon), first, second


@keras.saving.register_keras_serializable(package="landmarks_tf")
class SGD(LazyRows, ClipsTheWholeBatch, keras.optimizers.SGD):
    """Keras' SGD, clipping over all devices together.

    With `lazy_weight` that weight is stepped by its rows that have a gradient (`LazyRows`).
    """

    def slots_at(self, place):
        return [self.momentums[place]] if self.momentum else []

    def step_rows(self, slopes, weight, slots, rate):
        if not slots:
            return (weight - slopes * rate,)
        velocity = slots[0] * self.momentum - slopes * rate
        ahead = velocity * self.momentum - slopes * rate if self.nesterov else velocity
        return weight + ahead, velocity


class _AdamL2(keras.optimizers.Optimizer):
    def __init__(
        self,
        learning_rate=0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        l2: float = 0.0,
        **kwargs,
    ):
        for name, beta in (("beta_1", beta_1), ("beta_2", beta_2)):
            if not 0 < beta < 1:
                raise ValueError(f"{name} must lie in (0, 1). Received: {name}={beta}.")
        _check_epsilon(epsilon)
        if not 0 <= l2 < math.inf:
            raise ValueError(f"l2 must not be negative. Received: l2={l2}.")
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = float(beta_1)
        self.beta_2 = float(beta_2)
        self.epsilon = float(epsilon)
        self.l2 = float(l2)

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.first_moments = [self.add_variable_from_reference(v, "momentum") for v in variables]
        self.second_moments = [self.add_variable_from_reference(v, "velocity") for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        first, second = self.first_moments[index], self.second_moments[index]
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        gradient = ops.add(gradient, ops.multiply(self.l2, variable))
        self.assign_add(first, (gradient - first) * (1 - self.beta_1))
        self.assign_add(second, (ops.square(gradient) - second) * (1 - self.beta_2))
        correction_1, correction_2 = self._corrections(variable.dtype)
        denominator = ops.sqrt(second / correction_2) + self.epsilon
        self.assign_sub(variable, rate / correction_1 * first / denominator)

    def _corrections(self, dtype) -> tuple:
        """What each moment lacks in this step for having begun at 0."""
        step = ops.cast(self.iterations + 1, dtype)
        # In float32, 1 - 0.999 has lost two of its seven digits; expm1 loses none.
        return (
            -ops.expm1(step * math.log(self.beta_1)),
            -ops.expm1(step * math.log(self.beta_2)),
        )

    def get_config(self):
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "l2": self.l2,
        }


@keras.saving.register_keras_serializable(package="landmarks_tf")
class AdamL2(LazyRows, ClipsTheWholeBatch, _AdamL2):
    """Adam (Kingma and Ba, ICLR 2015) with coupled L2, as `torch.optim.Adam` computes it.

    Two things differ from `keras.optimizers.Adam`, and both matter for S2's recipe
    (reproduction.md sections 1.9 and 6):

    - `l2 * weight` is added to the gradient before the moments, for every trainable weight, biases
      and batch norms too. Keras' own `weight_decay` is AdamW's: it shrinks the weights beside the
      adaptive step.
    - `epsilon` is added to the root of the bias-corrected second moment, as in the paper's
      algorithm 1. Keras adds it before the correction ("epsilon hat"), which makes S2's 1e-3 act
      like 0.03 in the first step.

    Args:
        learning_rate: a float or a Keras schedule.
        beta_1: decay of the first moment, in (0, 1).
        beta_2: decay of the second moment, in (0, 1).
        epsilon: see above; positive and finite.
        l2: the penalty's factor, not negative.
        lazy_weight: end of the path of a weight that is stepped by its rows that have a gradient,
            these alone being penalised (`LazyRows`); None for none.
        **kwargs: clipping, averaging and name, as every Keras optimizer.

    Raises:
        ValueError: a number out of its range.
    """

    def slots_at(self, place):
        return [self.first_moments[place], self.second_moments[place]]

    def step_rows(self, slopes, weight, slots, rate):
        first, second = slots
        slopes = slopes + self.l2 * weight
        first = first + (slopes - first) * (1 - self.beta_1)
        second = second + (ops.square(slopes) - second) * (1 - self.beta_2)
        correction_1, correction_2 = self._corrections(weight.dtype)
        denominator = ops.sqrt(second / correction_2) + self.epsilon
        return weight - rate / correction_1 * first / denominator, first, second


def create_optimizer(
    name: str,
    learning_rate,
    *,
    weight_decay: float = 0.0,
    epsilon: float = 1e-7,
    clip_global_norm: float | None = None,
    ema_momentum: float | None = None,
    lazy_weight: str | None = None,
) -> keras.optimizers.Optimizer:
    """Build an optimizer by name.

    Args:
        name: "adam" (weight decay is a coupled L2 penalty), "adamw" (decoupled), or "sgd"
            (momentum 0.9, no weight decay, as S1).
        learning_rate: a float or a Keras schedule.
        weight_decay: factor, not negative.
        epsilon: of "adam" and "adamw"; positive and finite.
        clip_global_norm: bound on the L2 norm of all gradients together, positive and finite, or
            None.
        ema_momentum: of the moving averages of the weights, in (0, 1); None for no averages.
        lazy_weight: end of the path of a weight that is stepped by its rows that have a gradient
            (`LazyRows`); None for none.

    Raises:
        ValueError: an unknown name, a number out of range, weight decay for plain SGD, or a lazy
            weight with averages or on another backend than TensorFlow.
    """
    _check_numbers(weight_decay, epsilon, clip_global_norm, ema_momentum)
    common = {
        "learning_rate": learning_rate,
        "global_clipnorm": clip_global_norm,
        "lazy_weight": lazy_weight,
    }
    if ema_momentum is not None:
        common |= {"use_ema": True, "ema_momentum": ema_momentum}
    if name == "adam":
        return AdamL2(l2=weight_decay, epsilon=epsilon, **common)
    if name == "adamw":
        return AdamW(weight_decay=weight_decay, epsilon=epsilon, **common)
    if name == "sgd":
        if weight_decay:
            raise ValueError(
                f"The SGD recipe has no weight decay: set it to 0, or use adam or adamw. "
                f"Received: weight_decay={weight_decay}."
            )
        return SGD(momentum=0.9, **common)
    raise ValueError(f"Expected an optimizer among {', '.join(OPTIMIZERS)}. Received: {name!r}.")


def _check_numbers(weight_decay, epsilon, clip_global_norm, ema_momentum) -> None:
    if not 0 <= weight_decay < math.inf:
        raise ValueError(f"weight_decay must not be negative. Received: {weight_decay}.")
    _check_epsilon(epsilon)
    # TensorFlow's clipping makes NaN of every gradient where the bound is infinite.
    if clip_global_norm is not None and not 0 < clip_global_norm < math.inf:
        raise ValueError(
            f"clip_global_norm must be positive and finite, or None for no clipping. "
            f"Received: {clip_global_norm}."
        )
    if ema_momentum is not None and not 0 < ema_momentum < 1:
        raise ValueError(
            f"ema_momentum must lie in (0, 1), or be None for no averages. "
            f"Received: {ema_momentum}."
        )


def _check_epsilon(epsilon) -> None:
    # An infinite one is a training in which nothing moves.
    if not 0 < epsilon < math.inf:
        raise ValueError(f"epsilon must be positive and finite. Received: epsilon={epsilon}.")
