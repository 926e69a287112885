"""The shape of the head in three dimensions, and how it falls onto the picture when the head turns."""

from functools import cached_property

import numpy as np

from mtl_keras.portraits.canvas import curve, outline
from mtl_keras.portraits.look import Look

# The head is a stack of ellipses, one a height. Heights and lengths are in units of about half the width of the face,
# measured from the middle between the eyes; x to the image's right, y down, z towards the viewer.
# Columns: height, half width, half depth, center's depth.
STACK = np.array([
    (-1.22, 0.10, 0.12, -0.20), (-1.16, 0.38, 0.42, -0.20), (-1.02, 0.64, 0.70, -0.18), (-0.80, 0.83, 0.93, -0.13),
    (-0.50, 0.94, 1.05, -0.10), (-0.20, 0.97, 1.08, -0.08), (0.10, 0.97, 1.05, -0.05), (0.35, 0.94, 0.97, 0.00),
    (0.60, 0.87, 0.86, 0.08), (0.82, 0.76, 0.71, 0.19), (1.00, 0.62, 0.56, 0.31), (1.13, 0.46, 0.40, 0.43),
    (1.22, 0.29, 0.25, 0.52), (1.27, 0.06, 0.05, 0.58),
])  # fmt: skip
CAMERA_DISTANCE = 8.0
TABLE = 1024


