"""AdamW with a lower rate for some variables, and its learning rate over a run."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("mtl_keras")
class LayerwiseAdamW(keras.optimizers.AdamW):
    """AdamW (Loshchilov and Hutter, 2019) with `slow_factor` times the learning rate for the variables of these paths.

    Their decay is as much smaller, and biases and batch norms' offsets are not decayed: they are no source of
    overfitting.
    With `ema_momentum` it keeps moving averages of the weights (Polyak and Juditsky, 1992) beside them.
    """

    def __init__(
        self,
        learning_rate=1e-3,
        weight_decay: float = 0.01,
        slow_factor: float = 1.0,
        slow_paths: tuple[str, ...] = (),
        ema_momentum: float | None = None,
        **optimizer_options,
    ):
        # What a saved optimizer's configuration brings back, and what follows from `ema_momentum`.
        optimizer_options |= {"use_ema": ema_momentum is not None, "ema_momentum": ema_momentum or 0.99}
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, **optimizer_options)
        self.slow_factor, self.slow_paths = slow_factor, set(slow_paths)

    def build(self, variables):
        super().build(variables)
        # Keras would decay all of them at the whole rate; `update_step` does it at each one's own.
        self.exclude_from_weight_decay(var_list=variables)
        # Each replica updates its own copy of a variable, and that has no path.
        copies = tf.distribute.get_strategy().experimental_local_results
        slow = [variable for variable in variables if variable.path in self.slow_paths]
        self._slow = frozenset(copy.ref() for variable in slow for copy in copies(variable.value))

    def update_step(self, gradient, variable, learning_rate):
        rate = learning_rate * self.slow_factor if variable.ref() in self._slow else learning_rate
        if len(variable.shape) > 1:
            self.assign_sub(variable, variable * self.weight_decay * tf.cast(rate, variable.dtype))
        super().update_step(gradient, variable, rate)

    def get_config(self):
        config = {**super().get_config(), "slow_factor": self.slow_factor, "slow_paths": sorted(self.slow_paths)}
        return {**config, "ema_momentum": self.ema_momentum if self.use_ema else None}


def cosine(peak: float, steps: int, warm_up: float = 0.05) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return a learning rate that rises over the first part of the steps to `peak` and then falls to 0 as a cosine."""
    warm_up_steps = max(1, round(warm_up * steps))
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up_steps), warmup_target=peak, warmup_steps=warm_up_steps
    )


@keras.saving.register_keras_serializable("mtl_keras")
class Harmonic(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate of `first` / n in the n-th epoch of `steps` steps.

    It is what the rule L_n = L_(n-1) (1 - 1/n) gives from the second epoch on; as written, its first epoch would have
    a rate of 0, and all others too.
    """

    def __init__(self, first: float, steps: int):
        self.first, self.steps = first, steps

    def __call__(self, step):
        epoch = keras.ops.floor(keras.ops.cast(step, "float32") / self.steps)
        return self.first / (epoch + 1.0)

    def get_config(self):
        return {"first": self.first, "steps": self.steps}
