"""One or several angles in degrees by least squares: 179 and -179 are 2 degrees apart."""

import numpy as np

from mtl_keras.kinds.kind import Metric
from mtl_keras.kinds.regression import Regression
from mtl_keras.rotations import ANGLES, geodesic

GEODESIC = Metric("geodesic", "geodesic error", "geodesic error", True)
# What a mirror makes of the angles of a head, by the names of a task's outputs.
MIRRORED = {"yaw": -1, "pitch": 1, "roll": -1}


class Angle(Regression):
    """A task whose answer is an angle, or one for each of `outputs`, such as the yaw, pitch and roll of a head."""

    bin_width = 15
    # A circle has no lower end.
    intervals = False

    def difference(self, labels, answers):
        """Return answers minus labels by the shorter way around the circle: -180 to 180 degrees."""
        difference = answers - labels
        return difference - 360 * ((difference + 180) // 360)

    @property
    def mirrors(self) -> bool:
        """Whether labels of mirrored images are known: those of yaw, pitch and roll always are."""
        return super().mirrors or (bool(self.task.outputs) and MIRRORED.keys() >= {*self.task.outputs})

    def mirrored(self, values):
        """Return labels or outputs (B, D) of the mirrored images: yaw and roll have the other sign, pitch the same.

        Where labels hold for the mirrored images as well, since the task is not oriented, so do the outputs.
        """
        if not (self.task.outputs and self.task.oriented):
            return values
        return values * np.array([MIRRORED.get(output, 1) for output in self.task.outputs], np.float32)

    @property
    def is_head_pose(self) -> bool:
        """Whether the outputs are the yaw, pitch and roll of a head, which together are one rotation."""
        return {*self.task.outputs} == {*ANGLES}

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Every metric of the task; the geodesic error, of the whole rotation, where the angles are those of a head."""
        return (*super().metrics, *([GEODESIC] if self.is_head_pose else []))

    @property
    def shown(self) -> tuple[Metric, ...]:
        """The metrics of the task that stand in tables of runs: for a head not the MAE, which is that of its angles."""
        return (GEODESIC, *super().shown[1:]) if self.is_head_pose else super().shown

    def measured(self, labels: np.ndarray, answers: np.ndarray) -> dict[str, float]:
        """Return every metric by name, of at least one example, all of them labelled."""
        found = super().measured(labels, answers)
        if self.is_head_pose:
            order = [self.task.outputs.index(name) for name in ANGLES]
            found[GEODESIC.name] = geodesic(labels[:, order], answers[:, order].astype(np.float64)).mean()
        return found

    def mean(self, outputs: list[np.ndarray]) -> np.ndarray:
        """Return the mean direction of several outputs (N, D) of the same images."""
        if len(outputs) == 1:
            return outputs[0]
        angles = np.radians(np.stack(outputs))
        return np.degrees(np.arctan2(np.sin(angles).mean(axis=0), np.cos(angles).mean(axis=0)))

    def constant(self, labels: np.ndarray) -> np.ndarray:
        """Return the outputs (K,) that ignore the image: the median as it is seen from the mean direction."""
        middle = self.mean([*labels])
        return np.atleast_1d(self.difference(0.0, middle + np.median(self.difference(middle, labels), axis=0)))
