"""Eyes, brows, nose and mouth: where age, expression and smile show most."""

import numpy as np
from PIL import Image, ImageDraw

from mtl_keras.portraits.canvas import Canvas, curve, ellipse, flat
from mtl_keras.portraits.head import Head
from mtl_keras.portraits.look import Look, mix, shade

SIDES = (-1, 1)
EYE_X = 0.40
ALONG = np.linspace(-1, 1, 13)


class Eye:
    """The outline of one eye in the plane of the face; `side` is -1 for the image's left."""

    def __init__(self, look: Look, side: int):
        chance, muscles = look.chances("eyes"), look.muscles
        self.side = side
        self.half = 0.203 + 0.022 * (chance[0] - 0.5) + 0.022 * look.child - 0.006 * look.masculine
        blink = 0.25 if look.chances("eye_area")[1] < 0.07 else 1.0  # a few are caught with closed eyes
        size = 1 + 0.36 * look.child - 0.20 * look.old - 0.07 * look.masculine + 0.20 * (chance[1] - 0.5)
        self.up = max(0.018, 0.084 * blink * size * (1 + 0.55 * muscles.upper_lid))
        self.down = max(
            0.004, 0.050 * blink * size * (1 - 0.85 * muscles.lower_lid + 0.15 * max(0.0, muscles.upper_lid))
        )
        self.tilt = 0.05 * (chance[2] - 0.4) - 0.03 * look.old - 0.02 * max(0.0, muscles.brow_inner)
        self.iris = 0.102 + 0.026 * look.child
        self.gaze = np.array([0.06 * (chance[3] - 0.5), 0.02 * (chance[4] - 0.5) - 0.010])

    def lid(self, lift: float, upper: bool, reach: float = 1.0) -> np.ndarray:
        """Return the upper or lower lid's line (13, 2) from the inner to the outer corner, `lift` above it."""
        t = reach * ALONG
        arch = np.maximum(0, 1 - (np.abs(t - 0.06) ** 2.2 if upper else np.abs(t + 0.05) ** 2.6))
        y = -self.up * arch if upper else self.down * arch
        y = y + self.down * 0.25 - self.tilt * t - lift
        return np.stack([self.side * (EYE_X + self.half * t), y], axis=1)


def draw_eyes(canvas: Canvas, head: Head, look: Look):
    """Draw both eyes with lids, lashes and the light in them."""
    unit = head.unit
    for side in SIDES:
        eye = Eye(look, side)
        upper, lower = eye.lid(0, True), eye.lid(0, False)
        lid_color = mix(look.skin, look.shadow, 0.30)
        if look.makeup:
            shadows = ((120, 80, 110), (110, 90, 80), (80, 100, 130), (130, 80, 60))
            lid_color = mix(lid_color, shadows[int(look.chances("eyes")[5] * 4)], 0.55 * look.makeup)
        hood = 0.055 + 0.02 * max(0.0, look.muscles.upper_lid) - 0.02 * look.old
        crease = eye.lid(hood, True, 1.06)
        canvas.fill(head.face(np.concatenate([upper, crease[::-1]])), lid_color, 0.5)
        shape = head.face(np.concatenate([upper, lower[::-1]]))
        fill_eye(canvas, head, look, eye, shape)
        canvas.stroke(head.face(crease), (0.020 + 0.012 * look.old) * unit, look.shadow, 0.75)
        lash = shade(look.brow, 0.5) if look.gray < 0.6 or look.makeup else shade(look.brow, 0.65)
        heavy = 0.034 + (0.030 * look.makeup if not look.male else 0) - 0.008 * look.masculine
        line = eye.lid(0.004, True, 1.04)
        canvas.stroke(head.face(line), heavy * unit, lash, 0.95)
        if not look.male:  # lashes sweep outwards
            for t, length in ((8, 0.05), (10, 0.075), (12, 0.10)):
                x, y = line[t]
                sweep = [(x, y), (x + side * 0.5 * length, y - 0.35 * length), (x + side * length, y - length)]
                canvas.stroke(head.face(curve(sweep)), 0.5 * heavy * unit, lash, 0.85, "end")
        canvas.stroke(head.face(lower), 0.014 * unit, mix(look.shadow, lash, 0.3 + 0.4 * look.makeup), 0.75)


