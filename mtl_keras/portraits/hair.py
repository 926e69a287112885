"""Hair: style, length, texture and hairline, behind the head and in front of it."""

from dataclasses import dataclass

import numpy as np

from mtl_keras.portraits.canvas import Canvas, curve, ellipse, outline
from mtl_keras.portraits.head import Head
from mtl_keras.portraits.look import TEXTURES, Look, mix, shade


@dataclass(frozen=True)
class Style:
    """How the hair is worn; lengths in units of half the face's width, downwards from the eyes."""

    kind: str  # bald, fuzz, buzz, short, medium, long, bun
    texture: str  # straight, wavy, curly
    volume: float
    length: float
    recede: float  # 0 to 1
    fringe: str  # none, full, swept
    combed: str  # back, side
    side: int


def choose_style(look: Look) -> Style:
    """Choose a style by chance, with odds that depend on age, gender and the ethnicity label."""
    chance, age = look.chances("hair"), look.portrait.age
    cuts = np.cumsum(TEXTURES[look.portrait.ethnicity])
    texture = ("straight", "wavy", "curly")[int(np.searchsorted(cuts, min(chance[0], 0.999)))]
    if look.male:
        odds = {"bald": 0.42 * look.old**1.5 + 0.03, "buzz": 0.16, "short": 0.76, "medium": 0.015, "long": 0.005}
    else:
        odds = {
            "bald": 0.005,
            "buzz": 0.01,
            "short": 0.03 + 0.12 * look.old,
            "medium": 0.28,
            "long": 0.52 - 0.2 * look.old,
            "bun": 0.08,
        }
    if age < 15:
        odds["bald"] = 0.0
    kinds, shares = list(odds), np.cumsum(list(odds.values())) / sum(odds.values())
    kind = kinds[int(np.searchsorted(shares, min(chance[1], 0.999)))]
    if chance[2] < 0.95 - 0.45 * age and age < 2:
        kind = "fuzz"
    elif age < 3 and kind in ("long", "bun", "medium"):
        kind = "short"
    bounds = {"medium": (0.75, 1.25), "long": (1.5, 2.3)}.get(kind, (0.1, 0.3))
    recede = (0.75 * look.old if look.male else 0.22 * look.old) * (0.4 + chance[3])
    fringe = "none"
    if (
        kind not in ("bald", "fuzz", "buzz")
        and texture != "curly"
        and recede < 0.3
        and chance[4] < (0.25 if look.male else 0.45) + 0.2 * look.child
    ):
        fringe = "full" if chance[5] < 0.5 else "swept"
    volume = {"bald": 0.02, "fuzz": 0.015, "buzz": 0.02}.get(kind, 0.07 + 0.09 * chance[6])
    if texture == "curly" and kind in ("short", "medium", "long"):
        volume += 0.10 * chance[7] + (0.10 if not look.male else 0.0)
    length = bounds[0] + (bounds[1] - bounds[0]) * chance[8]
    combed, side = "side" if chance[9] < 0.5 else "back", 1 if chance[10] < 0.5 else -1
    return Style(kind, texture, volume * (1 - 0.3 * look.old), length, recede, fringe, combed, side)


