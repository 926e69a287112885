"""Brushes: smooth curves, tapered strokes and soft shadows on an image several times larger than the result."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

DIRECTIONS = np.stack([np.cos(np.linspace(0, 2 * np.pi, 96, False)), np.sin(np.linspace(0, 2 * np.pi, 96, False))])


@lru_cache(maxsize=256)
def _spline(count: int, closed: bool, steps: int) -> np.ndarray:
    """Return the matrix that turns `count` points into a Catmull-Rom curve through them."""
    segments = count if closed else count - 1
    t = np.linspace(0, 1, steps, endpoint=False)
    weights = 0.5 * np.stack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2])
    matrix = np.zeros((segments * steps + (not closed), count))
    for segment in range(segments):
        for offset, weight in zip((-1, 0, 1, 2), weights, strict=True):
            index = (segment + offset) % count if closed else min(max(segment + offset, 0), count - 1)
            matrix[segment * steps : (segment + 1) * steps, index] += weight
    if not closed:
        matrix[-1, -1] = 1
    return matrix


def curve(points, closed: bool = False, steps: int = 6) -> np.ndarray:
    """Return a smooth curve (M, D) through points (N, D)."""
    points = np.asarray(points, float)
    return _spline(len(points), closed, steps) @ points


def outline(points: np.ndarray) -> np.ndarray:
    """Return the convex outline (96, 2) of points (N, 2), with its corners rounded, clockwise from the right."""
    edge = points[np.argmax(points @ DIRECTIONS, axis=0)]
    for _ in range(2):
        edge = 0.5 * edge + 0.25 * (np.roll(edge, 1, axis=0) + np.roll(edge, -1, axis=0))
    return edge


def enlarge(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Enlarge a soft image; the last doubling copies pixels, which is fast and does not show once all is shrunk."""
    half = tuple((edge + 1) // 2 for edge in size)
    return image.resize(half, Image.Resampling.BILINEAR).resize(size, Image.Resampling.NEAREST)


def flat(points: np.ndarray) -> list[float]:
    """Return points (N, 2) as Pillow takes them fastest: x, y, x, y, ..."""
    return points.ravel().tolist()


class Canvas:
    """An RGB image with soft and hard brushes; colors are RGB triples, opacities 0 to 1.

    Blur is given as a share of `side` pixels, by default the width of the image.
    """

    def __init__(self, image: Image.Image, side: int | None = None):
        self.side = side or image.width
        self.use(image)

    def use(self, image: Image.Image):
        self.image = image
        self.pen = ImageDraw.Draw(image, "RGBA")

    def fill(self, points: np.ndarray, color, opacity: float = 1.0):
        """Fill the polygon (N, 2)."""
        self.pen.polygon(flat(points), fill=(*color, int(255 * min(1.0, opacity))))

    def disk(self, center, radius: float, color, opacity: float = 1.0):
        x, y = center
        self.pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(*color, int(255 * opacity)))

    def line(self, points: np.ndarray, width: float, color, opacity: float = 1.0):
        """Draw a line of even width through points (N, 2)."""
        self.pen.line(flat(points), fill=(*color, int(255 * opacity)), width=max(1, round(width)), joint="curve")

    def stroke(self, points: np.ndarray, width: float, color, opacity: float = 1.0, taper: str = "both"):
        """Draw a brush stroke along points (N, 2), thin at both ends or at the "end" only."""
        self.fill(brush(points, width, taper), color, opacity)

    def mask(self, polygons: list[np.ndarray]) -> Image.Image:
        """Return an "L" image of the canvas' size that is white inside the polygons."""
        mask = Image.new("L", self.image.size)
        pen = ImageDraw.Draw(mask)
        for polygon in polygons:
            pen.polygon(flat(polygon), fill=255)
        return mask

    def soft(self, color, shapes: list[tuple[np.ndarray, float]], blur: float, clip: Image.Image | None = None):
        """Lay polygons (points, opacity) of one color over the image with blurred edges.

        The blur is a share of the side. The work is done on a smaller image, the coarser the softer the brush.
        """
        if not shapes:
            return
        shrink = min(6, max(1, int(blur * self.side / 1.5)))
        # Only the part of the picture that the shapes and their blur reach is worked on.
        edges = np.concatenate([points for points, _ in shapes])
        margin = 3 * blur * self.side + shrink
        low = np.maximum((edges.min(axis=0) - margin) // shrink, 0).astype(int)
        high = np.minimum((edges.max(axis=0) + margin) // shrink, np.array(self.image.size) // shrink).astype(int)
        if (high <= low).any():
            return
        small = Image.new("L", tuple((high - low).tolist()))
        pen = ImageDraw.Draw(small)
        for points, opacity in sorted(shapes, key=lambda shape: shape[1]):
            pen.polygon(flat(points / shrink - low), fill=int(255 * min(1.0, opacity)))
        small = small.filter(ImageFilter.GaussianBlur(float(blur * self.side / shrink)))
        box = tuple((shrink * np.concatenate([low, high])).tolist())
        mask = enlarge(small, (box[2] - box[0], box[3] - box[1]))
        if clip is not None:
            mask = ImageChops.darker(mask, clip.crop(box))
        # Pasting an image is several times faster than pasting a color.
        self.image.paste(Image.new("RGB", mask.size, color), box, mask)


@lru_cache(maxsize=64)
def _taper(count: int, kind: str) -> np.ndarray:
    """Return the width (count,) along a brush stroke, 1 where it is widest."""
    t = np.linspace(0, 1, count)
    return np.sin(np.pi * t) ** 0.6 if kind == "both" else (1 - t) ** 0.6


@lru_cache(maxsize=8)
def _circle(count: int) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([np.cos(t), np.sin(t)], axis=1)


def brush(points: np.ndarray, width: float, taper: str = "both") -> np.ndarray:
    """Return the polygon of a brush stroke along points (N, 2)."""
    along = np.empty_like(points)
    along[1:-1] = points[2:] - points[:-2]
    along[0], along[-1] = points[1] - points[0], points[-1] - points[-2]
    scale = 0.5 * width * _taper(len(points), taper) / np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-6)
    normal = along[:, ::-1] * (-1, 1) * scale[:, None]
    return np.concatenate([points + normal, (points - normal)[::-1]])


def ellipse(center, radii, angle: float = 0.0, count: int = 20) -> np.ndarray:
    """Return an ellipse (count, 2) around a center."""
    points = _circle(count) * radii
    if angle:
        cosine, sine = np.cos(angle), np.sin(angle)
        points = points @ np.array([[cosine, sine], [-sine, cosine]])
    return points + center