def fill_eye(canvas: Canvas, head: Head, look: Look, eye: Eye, shape: np.ndarray):
    """Paint the eyeball inside the outline of the eye."""
    low = np.maximum(np.floor(shape.min(axis=0)).astype(int) - 1, 0)
    high = np.ceil(shape.max(axis=0)).astype(int) + 2
    width, height = np.maximum(high - low, 1)
    white = mix((246, 244, 240), (232, 218, 196), 0.7 * look.old)
    white = mix(white, look.shadow, 0.5 * look.chances("eye_area")[0])  # eyes that lie in the shadow of brow and lid
    part = Canvas(Image.new("RGB", (int(width), int(height)), white))
    center = np.array([eye.side * EYE_X, 0]) + eye.gaze
    unit = head.unit

    def ring(radius, offset=(0.0, 0.0)):
        return head.face(ellipse(center + offset, (radius, radius))) - low

    part.fill(ring(eye.iris), shade(look.iris, 0.45))
    part.fill(ring(0.86 * eye.iris), look.iris)
    part.fill(ring(0.55 * eye.iris, (0, 0.035)), shade(look.iris, 1.35), 0.6)
    part.fill(ring(0.46 * eye.iris), (14, 10, 10))
    upper = np.concatenate([eye.lid(0.03, True), eye.lid(-0.035, True)[::-1]])
    part.fill(head.face(upper) - low, (40, 26, 30), 0.40)  # the lid's shadow on the ball
    inner = head.face([(eye.side * (EYE_X - 0.96 * eye.half), eye.tilt + 0.01)])[0] - low
    part.disk(inner, 0.035 * unit, (206, 130, 124), 0.8)
    light = -0.035 if look.face[9] < 0.5 else 0.035
    part.disk(ring(0, (light, -0.035))[0], 0.026 * unit, (255, 255, 255), 0.95)
    part.disk(ring(0, (-light, 0.04))[0], 0.013 * unit, (255, 255, 255), 0.5)
    mask = Image.new("L", part.image.size)
    ImageDraw.Draw(mask).polygon(flat(shape - low), fill=255)
    canvas.image.paste(part.image, tuple(int(v) for v in low), mask)


