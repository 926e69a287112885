"""Where the 68 landmarks of a drawn face lie, in the order of the iBUG annotations (Sagonas et al., 2013)."""

import numpy as np

from mtl_keras.portraits.features import EYE_X
from mtl_keras.portraits.head import Head
from mtl_keras.portraits.look import Look, Portrait
from mtl_keras.portraits.scene import Frame

# As seen from the front in units of the head, of an average face: (x, height) of the viewer's right half, outward.
BROW = np.array([(0.15, -0.25), (0.27, -0.30), (0.42, -0.325), (0.55, -0.305), (0.65, -0.23)])
EYE = np.array([(-0.2, 0), (-0.07, -0.08), (0.07, -0.08), (0.2, 0), (0.07, 0.05), (-0.07, 0.05)])
# Below the eyes, heights are shares of the length of that part of the face.
NOSE_TIP, NOSE_FOOT, MOUTH, CHIN = 0.46, 0.55, 0.80, 1.24
LIPS = np.array([(-1, 0), (-0.6, -0.06), (-0.2, -0.075), (0, -0.06), (0.2, -0.075), (0.6, -0.06),
                 (1, 0), (0.6, 0.07), (0.25, 0.095), (0, 0.1), (-0.25, 0.095), (-0.6, 0.07)])  # fmt: skip
INNER_LIPS = np.array([(-0.85, 0), (-0.25, -0.01), (0, -0.01), (0.25, -0.01), (0.85, 0), (0.25, 0.01), (0, 0.01),
                       (-0.25, 0.01)])  # fmt: skip
HALF_MOUTH, HALF_NOSE, NOSE_DEPTH = 0.285, 0.155, 0.30
# The jaw ends before the ears, this far around the head.
JAW_END = np.radians(80)
MIRRORED = np.array([-1, 1])


def landmarks(portrait: Portrait, frame: Frame) -> np.ndarray:
    """Return the landmarks (68, 2) of a drawn face in pixels of its picture, hidden ones where they are behind it.

    They are those of an average face in the place, the size and the pose of this one, as of a model fitted to it.
    """
    head = Head(Look(portrait), frame.side, (frame.left, frame.top))
    angle = np.linspace(-JAW_END, JAW_END, 17)
    jaw = CHIN * head.lower * (1 - (angle / JAW_END) ** 2)
    nose = np.stack([np.zeros(4), np.linspace(0, NOSE_TIP * head.lower, 4)], 1)
    foot = np.stack([np.linspace(-HALF_NOSE, HALF_NOSE, 5), np.full(5, NOSE_FOOT * head.lower)], 1)
    eyes = [EYE + (-EYE_X, 0), EYE + (EYE_X, 0)]
    lips = [lips * (HALF_MOUTH, 1) + (0, MOUTH * head.lower) for lips in (LIPS, INNER_LIPS)]
    front = np.concatenate([BROW[::-1] * MIRRORED, BROW, nose, foot, *eyes, *lips])  # (51, 2)
    lift = np.zeros(len(front))
    lift[10:14] = NOSE_DEPTH * np.linspace(0.2, 1, 4)
    profile = head.profile(front[:, 1])
    around = np.arcsin((front[:, 0] / profile[0]).clip(-1, 1))
    points = [
        head.surface(angle, jaw, head.profile(jaw), 0.0),
        head.surface(around, front[:, 1], profile, lift),
    ]
    # A picture that is stretched has its landmarks where they are seen.
    return head.pixels(np.concatenate(points)) * (1, frame.height / frame.rows)
