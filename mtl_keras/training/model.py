"""The multi-task model: a network built from its parts, trained with masks, saved and loaded with all its settings."""

import json
from dataclasses import asdict
from pathlib import Path

import keras

from mtl_keras.errors import UserError
from mtl_keras.kinds import add_task
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.backbones.backbone import Backbone, as_backbone
from mtl_keras.models.network import Sizes, build_network, input_size
from mtl_keras.tasks import TASKS, Task, task_from, tasks_of
from mtl_keras.training.trainer import Trainer


@keras.saving.register_keras_serializable("mtl_keras")
class MultiTaskModel(Trainer):
    """One network that learns several tasks from data that labels each only in part.

    It takes images (B, S, S, 3) of 0..255, or features (B, D) with the backbone "features", and answers
    {task name: (B, K)}: probabilities of the classes or bins, or numbers in the task's unit. `tasks` are tasks, or
    names of TASKS. `backbone` is a name of BACKBONES, "keras_applications/" and the name of a network of
    keras.applications, a `Backbone`, or a Keras model of square images to features or maps, which then sees pixels of
    0..255. `weights` is a file of pretrained weights of the trunk, or the name of published ones that the backbone
    knows: "imagenet" for networks of keras.applications, "20180402-114759" or "20180408-102900" for FaceNet.
    `shared_units` and `head_units` are the widths of the dense layers that the tasks share and that each has of its
    own; a backbone with branches has no others. A `border` is the number of mirrored pixels on each side that show the
    trunk a face smaller than its crop; it comes on top of `image_size`.
    """

    def __init__(
        self,
        tasks: list[Task | str],
        backbone: str | Backbone | keras.Model = "facenet",
        sharing: str = "hard",
        image_size: int | None = None,
        border: int = 0,
        shared_units: tuple[int, ...] = (512, 256),
        head_units: tuple[int, ...] = (128,),
        dropout: float = 0.3,
        weights: str | Path | None = None,
    ):
        tasks = tasks_of(tasks)
        named = isinstance(backbone, str)
        parts = BACKBONES[backbone] if named else as_backbone(backbone)
        # A name that the user has given is unknown to the program that reads the model: its network is saved itself.
        by_name = named and (not BACKBONES.is_own(backbone) or parts.branch is not None)
        size = input_size(parts, image_size, border)
        if not named:
            parts = parts.built(size + 2 * border)
        # A network with branches of its own fixes the dense layers too.
        units = ((), ()) if parts.branch else (tuple(shared_units), tuple(head_units))
        network = build_network(tasks, parts, sharing, Sizes(size, border, *units, dropout))
        if weights:
            file = parts.find_weights(weights)
            for trunk in network.trunks:
                parts.load_weights(trunk, file)
        try:
            super().__init__(tasks, network.inputs, network.outputs, "multi_task_model", network.read_by_all)
        except ValueError as error:  # two layers of one name
            names = ", ".join(task.name for task in tasks)
            raise UserError(f"tasks {names}, backbone {network.trunks[0].name!r}: {error} Rename one of them") from None
        self.image_size, self.resize_method, self._network = size, parts.resize_method, network
        self.backbone = backbone if named else network.trunks[0].name
        self._settings = {
            "tasks": [asdict(task) for task in tasks],
            "backbone": backbone if by_name else parts.built(size + 2 * border).get_config(),
            "sharing": sharing,
            "image_size": size,
            "border": border,
            "shared_units": list(units[0]),
            "head_units": list(units[1]),
            "dropout": dropout,
        }

    # === Parts ===
    @property
    def trunks(self) -> list[keras.Model]:
        """Return the trunks: one, or as many as the way of sharing has built."""
        return self._network.trunks

    def trunk_variables(self) -> list[keras.Variable]:
        """Return the variables of all trunks that are trained, each once where trunks share some."""
        return list({id(each): each for trunk in self.trunks for each in trunk.trainable_variables}.values())

    def sharing_report(self) -> str:
        """Return lines on what the way of sharing has learned of the tasks' relations; "" where it learns no such."""
        return self._network.report()

    def freeze_stem(self) -> None:
        """Leave the trunks' first stage as it is, in training as well; a trunk without stages stays free."""
        for trunk in self.trunks if self._network.stem else []:
            names = [layer.name for layer in trunk.layers]
            for layer in trunk.layers[: names.index(self._network.stem) + 1]:
                layer.trainable = False

    def feature_network(self) -> keras.Model | None:
        """Return the model from images to the features that every head reads; None where there are none such."""
        return None if self._network.common is None else keras.Model(self._network.inputs, self._network.common)

    def heads_network(self) -> Trainer:
        """Return what answers from the features of `feature_network`, of this model's own layers.

        To train it is to train everything of this model but the trunk.
        """
        return Trainer(self.tasks, self._network.common, self._network.outputs, "heads", self._network.read_by_all)

    def first_maps(self, images):
        """Return the pixels (B, S, S, C) that reach the first trunk of images, and the first maps (B, H, W, F) of them.

        None where the trunk names no such maps.
        """
        if not self._network.maps:
            return None
        trunk = self.trunks[0]
        seen = keras.Model(self._network.inputs, self._network.normalized)(images)
        return seen, keras.Model(trunk.inputs[0], trunk.get_layer(self._network.maps).output)(seen)

    # === Config ===
    def get_config(self):
        layers = self._network.layers(self.layers)
        # Plain, not as Keras tracks what a model holds: to copy that is to copy the model.
        settings = json.loads(json.dumps(self._settings))
        return {**settings, "frozen": [name for name, layer in layers.items() if not layer.trainable]}

    @classmethod
    def from_config(cls, config):
        tasks = known_tasks(config["tasks"])
        # A saved network needs no weights from elsewhere, and must not name a file or a download.
        settings = {name: value for name, value in config.items() if name not in ("frozen", "weights")}
        if isinstance(settings["backbone"], dict):
            settings["backbone"] = Backbone.from_config(settings["backbone"])
        model = cls(**{**settings, "tasks": tasks})
        # The trunks come before their own layers, since setting their state sets theirs.
        for name, layer in model._network.layers(model.layers).items():
            layer.trainable = name not in config.get("frozen", ())
        return model


def known_tasks(definitions: list[dict]) -> list[Task]:
    """Return tasks by their definitions, also added to TASKS: whoever reads a model can read data for it."""
    tasks = [task_from(fields) for fields in definitions]
    for task in tasks:
        if task.name not in TASKS:
            add_task(task)
    return tasks