def draw_brows(canvas: Canvas, head: Head, look: Look):
    """Draw the brows: thicker and lower on men as a rule, thin on children, gray and sparse with age."""
    muscles, chance, unit = look.muscles, look.chances("eyes"), head.unit
    height = -0.275 - 0.02 * look.child + 0.028 * look.masculine + 0.04 * (chance[6] - 0.5) + 0.02 * look.old
    height += 0.05 * (strong := look.chances("eye_area")[2] ** 2) - 0.105 * muscles.brow_height
    thick = (0.064 + 0.040 * look.masculine + 0.03 * (chance[7] - 0.5)) * (1 - 0.35 * look.child)
    arch = 0.05 - 0.02 * look.masculine + 0.04 * (chance[8] - 0.5)
    opacity = (0.9 - 0.35 * look.child) * (1 - 0.25 * look.old)
    thick, opacity = thick * (1 + 0.3 * strong), min(1.0, opacity * (0.85 + 0.4 * strong))
    jitter = look.generator("eyes", 1).random((28, 2))
    for side in SIDES:
        inner, outer = -0.115 * muscles.brow_inner, -0.10 * muscles.brow_outer
        squeeze = 0.04 * max(0.0, -muscles.brow_inner)
        # Five points from the root to the tail: across, own height, pull of the inner and of the outer end.
        across = np.array((0.15 - squeeze, 0.27, 0.42, 0.55, 0.65))
        rise = np.array((0.02, -0.5 * arch, -arch, -0.6 * arch, 0.5 * arch + 0.02))
        rise += np.array((1, 0.45, 0, 0, 0)) * inner + np.array((0, 0, 0.4, 0.8, 1)) * outer
        line = curve(np.stack([side * across, height + rise], 1))
        width = thick * np.interp(np.linspace(0, 1, len(line)), (0, 0.12, 0.5, 1), (0.55, 1, 0.85, 0.1))
        body = np.concatenate(
            [line - np.stack([0 * width, width / 2], 1), (line + np.stack([0 * width, width / 2], 1))[::-1]]
        )
        canvas.fill(head.face(body, 0.01), look.brow, 0.72 * opacity)
        place = np.linspace(0, len(line) - 2, len(jitter))
        width = width[place.astype(int)]
        start = line[place.astype(int)] + np.stack([0 * width, (jitter[:, 0] - 0.3) * width], 1)
        rise = (0.5 + 0.6 * jitter[:, 1]) * width * (1 - place / len(line))
        hairs = head.face(
            np.stack([start, start + np.stack([0 * rise + side * 0.05, -rise], 1)], 1).reshape(-1, 2), 0.01
        )
        for hair, tone in zip(hairs.reshape(-1, 2, 2), jitter[:, 1], strict=True):
            canvas.line(hair, 0.011 * unit, shade(look.brow, 0.75 + 0.5 * tone), 0.6 * opacity)


def nose_lines(head: Head, look: Look) -> list[tuple[list, float]]:
    """Return ridge, ball, foot and root of the nose as seen from the front, each with how far it stands out."""
    wide, tip, out = nose_shape(head, look)
    ridge = [(0, -0.05), (0, 0.12), (0, 0.5 * tip)]
    ball = [(-0.05, tip - 0.06), (0.05, tip - 0.06), (-0.05, tip + 0.05), (0.05, tip + 0.05), (0, tip + 0.08)]
    foot = [(-wide, tip), (wide, tip), (-0.7 * wide, tip + 0.08), (0.7 * wide, tip + 0.08)]
    # On the skin, so that the nose of a profile is joined to it.
    root = [(x, y) for x in (-0.15, 0.15) for y in (-0.12, tip + 0.08)]
    return [(ridge, 0.35 * out), (ball, 0.92 * out), (foot, 0.15 * out), (root, 0.0)]


def nose_shape(head: Head, look: Look) -> tuple[float, float, float]:
    """Return the nose's half width, the height of its tip, and how far the tip stands out of the face."""
    chance, lower = look.chances("nose"), head.lower
    wide = 0.155 + 0.05 * (chance[0] - 0.5) + 0.012 * look.masculine + 0.015 * look.old - 0.03 * look.child
    tip = 0.46 * lower + 0.05 * (chance[1] - 0.5) + 0.03 * look.old - 0.03 * look.muscles.nose_wrinkle
    out = (0.30 + 0.07 * (chance[2] - 0.5)) * (1 - 0.4 * look.child)
    return wide * (1 + 0.06 * look.muscles.cheek), tip, out