class Head:
    """A head of a certain look and pose; it turns points on the face into pixels of a canvas.

    The face fills a square of `side` pixels whose upper left corner is at `corner` (x, y) of the canvas.
    """

    def __init__(self, look: Look, side: int, corner: tuple[int, int] = (0, 0)):
        self.look, self.side, self.corner = look, side, np.array(corner)
        portrait, chance, child = look.portrait, look.face, look.child
        # === Shape ===
        self.lower = 1 - 0.25 * child + 0.05 * (chance[2] - 0.5) + 0.03 * look.masculine  # length below the eyes
        stack = STACK.copy()
        height = stack[:, 0]
        jaw = np.clip((height - 0.25) / 0.5, 0, 1)
        chin = np.clip((height - 0.8) / 0.3, 0, 1)
        stack[:, 1] *= 1 + jaw * (0.12 * look.masculine + 0.06 * child + 0.12 * (chance[3] - 0.5))
        stack[:, 1] *= 1 + chin * (0.13 * look.masculine + 0.05 * child + 0.16 * (chance[4] - 0.5))
        stack[:, 1] *= 1 + 0.07 * look.old * jaw  # jowls
        stack[:, 1] *= 1 + 0.07 * child * np.exp(-((height - 0.5) ** 2) / 0.05)  # round cheeks
        stack[:, 1] *= 0.97 + 0.06 * chance[5]
        stack[:, 0] = np.where(height > 0, height * self.lower, height * (1 + 0.06 * child))
        self.stack = curve(stack, steps=4)
        self.top, self.bottom = stack[0, 0], stack[-1, 0]
        # Looking a height up in a fine table is much faster than interpolating it.
        heights = np.linspace(self.top, self.bottom, TABLE)
        self.table = np.stack([np.interp(heights, self.stack[:, 0], self.stack[:, column]) for column in (1, 2, 3)])
        self.per_height = (TABLE - 1) / (self.bottom - self.top)
        # === Pose ===
        yaw, pitch, roll = np.radians((portrait.yaw, portrait.pitch, portrait.roll))
        turn = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
        nod = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
        tilt = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        self.rotation = nod @ turn @ tilt  # in the order of `mtl_keras.rotations`
        # From which angle around the head it is seen: the yaw, and for a tilted head some of the pitch.
        self.yaw = np.arctan2(self.rotation[2, 0], self.rotation[2, 2])
        self.far = -1 if self.yaw > 0 else 1  # the side turned away: the image's left when the face turns there
        self.turned = abs(self.yaw) > np.radians(10)
        # === Framing ===
        # A chip is cut around the face, so the camera follows the turning face, though not all the way.
        self.unit = side * (0.355 + 0.03 * (chance[6] - 0.5)) * (1 - 0.05 * abs(np.sin(yaw)))
        eyes = self.rotation @ (0, 0, 0.95)
        self.center = side * np.array([0.5 + 0.03 * (chance[7] - 0.5), 0.425 + 0.03 * (chance[8] - 0.5) + 0.02 * child])
        self.center = self.corner + self.center - 0.62 * self.unit * eyes[:2]

    def profile(self, height) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return half width, half depth and depth of the center at the given heights."""
        row = (np.asarray(height) - self.top) * self.per_height + 0.5
        return tuple(self.table[:, np.minimum(np.maximum(row, 0), TABLE - 1).astype(int)])

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Project points (N, 3) of the head's space onto the canvas: (N, 2) pixels."""
        turned = np.asarray(points, float) @ self.rotation.T
        scale = self.unit / (1 - turned[..., 2:] / CAMERA_DISTANCE)
        return self.center + turned[..., :2] * scale

    def around(self, angle, height, lift: float = 0.0) -> np.ndarray:
        """Return pixels (N, 2) of points on the head at an angle around it (0 is front, in radians) and a height.

        What lies behind the visible edge moves onto that edge, so nothing drawn on the face can leave it.
        """
        height = np.asarray(height, float)
        return self.place(np.asarray(angle, float), height, self.profile(height), lift)

    def face(self, points, lift: float = 0.0) -> np.ndarray:
        """Return pixels (N, 2) of points (N, 2) given as seen from the front; `lift` raises them off the skin."""
        x, height = np.asarray(points, float).T
        profile = self.profile(height)
        angle = np.arcsin(np.minimum(np.maximum(x / np.maximum(profile[0], 1e-3), -1), 1))
        return self.place(angle, height, profile, lift)

    def place(self, angle: np.ndarray, height: np.ndarray, profile: tuple, lift: float) -> np.ndarray:
        """Return what `around` returns, for heights whose profile is known."""
        width, depth, _ = profile
        left_edge = -np.arctan2(width * np.cos(self.yaw), depth * np.sin(self.yaw))
        angle = np.minimum(np.maximum(angle, left_edge), left_edge + np.pi)
        return self.pixels(self.surface(angle, height, profile, lift))

    def surface(self, angle: np.ndarray, height: np.ndarray, profile: tuple, lift: np.ndarray | float) -> np.ndarray:
        """Return points (N, 3) on the head at an angle around it and a height, also those that it hides."""
        width, depth, center = profile
        points = np.empty((*angle.shape, 3))
        points[..., 0] = (width + lift) * np.sin(angle)
        points[..., 1] = height
        points[..., 2] = center + (depth + lift) * np.cos(angle)
        return points

    def depth_at(self, x: float, y: float) -> float:
        width, depth, center = self.profile(y)
        return float(center + depth * np.sqrt(max(0.0, 1 - (x / width) ** 2)))

    @cached_property
    def edge(self) -> np.ndarray:
        """Outline (96, 2) of the bare head in pixels."""
        return self.silhouette()

    def silhouette(self, inflate: float = 0.0, above: float = 9.0) -> np.ndarray:
        """Return the outline (N, 2) in pixels of the head, thicker by `inflate`, of the part higher than `above`."""
        rows = self.stack[self.stack[:, 0] < above][::2]
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        x = np.outer(rows[:, 1] + inflate, np.sin(angle))
        z = rows[:, 3:4] + np.outer(rows[:, 2] + inflate, np.cos(angle))
        upper = np.clip(-rows[:, :1] / 1.2, 0, 1)
        y = np.broadcast_to(rows[:, :1] - inflate * upper, x.shape)
        return outline(self.pixels(np.stack([x, y, z], axis=-1).reshape(-1, 3)))
