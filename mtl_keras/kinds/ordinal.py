"""One of several classes in an order, such as age groups: an answer costs more, the further it is from the label.

Source: Cao, Mirjalili and Raschka, Rank consistent ordinal regression for neural networks (CORAL), 2020.
"""

import keras
import numpy as np
from keras import ops
from scipy.special import expit

from mtl_keras.kinds.categorical import ACCURACY, MACRO_F1, SMALLEST_PROBABILITY, Categorical
from mtl_keras.kinds.kind import Metric, library

CLASS_MAE = Metric("class_mae", "MAE", "MAE in classes", True, "classes")


class Ordinal(Categorical):
    """A task whose answer is one of its `classes`, which stand in their order; outputs are probabilities (B, K)."""

    METRICS = (ACCURACY, MACRO_F1, CLASS_MAE)
    SHOWN = (ACCURACY, CLASS_MAE)

    def last_layers(self, features, initializer):
        """Return probabilities (B, K) of the classes: one score against K - 1 thresholds."""
        name, score = self.task.name, self.scores(features, 1, initializer)
        logits = Thresholds(self.task.size, name=f"{name}_thresholds", dtype="float32")(score)
        return RankProbabilities(name=name, dtype="float32")(logits)

    def loss(self, labels, outputs):
        """Return the sum (B,) of the cross-entropies of the K - 1 questions whether the class is above each rank."""
        outputs = ops.cast(outputs, "float32")
        ranks = ops.arange(self.task.size - 1)  # (K - 1,)
        is_above = ops.expand_dims(ops.cast(labels, "int32"), -1) > ranks  # (B, K - 1)
        above = ops.flip(ops.cumsum(ops.flip(outputs, -1), -1), -1)[:, 1:]
        # Not 1 - above, which is 0 for small probabilities.
        not_above = ops.cumsum(outputs, -1)[:, :-1]
        right = ops.where(is_above, above, not_above)
        return -ops.sum(ops.log(ops.maximum(right, SMALLEST_PROBABILITY)), axis=-1)

    def answers(self, outputs):
        """Return the number (B,) of ranks that the class is above with a probability over one half."""
        of = library(outputs)
        return of.sum(of.cumsum(outputs, -1)[:, :-1] < 0.5, axis=-1)

    def tempered(self, outputs: np.ndarray, temperature: float) -> np.ndarray:
        """Return the probabilities (N, K) that come of the same logits of the ranks divided by a temperature."""
        outputs = np.maximum(outputs, SMALLEST_PROBABILITY, dtype=np.float64)
        above = np.cumsum(outputs[:, ::-1], axis=-1)[:, -2::-1]  # (N, K - 1)
        not_above = np.cumsum(outputs, axis=-1)[:, :-1]
        shares = expit((np.log(above) - np.log(not_above)) / temperature)
        return -np.diff(shares, axis=-1, prepend=1.0, append=0.0)

    def divide_scores(self, network: keras.Model, temperature: float) -> None:
        """Divide the logits of the ranks in a network by a temperature, in its weights."""
        super().divide_scores(network, temperature)
        network.get_layer(f"{self.task.name}_thresholds").divide(temperature)

    def measured(self, labels: np.ndarray, answers: np.ndarray) -> dict[str, float]:
        """Return every metric by name, of at least one example, all of them labelled."""
        return {**super().measured(labels, answers), "class_mae": np.mean(np.abs(answers - labels.astype(int)))}


@keras.saving.register_keras_serializable("mtl_keras")
class Thresholds(keras.layers.Layer):
    """A score (B, 1) -> K - 1 logits (B, K - 1), each of the class being above one more rank.

    The article shows that its biases come into order by training; these are in order from the start, since else a
    class between two of them would have a negative probability. At a score of 0 all classes are equally probable.
    """

    def __init__(self, classes: int, **layer_options):
        super().__init__(**layer_options)
        self.classes = classes

    def build(self, input_shape):
        above = 1 - np.arange(1, self.classes) / self.classes
        logits = np.log(above / (1 - above))
        # The first logit, and how far each other one is below that before it, as a softplus gives it.
        start = np.concatenate([logits[:1], np.log(np.expm1(-np.diff(logits)))])

        def initializer(shape, dtype):
            return ops.convert_to_tensor(start, dtype)

        self.steps = self.add_weight(shape=start.shape, initializer=initializer, name="steps")

    def call(self, inputs):
        falls = ops.concatenate([ops.zeros((1,)), ops.softplus(self.steps[1:])])
        return inputs + self.steps[0] - ops.cumsum(falls)

    def divide(self, temperature: float) -> None:
        """Divide the thresholds by a temperature."""
        first, steps = np.split(ops.convert_to_numpy(self.steps).astype(np.float64), [1])
        falls = np.logaddexp(0, steps) / temperature
        # The inverse of a softplus, without the overflow of an exponential.
        self.steps.assign(np.concatenate([first / temperature, falls + np.log(-np.expm1(-falls))]))

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}


@keras.saving.register_keras_serializable("mtl_keras")
class RankProbabilities(keras.layers.Layer):
    """Falling logits (B, K - 1) of the class being above each rank -> probabilities (B, K) of the classes."""

    def call(self, inputs):
        above, below = inputs[:, :-1], inputs[:, 1:]
        # sigmoid(a) - sigmoid(b), without the difference of two numbers near 1; 1 - exp(x) by a tanh, since ONNX has no
        # expm1.
        rest = -ops.tanh((below - above) / 2) * (ops.exp(below - above) + 1)
        between = ops.sigmoid(above) * ops.sigmoid(-below) * rest
        return ops.concatenate([ops.sigmoid(-inputs[:, :1]), between, ops.sigmoid(inputs[:, -1:])], axis=-1)