def draw_nose(canvas: Canvas, head: Head, look: Look, mask: Image.Image):
    """Model the nose with shadow on its sides and light on its ridge; it stands out, so it moves with the head."""
    unit = head.unit
    wide, tip, out = nose_shape(head, look)
    toward_light = 1 if look.face[9] > 0.5 else -1
    shadows = []
    for side in SIDES:
        strength = 0.16 if side == toward_light else 0.34
        strength *= 1 - 0.6 * look.child
        ridge = curve([(side * 0.06, -0.12), (side * 0.055, 0.15), (side * 0.075, tip - 0.06)])
        foot = curve([(side * (wide + 0.01), tip + 0.03), (side * 0.125, 0.15), (side * 0.10, -0.12)])
        shape = np.concatenate([head.face(ridge, 0.45 * out), head.face(foot, 0.05)])
        shadows.append((shape, strength))
    base = np.array([(-1, 0.05), (0, 0.07), (1, 0.05)]) * (wide, 1) + (0, tip)
    lip = np.array([(0.8, 0.12), (0, 0.17), (-0.8, 0.12)]) * (wide, 1) + (0, tip)
    under = np.concatenate([head.face(curve(base), 0.3 * out), head.face(curve(lip))])
    shadows.append((under, 0.42 - 0.15 * look.child))
    canvas.soft(look.shadow, shadows, 0.012, mask)
    ridge = head.face([(0, -0.1), (0, 0.1), (0, tip - 0.1)], 0.5 * out)
    ball = head.face([(0, tip - 0.02)], out)[0]
    canvas.soft(
        look.glow,
        [(ellipse(ball, (0.065 * unit, 0.055 * unit)), 0.7), (brush_line(ridge, 0.05 * unit), 0.35)],
        0.010,
        mask,
    )
    dark = shade(look.shadow, 0.55)
    for side in SIDES:
        nostril = head.face(ellipse((side * 0.52 * wide, tip + 0.075), (0.042, 0.022), side * 0.35), 0.35 * out)
        canvas.fill(nostril, dark, 0.85)
        wing = [
            (0.84 * wide, tip - 0.05),
            (1.06 * wide, tip + 0.01),
            (0.98 * wide, tip + 0.07),
            (0.78 * wide, tip + 0.09),
        ]
        canvas.stroke(head.face(curve(np.array(wing) * (side, 1)), 0.2 * out), 0.024 * unit, look.shadow, 0.85)
    canvas.stroke(
        head.face(curve([(-0.35 * wide, tip + 0.085), (0, tip + 0.1), (0.35 * wide, tip + 0.085)]), 0.45 * out),
        0.02 * unit,
        look.shadow,
        0.6,
    )


def brush_line(points: np.ndarray, width: float) -> np.ndarray:
    """Return a band of even width along points that run roughly downwards."""
    side = np.array([width / 2, 0])
    return np.concatenate([points - side, (points + side)[::-1]])


