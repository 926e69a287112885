"""What a portrait shows: the labels it is drawn from, and the numbers that all parts of the drawing share."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mtl_keras.errors import UserError
from mtl_keras.rotations import rotation_of
from mtl_keras.tasks import ETHNICITY, EXPRESSION, EYEGLASSES, GENDER, SMILE

# Of angles: beyond these the mouth and the eyes are drawn as lines, and no profile has a far side.
LIMITS = {"age": (0, 116), "yaw": (-75, 75), "pitch": (-75, 75), "roll": (-75, 75)}
STEEPEST = 45  # degrees from the crown of an upright head to that of a drawn one
CHOICES = {task.name: task.classes for task in (GENDER, ETHNICITY, SMILE, EXPRESSION, EYEGLASSES)}

# Every part of the picture draws its chances from a stream of its own, so that a change in one part, or a label,
# never shifts the chances of another part.
STREAMS = (
    "face",
    "colors",
    "eyes",
    "nose",
    "mouth",
    "hair",
    "strands",
    "skin",
    "beard",
    "glasses",
    "background",
    "camera",
    "eye_area",
    "faults",
    "lenses",
)

# Skin tones (lighter end, darker end) and hair colors that stand for the labels: a convention of the drawing, as
# arbitrary as any palette, which says nothing about people.
SKIN = {
    "white": ((255, 228, 208), (238, 190, 162)),
    "black": ((136, 88, 62), (78, 48, 36)),
    "asian": ((252, 222, 182), (228, 182, 134)),
    "indian": ((200, 144, 102), (150, 98, 66)),
    "others": ((232, 184, 142), (190, 136, 100)),
}
BLACK, DARK_BROWN, BROWN, CHESTNUT = (30, 24, 26), (54, 36, 28), (92, 62, 42), (120, 74, 44)
AUBURN, RED, DARK_BLOND, BLOND = (134, 62, 36), (176, 88, 44), (168, 128, 80), (218, 182, 118)
HAIR = {
    "white": (DARK_BROWN, BROWN, CHESTNUT, AUBURN, RED, DARK_BLOND, BLOND, BLOND),
    "black": (BLACK, BLACK, (38, 28, 26), DARK_BROWN),
    "asian": (BLACK, BLACK, (34, 28, 32), DARK_BROWN),
    "indian": (BLACK, (36, 26, 24), DARK_BROWN),
    "others": (BLACK, DARK_BROWN, DARK_BROWN, BROWN, CHESTNUT),
}
IRIS = {"white": ((84, 128, 172), (96, 134, 96), (124, 152, 168), (120, 88, 54), (92, 62, 40))}
DARK_IRIS = ((72, 46, 30), (54, 34, 24), (88, 58, 36))
TEXTURES = {  # chances of straight, wavy and curly hair
    "white": (0.5, 0.4, 0.1), "black": (0.05, 0.2, 0.75), "asian": (0.85, 0.12, 0.03), "indian": (0.5, 0.4, 0.1),
    "others": (0.35, 0.35, 0.3),
}  # fmt: skip


@dataclass(frozen=True)
class Portrait:
    """The labels of one drawn face, and the seed of everything that is not labeled.

    Age in years (0 to 116). Angles in degrees, with the signs of 300W-LP and AFLW2000: positive `yaw` turns the face
    towards the image's left, positive `pitch` lifts it, positive `roll` tilts it clockwise as seen in the image.
    The angles are those of `mtl_keras.rotations`. The same portrait always gives the same picture.
    """

    age: float = 30
    gender: str = "female"
    ethnicity: str = "white"
    smile: str = "not_smiling"
    expression: str = "neutral"
    eyeglasses: str = "no_eyeglasses"
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    seed: int = 0

    def __post_init__(self):
        for name, value in (("age", self.age), ("yaw", self.yaw), ("pitch", self.pitch), ("roll", self.roll)):
            low, high = LIMITS[name]
            if not low <= value <= high:
                raise UserError(f"portrait: {name} {value!r} is out of range; expected {low} to {high}")
        # Of a face that is turned far aside, pitch and roll may be large and yet leave it upright.
        steep = np.degrees(np.arccos(rotation_of(np.array([self.yaw, self.pitch, self.roll]))[1, 1]))
        if steep > STEEPEST:
            angles = f"yaw {self.yaw:g}, pitch {self.pitch:g} and roll {self.roll:g}"
            raise UserError(f"portrait: {angles} bend the head by {steep:.0f} degrees; expected up to {STEEPEST}")
        chosen = (self.gender, self.ethnicity, self.smile, self.expression, self.eyeglasses)
        for (name, choices), value in zip(CHOICES.items(), chosen, strict=True):
            if value not in choices:
                raise UserError(f"portrait: {name} {value!r} is unknown; expected one of {', '.join(choices)}")
        if self.seed < 0:
            raise UserError(f"portrait: seed {self.seed!r} is negative; expected 0 or more")


@dataclass(frozen=True)
class Muscles:
    """How far an expression pulls each part of the face, about -1 to 1; 0 is at rest."""

    brow_inner: float = 0.0  # up is positive
    brow_outer: float = 0.0
    brow_height: float = 0.0
    upper_lid: float = 0.0  # opens the eye
    lower_lid: float = 0.0  # pushes the lower lid up
    lift: float = 0.0  # corners of the mouth up
    width: float = 0.0
    opening: float = 0.0
    snarl: float = 0.0  # upper lip raised
    teeth: float = 0.0
    cheek: float = 0.0
    nose_wrinkle: float = 0.0
    pressed: float = 0.0  # lips pressed thin


AT_REST = Muscles()
EXPRESSIONS = {  # after the action units that Ekman and Friesen (FACS, 1978) give for the basic emotions
    "neutral": (AT_REST,),
    "happy": (Muscles(brow_height=0.15, upper_lid=-0.1, lower_lid=0.55, lift=0.3, cheek=0.7),),
    "sad": (Muscles(brow_inner=0.95, brow_outer=-0.5, upper_lid=-0.35, lift=-0.85, width=-0.15, pressed=0.1),),
    "angry": (
        Muscles(-1.0, 0.4, -0.45, -0.15, 0.35, lift=-0.45, width=-0.1, pressed=0.8, nose_wrinkle=0.3),
        Muscles(-1.0, 0.45, -0.4, 0.1, 0.3, lift=-0.45, width=0.1, opening=0.4, teeth=1, snarl=0.3, nose_wrinkle=0.5),
    ),
    "disgust": (
        Muscles(-0.5, 0.0, -0.4, -0.45, 0.6, lift=-0.5, snarl=1.0, nose_wrinkle=1.0, cheek=0.3, width=-0.1),
        Muscles(-0.45, 0.0, -0.35, -0.4, 0.5, lift=-0.45, snarl=0.9, nose_wrinkle=1.0, opening=0.22, teeth=0.7),
    ),
    "fear": (Muscles(0.9, -0.1, 0.5, 0.75, -0.1, lift=-0.4, width=0.25, opening=0.38, teeth=0.5),),
    "surprise": (Muscles(0.1, 0.1, 1.0, 0.8, -0.2, width=-0.45, opening=1.0, teeth=0.25),),
}


def mix(first, second, share: float) -> tuple[int, int, int]:
    """Return the color between `first` (share 0) and `second` (share 1)."""
    return tuple(int(round(a + (b - a) * share)) for a, b in zip(first, second, strict=True))


def shade(color, factor: float) -> tuple[int, int, int]:
    """Return a color made darker (factor below 1) or brighter."""
    return tuple(int(min(255, max(0, round(channel * factor)))) for channel in color)


class Look:
    """Everything about a portrait that more than one part of the drawing needs."""

    def __init__(self, portrait: Portrait):
        self.portrait = portrait
        self.drawn: dict[str, np.ndarray] = {}
        self.male = portrait.gender == "male"
        self.glasses = portrait.eyeglasses == "eyeglasses"
        self.smiling = portrait.smile == "smiling"
        face = self.chances("face")
        self.face = face
        self.child = float(np.interp(portrait.age, (0, 2, 6, 12, 19), (1, 0.88, 0.62, 0.32, 0)))
        aged = portrait.age + 8 * (face[0] - 0.5)  # people of one age do not look it equally
        self.old = float(np.interp(aged, (22, 30, 45, 60, 80, 105), (0, 0.10, 0.30, 0.56, 0.88, 1.0)))
        # How strongly the cues of gender show in the cartoon, with a spread; weaker on children.
        strength = (1 - 0.5 * self.child) * (0.9 + 0.35 * face[1])
        self.masculine = strength if self.male else -strength
        self.colors()

    def chances(self, stream: str) -> np.ndarray:
        """Return the 24 numbers in [0, 1) of a stream: always the same ones for one seed."""
        if stream not in self.drawn:
            self.drawn[stream] = self.generator(stream).random(24)
        return self.drawn[stream]

    def generator(self, stream: str, part: int = 0) -> np.random.Generator:
        """Return the generator of a stream; `part` 1 is another one, for details that need many numbers."""
        return np.random.Generator(np.random.PCG64((self.portrait.seed, STREAMS.index(stream), part)))

    def colors(self):
        """Choose skin, hair, lips and eyes from the palettes of the labels."""
        chance = self.chances("colors")
        ethnicity = self.portrait.ethnicity
        light, dark = SKIN[ethnicity]
        self.skin = mix(light, dark, chance[0])
        self.skin = shade(mix(self.skin, (214, 150, 128), 0.1 * chance[1]), 0.97 + 0.05 * chance[2])
        if not self.male:
            self.skin = mix(self.skin, light, 0.45)
        self.shadow = tuple(int(channel * share) for channel, share in zip(self.skin, (0.56, 0.42, 0.38), strict=True))
        self.glow = mix(self.skin, (255, 250, 238), 0.75)
        self.brightness = sum(self.skin) / 765
        natural = HAIR[ethnicity][int(chance[3] * len(HAIR[ethnicity]))]
        natural = mix(natural, BLOND, 0.35 * self.child) if ethnicity == "white" else natural
        onset = 34 + 26 * chance[4]
        gray = float(np.clip((self.portrait.age - onset) / (28 + 12 * chance[5]), 0, 1))
        dyed = not self.male and chance[6] < 0.35 and self.portrait.age < 85
        self.gray = gray * (0.25 if dyed else 1.0)
        silver = mix((150, 148, 150), (236, 234, 230), float(np.clip((self.portrait.age - 50) / 40, 0, 1)))
        self.hair = mix(natural, silver, self.gray)
        self.beard = mix(natural, silver, 0.6 * gray)  # grayer, but never too fair to be seen
        self.brow = mix(shade(natural, 0.8), silver, 0.65 * self.gray)
        irises = IRIS.get(ethnicity, DARK_IRIS)
        self.iris = irises[int(chance[7] * len(irises))]
        made_up = not self.male and self.portrait.age > 15 and chance[8] < 0.75
        self.makeup = 0.35 + 0.65 * chance[9] if made_up else 0.0
        lip = mix(mix(self.skin, (196, 74, 84), 0.42), shade(self.skin, 0.72), 0.25 if self.male else 0.05)
        lip = mix(lip, self.skin, 0.55) if self.male else lip
        rouge = ((190, 34, 58), (206, 84, 104), (150, 44, 66), (214, 110, 100))[int(chance[10] * 4)]
        if self.brightness < 0.45:
            rouge = mix(rouge, (255, 150, 170), 0.75)  # seen on dark skin too
        self.lips = lip if self.male else mix(lip, rouge, 0.70 + 0.30 * self.makeup - 0.12 * self.child)
        self.lips = mix(self.lips, self.skin, 0.3 * self.old)

    @cached_property
    def muscles(self) -> Muscles:
        """The pull of expression and smile together."""
        chance = self.chances("mouth")
        poses = EXPRESSIONS[self.portrait.expression]
        pose = poses[int(chance[0] * len(poses))]
        force = 0.8 + 0.35 * chance[1]
        pulls = {name: force * pull for name, pull in vars(pose).items()}
        if self.smiling:
            broad = 0.75 + 0.4 * chance[2]
            shown = chance[3] < 0.72  # whether the teeth show
            pulls["lift"] = max(pulls["lift"] * 0.4, 0.0) + 0.85 * broad
            pulls["width"] += 0.5 * broad
            pulls["cheek"] = min(1.3, pulls["cheek"] * 0.5 + 0.8 * broad)
            pulls["lower_lid"] += 0.2 * broad
            pulls["pressed"] = 0.0
            if shown:
                pulls["opening"] = max(pulls["opening"], (0.22 + 0.3 * chance[4]) * broad)
                pulls["teeth"] = 1.0
        return Muscles(**pulls)
