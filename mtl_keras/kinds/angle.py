"""One or several angles in degrees by least squares: 179 and -179 are 2 degrees apart."""

from mtl_keras.kinds.regression import Regression


class Angle(Regression):
    """A task whose answer is an angle, or one for each of `outputs`, such as the yaw, pitch and roll of a head."""

    bin_width = 15

    def difference(self, labels, answers):
        """Return answers minus labels by the shorter way around the circle: -180 to 180 degrees."""
        difference = answers - labels
        return difference - 360 * ((difference + 180) // 360)
