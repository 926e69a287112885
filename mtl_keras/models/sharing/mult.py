"""MulT: a shared encoder, and a transformer decoder a task, of which all attend as a reference task does.

The decoder of task t turns the encoder's N tokens into tokens of its own. In each block the matrix of attention comes
from the reference task r, and what it gathers from the task itself:

    tokens_t = tokens_t + softmax(Q_r K_r' / sqrt(d)) V_t P_t

with d numbers in a head's queries Q and keys K, values V and projections P; then comes a perceptron of the task's own.
There are no biases by place, since the encoder's tokens know theirs, and no tokens are brought back to the image's
size: that is for tasks that answer in pixels.

Source: Bhattacharjee, Zhang, Suesstrunk and Salzmann, MulT: an end-to-end multitask learning transformer, CVPR 2022,
https://arxiv.org/abs/2205.08303.
"""

import keras
from keras import layers, ops

from mtl_keras.errors import UserError
from mtl_keras.models.sharing.sharing import Settings, Shared, Trunk

# How much wider the perceptron of a block is within, as in Swin's.
EXPANSION = 4


@keras.saving.register_keras_serializable("mtl_keras")
class SharedAttention(keras.layers.Layer):
    """Attention of T tasks, T tensors (B, N, D), to themselves: who attends to whom is as in the reference task.

    Queries and keys come from the tokens at the place `reference`, the values from each task's own.
    """

    def __init__(self, tasks: list[str], reference: int, heads: int, **layer_options):
        super().__init__(**layer_options)
        self.tasks, self.reference, self.heads = list(tasks), reference, heads

    def build(self, input_shape):
        width = input_shape[0][-1]

        def dense(name: str) -> layers.Dense:
            layer = layers.Dense(width, name=name, dtype=self.dtype_policy)
            layer.build(input_shape[0])
            return layer

        self.query, self.key = dense("query"), dense("key")
        self.values = [dense(f"{task}_value") for task in self.tasks]
        self.projections = [dense(f"{task}_projection") for task in self.tasks]

    def call(self, inputs):
        query, key = (self._by_head(part(inputs[self.reference])) for part in (self.query, self.key))
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) / query.shape[-1] ** 0.5  # (B, heads, N, N)
        # A softmax of bfloat16 would not sum to 1.
        attention = ops.cast(ops.softmax(ops.cast(scores, "float32")), scores.dtype)
        answers = []
        for tokens, value, projection in zip(inputs, self.values, self.projections, strict=True):
            gathered = ops.transpose(ops.matmul(attention, self._by_head(value(tokens))), (0, 2, 1, 3))
            answers.append(projection(ops.reshape(gathered, (-1, *tokens.shape[1:]))))
        return answers

    def _by_head(self, tokens):
        """Return tokens (B, N, D) as (B, heads, N, D / heads)."""
        count, width = tokens.shape[1:]
        return ops.transpose(ops.reshape(tokens, (-1, count, self.heads, width // self.heads)), (0, 2, 1, 3))

    # === Config ===
    def get_config(self):
        return {**super().get_config(), "tasks": self.tasks, "reference": self.reference, "heads": self.heads}


def mult(
    trunk: Trunk,
    tasks: list[str],
    settings: Settings,
    *,
    heads: int = 8,
    width: int = 256,
    depth: int = 2,
    reference: str | None = None,
) -> Shared:
    """Share a trunk, whose last maps are tokens to a decoder a task: `depth` blocks, `width` wide with `heads` heads.

    All attend as the `reference` task does, the first one unless it is named. A task's features are the mean of its
    tokens (B, width). Of the settings it takes the dropout, within the perceptrons.
    """
    if min(heads, width, depth) < 1 or width % heads:
        raise UserError(
            f"mult: heads {heads}, width {width}, depth {depth}: expected at least 1, and a width that is a multiple "
            "of the heads"
        )
    # A task alone, as a baseline is, has no other to look at.
    if len(tasks) > 1 and reference is not None and reference not in tasks:
        raise UserError(f"mult: reference {reference!r}: expected one of the tasks {', '.join(tasks)}")
    place = tasks.index(reference) if reference in tasks else 0
    network = trunk.build()
    shared = Shared([network], _decoders(tasks, place, heads, (width, depth), settings.dropout), _encoder(network))
    shared.refuse_maps("mult")
    return shared


def _encoder(network: keras.Model) -> keras.Model:
    """Return the part of a trunk that ends with its last maps (B, H, W, D)."""
    maps = [output for layer in network.layers[1:] for output in _outputs(layer) if len(output.shape) == 4]
    if not maps:
        raise UserError(
            f"sharing mult: backbone {network.name!r} has no maps (B, H, W, D) to attend to; take a backbone of "
            "images, or share hard"
        )
    return keras.Model(network.inputs[0], maps[-1], name="encoder")


def _outputs(layer: keras.layers.Layer) -> list:
    try:
        return keras.tree.flatten(layer.output)
    except AttributeError:  # a layer that is called several times
        return []


def _decoders(tasks: list[str], reference: int, heads: int, sizes: tuple[int, int], dropout: float):
    """Return the function from the encoder's maps (B, H, W, D) to {task name: features (B, width)}."""
    width, depth = sizes

    def perceptron(x, name: str):
        x = layers.LayerNormalization(name=f"{name}_norm_2")(x)
        x = layers.Dense(EXPANSION * width, activation="gelu", name=f"{name}_dense_1")(x)
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
        return layers.Dense(width, name=f"{name}_dense_2")(x)

    def by_task(maps) -> dict:
        tokens = layers.Reshape((-1, maps.shape[-1]), name="tokens")(maps)  # (B, N, D)
        if tokens.shape[1] == 1:
            raise UserError("sharing mult: the last maps are a single place; raise image_size, or share hard")
        own = [layers.Dense(width, name=f"{task}_tokens")(tokens) for task in tasks]
        for block in range(1, depth + 1):
            names = [f"{task}_block_{block}" for task in tasks]
            normed = [layers.LayerNormalization(name=f"{name}_norm_1")(x) for name, x in zip(names, own, strict=True)]
            attended = SharedAttention(tasks, reference, heads, name=f"shared_attention_{block}")(normed)
            own = [layers.Add(name=f"{name}_add_1")(pair) for name, *pair in zip(names, own, attended, strict=True)]
            own = [
                layers.Add(name=f"{name}_add_2")([x, perceptron(x, name)]) for name, x in zip(names, own, strict=True)
            ]
        normed = [layers.LayerNormalization(name=f"{task}_norm")(x) for task, x in zip(tasks, own, strict=True)]
        # In float32, as what the heads read should have all its digits in mixed precision too.
        return {
            task: layers.GlobalAveragePooling1D(name=f"{task}_mean", dtype="float32")(x)
            for task, x in zip(tasks, normed, strict=True)
        }

    return by_task
