"""What a preset is: the defaults that an experiment's command line goes by."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mtl_keras.studies.plan import Comparison
from mtl_keras.studies.settings import Experiment


@dataclass(frozen=True)
class Defaults:
    """What is trained on one kind of faces, real or drawn, and what it is compared with.

    `reported` are rows of published figures, each with the name of its `run`; `variants` are changes of settings to
    try, by name: see `mtl_keras.studies.comparison.compare`.
    """

    experiment: Experiment
    comparison: Comparison = field(default_factory=Comparison)
    reported: tuple[Mapping[str, str | float], ...] = ()
    variants: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def on(self, backbone: str | None, pretrained: bool) -> Experiment:
        """Return the settings to begin with for this trunk, or for the usual one without a name.

        Another trunk that is not `pretrained` has neither the weights of the usual one, nor a border that goes with
        them, nor a stage in which it is frozen.
        """
        usual = self.experiment
        # A part of the usual one, such as facenet_small, takes the same weights.
        if pretrained or backbone is None or backbone.startswith(usual.backbone):
            return usual
        return replace(usual, backbone=backbone, weights=None, border=0, frozen_epochs=0, trunk_rate=1.0)


@dataclass(frozen=True)
class Preset:
    """The defaults of an experiment.

    `readers` are the names of the data sets that a folder is first tried as, in this order. Without data, faces are
    drawn in each of the `layouts`, `rendered_faces` each.
    """

    real: Defaults
    drawn: Defaults
    readers: tuple[str, ...] = ()
    layouts: tuple[str, ...] = ("utkface",)
    rendered_faces: int = 2400

    def defaults(self, real: bool) -> Defaults:
        """Return the defaults for real faces, or for drawn ones."""
        return self.real if real else self.drawn