def draw_mouth(canvas: Canvas, head: Head, look: Look, mask: Image.Image):
    """Draw lips, teeth and tongue; smile and expression bend, widen and open them."""
    muscles, chance, unit, lower = look.muscles, look.chances("mouth"), head.unit, head.lower
    half = (0.285 + 0.03 * (chance[5] - 0.5) + 0.015 * look.masculine - 0.06 * look.child) * (1 + 0.30 * muscles.width)
    y = 0.80 * lower - 0.035 * max(0.0, muscles.lift)
    lift = 0.105 * muscles.lift
    gap = (0.30 + 0.06 * max(0.0, muscles.opening - 0.5)) * muscles.opening * (1 - 0.2 * look.child)
    thin = (1 - 0.45 * look.old) * (1 - 0.65 * muscles.pressed) * (1 - 0.16 * max(0.0, muscles.width))
    upper_lip = (0.058 - 0.026 * look.masculine + 0.024 * (chance[6] - 0.5)) * thin
    lower_lip = (0.085 - 0.034 * look.masculine + 0.030 * (chance[7] - 0.5)) * thin
    raised = 0.065 * muscles.snarl
    skew = 0.02 * (chance[8] - 0.5) + 0.03 * muscles.snarl * (1 if chance[9] < 0.5 else -1)
    t = np.linspace(-1, 1, 21)
    corner = y - lift * np.abs(t) ** 1.7 + skew * t * (1 - np.abs(t))
    round_off = np.clip(1 - np.abs(t) ** 2.2, 0, 1)
    inner_top = corner - (0.30 * gap + raised) * round_off
    inner_bottom = corner + 0.70 * gap * round_off + 0.002
    bow = np.interp(np.abs(t), (0, 0.16, 0.3, 0.75, 1), (0.80, 1.0, 1.05, 0.62, 0.02))
    x = half * t
    top, bottom = inner_top - upper_lip * bow, inner_bottom + lower_lip * np.clip(1 - np.abs(t) ** 2.6, 0.01, 1)

    def band(first, second, lift=0.02):
        return head.face(np.concatenate([np.stack([x, first], 1), np.stack([x, second], 1)[::-1]]), lift)

    canvas.soft(look.shadow, [(band(bottom + 0.01, bottom + 0.05), 0.45), (band(top - 0.03, top), 0.12)], 0.010, mask)
    dark_lip = shade(look.lips, 0.86)
    canvas.fill(band(top, inner_top), dark_lip)
    canvas.fill(band(inner_bottom, bottom), look.lips)
    shine = [
        (
            head.face(ellipse((0, inner_bottom[10] + 0.45 * lower_lip), (0.45 * half, 0.22 * lower_lip)), 0.02),
            0.35 + 0.3 * look.makeup,
        )
    ]
    canvas.soft(mix(look.lips, (255, 240, 236), 0.7), shine, 0.006)
    if gap > 0.02 or raised > 0.04 and muscles.opening > 0.1:
        draw_inside(canvas, head, look, (x, inner_top, inner_bottom, gap))
    else:
        line = head.face(np.stack([x, 0.5 * (inner_top + inner_bottom)], 1), 0.02)
        canvas.stroke(line, 0.030 * unit, shade(mix(look.lips, look.shadow, 0.6), 0.55), 0.95)
    for side, end in ((-1, 0), (1, 20)):  # dimples at the corners
        spot = head.face(ellipse((x[end] + side * 0.015, corner[end]), (0.022, 0.028)), 0.02)
        canvas.fill(spot, look.shadow, 0.35 + 0.15 * max(0.0, muscles.lift))


def draw_inside(canvas: Canvas, head: Head, look: Look, opening: tuple):
    """Draw the open mouth: dark, with teeth above (or in both rows when bared) and the tongue below."""
    x, top, bottom, gap = opening
    muscles, unit = look.muscles, head.unit

    def band(first, second):
        return head.face(np.concatenate([np.stack([x, first], 1), np.stack([x, second], 1)[::-1]]), 0.01)

    canvas.fill(band(top, bottom), (70, 22, 28))
    room = bottom - top
    if gap > 0.12:
        tongue = np.maximum(bottom - 0.42 * room, top) + 0.25 * room * (np.abs(x) / x.max()) ** 2
        canvas.fill(band(tongue, bottom), (190, 88, 92))
    ivory = mix((252, 250, 244), (226, 206, 164), 0.75 * look.old + 0.1)
    toothless = look.portrait.age < 1.2
    if muscles.teeth > 0 and not toothless:
        bared = look.portrait.expression in ("angry", "disgust", "fear") and not look.smiling
        rows = np.minimum(room, 0.105 * min(1.0, 0.4 + muscles.teeth)) if not bared else 0.46 * room
        if gap < 0.1 and not bared:
            rows = 0.92 * room
        canvas.fill(band(top, top + rows), ivory)
        if bared:
            canvas.fill(band(bottom - 0.40 * room, bottom), shade(ivory, 0.92))
        canvas.fill(band(top, top + 0.25 * rows), (120, 60, 60), 0.22)  # the lip's shadow
        for tooth in range(3, 18, 2):
            edge = [(x[tooth], top[tooth] + 0.1 * rows[tooth]), (x[tooth], top[tooth] + 0.95 * rows[tooth])]
            canvas.line(head.face(edge, 0.01), 0.008 * unit, (150, 120, 104), 0.40)
    canvas.line(head.face(np.stack([x, top], 1), 0.02), 0.014 * unit, shade(look.lips, 0.45), 0.8)
    canvas.line(head.face(np.stack([x, bottom], 1), 0.02), 0.010 * unit, shade(look.lips, 0.6), 0.5)