class Hair:
    """The hair of one head: `draw_behind` goes before the neck, `draw_cap` after the face, `draw_locks` at the end."""

    def __init__(self, head: Head, look: Look):
        self.head, self.look, self.style = head, look, choose_style(look)
        self.color = look.hair
        self.dark, self.light = shade(look.hair, 0.62), mix(look.hair, (255, 236, 206), 0.26)
        self.random = look.generator("strands").random

    def draw_behind(self, canvas: Canvas):
        """Draw the mass behind the head, and the locks that the head hides."""
        style, head = self.style, self.head
        if style.kind not in ("bald", "fuzz", "buzz"):
            canvas.fill(head.silhouette(0.7 * style.volume, above=-0.15), self.dark)
        if style.kind in ("medium", "long"):
            y = np.linspace(-0.9, style.length, 7)
            wide = (1.02 + style.volume) * np.interp(y, (-0.9, -0.4, 0.6, 2), (0.75, 1, 1.06, 1.12))
            angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
            x, z = np.outer(wide, np.sin(angle)), -0.35 + np.outer(wide, 0.78 * np.cos(angle))
            points = np.stack([x, np.broadcast_to(y[:, None], x.shape), z], -1).reshape(-1, 3)
            mass = outline(head.pixels(points))
            center = mass.mean(axis=0)
            if style.texture == "wavy":
                mass = center + (mass - center) * (1 + 0.025 * np.sin(np.arange(len(mass)) * 2 * np.pi / 6))[:, None]
            canvas.fill(mass, shade(self.color, 0.72))
            if style.texture == "curly":
                self.curls(canvas, mass, 0.11, shade(self.color, 0.72))
            for amount in self.random((26, 2)):
                edge = mass[int(amount[0] * len(mass))]
                line = np.array([center * 0.45 + edge * 0.55 - (0, 0.5 * head.unit), edge * 0.92 + center * 0.08])
                canvas.line(line, 0.014 * head.unit, self.dark if amount[1] < 0.6 else self.color, 0.35)
        elif style.kind == "bun":
            bun = head.pixels(np.array([(0, head.top - 0.12, -0.45)]))[0]
            canvas.fill(ellipse(bun, (0.42 * head.unit, 0.36 * head.unit)), shade(self.color, 0.85))
            for radius in (0.12, 0.22, 0.31):
                canvas.line(
                    ellipse(bun, (radius * head.unit, 0.85 * radius * head.unit)), 0.02 * head.unit, self.dark, 0.4
                )
        if head.turned:
            self.lock(canvas, head.far)

    def curls(self, canvas: Canvas, edge: np.ndarray, radius: float, color):
        """Set disks along a line, which reads as curls."""
        picks = self.random((int(len(edge) * 0.8), 3))
        for a, b, c in picks:
            spot = edge[int(a * len(edge))] + (b - 0.5) * 0.08 * self.head.unit
            canvas.disk(spot, radius * (0.7 + 0.6 * c) * self.head.unit, color)

    def hairline(self) -> np.ndarray:
        """Return the hairline (N, 2) from the left nape over the forehead to the right nape: angle and height."""
        style, look = self.style, self.look
        chance = look.chances("hair")
        top = -0.77 - 0.10 * look.child + 0.06 * (chance[11] - 0.5) - 0.22 * style.recede
        temple = -0.60 - 0.32 * style.recede
        burn = -0.02 if look.male and not look.child > 0.3 else -0.12
        peak = 0.05 * style.recede
        half = [
            (1.95, 0.55),
            (1.72, 0.12),
            (1.50, burn - 0.06),
            (1.27, burn),
            (1.20, -0.30),
            (1.02 - 0.10 * style.recede, temple),
            (0.62, 0.55 * top + 0.45 * temple - 0.12),
            (0.30, top),
        ]
        right = np.array(half[::-1])
        return np.concatenate([right[::-1] * (-1, 1), [(0, top + peak)], right])

    def draw_cap(self, canvas: Canvas):
        """Draw the hair on the skull, its strands, and the fringe."""
        style, head, unit = self.style, self.head, self.head.unit
        if style.kind == "bald":
            self.horseshoe(canvas)
            return
        line = self.hairline()
        width, depth, _ = head.profile(line[:, 1])
        edge = -np.arctan2(width * np.cos(head.yaw), depth * np.sin(head.yaw))
        visible = (line[:, 0] > edge) & (line[:, 0] < edge + np.pi)
        line = curve(line[visible | (line[:, 1] < -0.15)])
        lower = head.around(line[:, 0], line[:, 1], 0.01)
        upper = self.crown(lower)
        cap = np.concatenate([lower, upper[::-1]])
        if style.kind in ("fuzz", "buzz"):
            canvas.soft(self.color, [(cap, 0.5 if style.kind == "fuzz" else 0.82)], 0.012)
            return
        canvas.soft(self.look.shadow, [(lower_band(lower, 0.07 * unit), 0.5)], 0.010)
        canvas.fill(cap, self.color)
        if style.texture == "curly":
            self.curls(canvas, upper, 0.085, self.color)
            self.curls(canvas, lower[len(lower) // 5 : -len(lower) // 5], 0.05, self.color)
        self.strands(canvas, lower, upper)
        if style.fringe != "none":
            self.fringe(canvas)

    def crown(self, lower: np.ndarray) -> np.ndarray:
        """Return the upper edge of the hair, from over the line's first point to over its last, as many points."""
        style, head = self.style, self.head
        around = head.silhouette(style.volume, above=0.7)
        up = -head.rotation[:2, 1]
        center = around.mean(axis=0)
        rise = np.clip(((around - center) @ up) / (1.2 * head.unit), 0, 1) ** 1.5
        around = around + up * (rise * 0.09 * head.unit * (style.volume > 0.03))[:, None]
        first = int(np.argmin(np.hypot(*(around - lower[0]).T)))
        last = int(np.argmin(np.hypot(*(around - lower[-1]).T)))
        steps = (last - first) % len(around)
        arc = around[(first + np.arange(steps + 1)) % len(around)]
        if style.kind == "short" and style.texture != "curly":
            spikes = 0.035 * (self.random(len(arc)) - 0.4) * head.unit
            arc = arc + (arc - center) / np.hypot(*(arc - center).T)[:, None] * spikes[:, None]
        picks = np.linspace(0, len(arc) - 1, len(lower))
        return np.stack([np.interp(picks, np.arange(len(arc)), arc[:, axis]) for axis in (0, 1)], axis=1)

    def strands(self, canvas: Canvas, lower: np.ndarray, upper: np.ndarray):
        """Draw strands over the cap: combed back, to the side, or as curls."""
        style, unit, count = self.style, self.head.unit, len(lower)
        middle = lower * 0.45 + upper * 0.55
        shine = np.concatenate(
            [middle[count // 4 : -count // 4], (lower * 0.3 + upper * 0.7)[count // 4 : -count // 4][::-1]]
        )
        canvas.soft(self.light, [(shine, 0.55)], 0.014)
        start, rise, tone, reach = self.random((4, 70))
        if style.texture == "curly":
            spot = (start * (count - 1)).astype(int)
            centers = lower[spot] + (upper[spot] - lower[spot]) * rise[:, None]
            for center, turn, size in zip(centers, tone, reach, strict=True):
                color, radius = self.light if turn < 0.4 else self.dark, (0.03 + 0.03 * size) * unit
                box = (*(center - radius), *(center + radius))
                canvas.pen.arc(box, 360 * turn, 360 * turn + 210, fill=(*color, 120), width=max(1, round(0.014 * unit)))
            return
        start, rise, reach = start[:, None], rise[:, None], reach[:, None]
        along = np.linspace(0, 1, 8)
        if style.combed == "back":
            spot = start * (count - 1) + 5 * (reach - 0.5) * along
            level = (0.55 + 0.45 * rise) * along
        else:
            spot = (start + style.side * (0.15 + 0.25 * reach) * along) * (count - 1)
            level = rise + 0.25 * (reach - 0.5) * along + 0.25 * np.sin(3 * along) * (1 - rise)
        roots, tips = (along_line(line, np.broadcast_to(spot, (70, 8))) for line in (lower, upper))
        paths = roots + (tips - roots) * np.clip(level, 0, 1)[..., None]  # (70, 8, 2)
        for path, shine in zip(paths, tone, strict=True):
            canvas.line(path, 0.014 * unit, self.light if shine < 0.4 else self.dark, 0.38)

    def fringe(self, canvas: Canvas):
        """Draw hair that falls onto the forehead."""
        style, head, unit = self.style, self.head, self.head.unit
        angle = np.linspace(-1.12, 1.12, 15)
        zigzag = 0.05 * (self.random(15) - 0.5)
        if style.fringe == "full":
            bottom = -0.42 + zigzag + 0.14 * np.abs(angle) ** 3 - 0.02 * np.cos(9 * angle)
        else:
            slant = style.side * angle
            bottom = -0.62 + 0.20 * slant + zigzag + 0.10 * np.clip(slant, 0, 2) ** 2
        top = np.full(15, -0.98) + 0.35 * (np.abs(angle) / 1.12) ** 2
        lower, upper = head.around(angle, bottom, 0.05), head.around(angle, top, 0.05)
        canvas.soft(self.look.shadow, [(lower_band(lower, 0.06 * unit), 0.5)], 0.008)
        canvas.fill(np.concatenate([curve(lower, steps=4), upper[::-1]]), self.color)
        start, tone, reach = self.random((3, 34))
        root, tip = along_line(upper, 14 * start), along_line(lower, 14 * start)
        level = np.linspace(0, 1, 5)[None, :, None] * (0.75 + 0.27 * reach)[:, None, None]
        paths = root[:, None] + (tip - root)[:, None] * level  # (34, 5, 2)
        if style.fringe == "swept":
            paths[..., 0] += style.side * 0.05 * unit * np.sin(np.pi * level[..., 0])
        for path, shine in zip(paths, tone, strict=True):
            canvas.line(path, 0.014 * unit, self.light if shine < 0.35 else self.dark, 0.35)

    def horseshoe(self, canvas: Canvas):
        """Draw the short hair that a bald head keeps above the ears and at the back."""
        if self.look.chances("hair")[12] < 0.3:
            return  # shaven
        shapes = []
        for side in (-1, 1):
            angle = side * np.array([1.22, 1.30, 1.5, 1.9, 2.4, 2.6, 2.2, 1.8, 1.62, 1.50, 1.32])
            height = np.array([-0.12, -0.42, -0.55, -0.6, -0.6, 0.5, 0.6, 0.45, 0.05, -0.16, -0.05])
            shapes.append((self.head.around(angle, height, 0.035), 0.85))
        canvas.soft(self.color, shapes, 0.012, canvas.mask([self.head.edge]))

    def draw_locks(self, canvas: Canvas):
        """Draw the locks in front of shoulders and ears, and a child's hair clip."""
        for side in (-1, 1):
            if not (self.head.turned and side == self.head.far):
                self.lock(canvas, side)
        chance = self.look.chances("hair")
        if not self.look.male and self.look.portrait.age < 13 and chance[13] < 0.4 and self.style.kind != "fuzz":
            color = ((226, 70, 110), (240, 180, 60), (90, 150, 220), (160, 90, 200))[int(chance[14] * 4)]
            spot = self.head.around(0.85 * self.style.side, -0.80, 0.12)
            for shift in (-0.09, 0.09):
                canvas.fill(
                    ellipse(spot + (shift * self.head.unit, 0), (0.10 * self.head.unit, 0.07 * self.head.unit)), color
                )
            canvas.disk(spot, 0.05 * self.head.unit, shade(color, 0.75))

    def lock(self, canvas: Canvas, side: int):
        """Draw the hair that hangs down on one side of the face."""
        style, head = self.style, self.head
        if style.kind not in ("medium", "long"):
            return
        y = np.linspace(-0.60, style.length, 12)
        t = np.linspace(0, 1, 12)
        wave = {"straight": 0.008, "wavy": 0.035, "curly": 0.05}[style.texture] * np.sin(
            y * (6 if style.texture == "wavy" else 11) + 2 * side
        )
        cover = 0.10 * self.look.chances("hair")[15]
        inner_x = np.interp(y, (-0.6, -0.2, 0.4, 0.9, 2.3), (0.80, 0.90, 0.90 - cover, 0.84 - cover, 0.80)) + wave
        outer_x = np.interp(y, (-0.6, -0.2, 0.6, 2.3), (0.90, 1.04, 1.10, 1.20)) + style.volume + 0.6 * wave
        front = np.interp(y, (-0.6, -0.2, 0.4, 2.3), (0.32, 0.22, 0.20, 0.25))
        inner = np.stack([side * inner_x, y, front], 1)
        outer = np.stack([side * outer_x, y, front - 0.6], 1)
        tip = (np.clip((t - 0.75) / 0.25, 0, 1) ** 2 * 0.4)[:, None] * (outer - inner)  # the ends draw together
        inner, outer = (curve(head.pixels(edge), steps=3) for edge in (inner + tip, outer - tip))
        canvas.fill(np.concatenate([inner, outer[::-1]]), self.color)
        if style.texture == "curly":
            self.curls(canvas, outer, 0.08, self.color)
            self.curls(canvas, inner, 0.045, self.color)
        for place, tone, start in self.random((26, 3)):
            first = int(start * 12)
            line = (inner * (1 - place) + outer * place)[first : first + 22]
            canvas.line(line, 0.014 * head.unit, self.light if tone < 0.35 else self.dark, 0.35)


def along_line(line: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return the points (..., 2) at fractional places along a line (N, 2)."""
    place = np.clip(place, 0, len(line) - 1.001)
    index = place.astype(int)
    return line[index] + (line[index + 1] - line[index]) * (place - index)[..., None]


def lower_band(line: np.ndarray, thickness: float) -> np.ndarray:
    """Return the band just below a line (N, 2) of pixels: where hair throws its shadow."""
    return np.concatenate([line - (0, 0.5 * thickness), (line + (0, thickness))[::-1]])
