"""Layouts of public data sets for drawn faces: their own readers read such a folder and give back its labels.

Each function plans the images and label files for a count of faces, a seed and a width of images in pixels.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from io import BytesIO

import numpy as np
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from mtl_keras.datasets.biwi import SAME_PERSON
from mtl_keras.datasets.celeba import NAMES as CELEBA_ATTRIBUTES
from mtl_keras.datasets.fairface import RACES
from mtl_keras.datasets.genki4k import SIGNS
from mtl_keras.datasets.raf_db import EXPRESSIONS
from mtl_keras.portraits.landmarks import landmarks
from mtl_keras.portraits.look import LIMITS, Look, Portrait
from mtl_keras.portraits.scene import Frame
from mtl_keras.portraits.writer import Layout, Plan, Shot, sample_portraits
from mtl_keras.rotations import tilted_first, tilted_last
from mtl_keras.tasks import AGE_DECADE, HEAD_POSE

YOUNG = 40  # years; CelebA gives no age
GROWN_UP, OLDEST = 18, 84  # years, in crops of CelebA
CALM = (("yaw", 1.0), ("pitch", 0.6), ("roll", 0.6))  # share of the usual angles that is left
RECORDINGS = 24
# By the age that each begins with: "3-9", "70+".
AGE_BINS = {int(re.match("[0-9]+", name)[0]): name for name in AGE_DECADE.classes}
RENDERINGS = 4  # of each photo in 300W-LP
WIDEST = 70  # degrees to either side
FOCAL_LENGTH = 525 / 640  # of the Kinect's color camera, in widths of the image
HALF_FACE = 75  # millimetres


def genki4k(count: int, seed: int, width: int) -> Plan:
    """Plan whole photos of various sizes around `width`, a few grey, with smile and head pose in radians."""
    shots, lines = [], []
    for number, portrait in enumerate(sample_portraits(count, seed), start=1):
        chance = _chances(portrait)
        wide, high = (round(width * (0.85 + 0.3 * share)) for share in chance[:2])
        side = round(min(wide, high) * (0.5 + 0.3 * chance[2]))
        frame = Frame(wide, high, side, round((wide - side) * (0.3 + 0.4 * chance[3])), round((high - side) * 0.5))
        shots.append(Shot(f"files/file{number:04d}.jpg", portrait, frame, grey=bool(chance[4] < 0.05)))
        angles = np.radians(tilted_last(np.array(_pose(portrait))) * SIGNS)
        lines.append(" ".join([str(int(portrait.smile == "smiling")), *(f"{angle:.6f}" for angle in angles)]))
    return Plan(shots, {"labels.txt": _text(lines)})


def fer2013(count: int, seed: int, width: int) -> Plan:
    """Plan grey crops in class folders, a tenth each for validation and test.

    Not as `fer2013.csv`, whose images the reader would have to write beside it before anything could use them.
    """
    shots = []
    for index, portrait in enumerate(sample_portraits(count, seed)):
        split = ("train", "validation", "test")[_split(index, count)]
        file = f"{split}/{portrait.expression}/{index:05d}.png"
        shots.append(Shot(file, portrait, Frame(width, width, width), grey=True))
    return Plan(shots)


def celeba(count: int, seed: int, width: int) -> Plan:
    """Plan aligned images with 40 attributes, a tenth each for validation and test, every face its own person.

    Male, Eyeglasses, Smiling and Young are true; the others are not known of a drawing, and -1.
    """
    # In CelebA's 178 x 218 pixels the eyes are at row 111, 38 pixels apart.
    side = round(width * 134 / 178)
    frame = Frame(width, round(width * 218 / 178), side, round(width * 22 / 178), round(width * 54 / 178))
    return _celeba((portrait, frame) for portrait in sample_portraits(count, seed))


def celeba_crops(count: int, seed: int, width: int) -> Plan:
    """Plan what `celeba` does, cut tightly around the faces of grown-ups, as face detectors and cropped copies do.

    The frame ends at the ears, the chin and the middle of the forehead, each time a little elsewhere.
    """
    faces = []
    for portrait in sample_portraits(count, seed):
        age = round(GROWN_UP + (OLDEST - GROWN_UP) * portrait.age / LIMITS["age"][1])
        # Of people who look into a camera, and aligned by their eyes.
        pose = {name: round(angle * share, 2) for (name, share), angle in zip(CALM, _pose(portrait), strict=True)}
        portrait = replace(portrait, age=age, **pose)
        chance = _chances(portrait)
        height, side = round(width * (1.16 + 0.26 * chance[0])), round(width * (1.44 + 0.26 * chance[1]))
        # A drawn face is shorter than a photographed one, so the picture is stretched by about as much as it is high.
        rows = round(width * (1.04 + 0.16 * chance[2]))
        left = round(0.5 * width - (0.5 + 0.06 * (chance[3] - 0.5)) * side)
        top = round(0.37 * rows - (0.425 + 0.07 * (chance[4] - 0.5)) * side)
        faces.append((portrait, Frame(width, height, side, left, top, rows)))
    return _celeba(faces)


def _celeba(faces: Iterable[tuple[Portrait, Frame]]) -> Plan:
    """Return the files of a CelebA folder with these faces."""
    attributes, shots, lines = CELEBA_ATTRIBUTES.split(), [], []
    for number, (portrait, frame) in enumerate(faces, start=1):
        known = {
            "Male": portrait.gender == "male",
            "Eyeglasses": portrait.eyeglasses == "eyeglasses",
            "Smiling": portrait.smile == "smiling",
            "Young": portrait.age < YOUNG,
        }
        shots.append(Shot(f"img_align_celeba/{number:06d}.jpg", portrait, frame))
        values = (1 if known.get(name) else -1 for name in attributes)
        lines.append(" ".join([f"{number:06d}.jpg", *(f"{value:2d}" for value in values)]))
    count, names = len(shots), [f"{number:06d}.jpg" for number in range(1, len(shots) + 1)]
    return Plan(
        shots,
        {
            "list_attr_celeba.txt": _text([str(count), " ".join(attributes), *lines]),
            "list_eval_partition.txt": _text(f"{name} {_split(i, count)}" for i, name in enumerate(names)),
            "identity_CelebA.txt": _text(f"{name} {i}" for i, name in enumerate(names, start=1)),
        },
    )


def raf_db(count: int, seed: int, width: int) -> Plan:
    """Plan aligned faces with one of seven expressions, a fifth of them to test on."""
    numbers = {name: number for number, name in EXPRESSIONS.items()}
    shots, lines = [], []
    for index, portrait in enumerate(sample_portraits(count, seed)):
        name = f"{'test' if index >= round(0.8 * count) else 'train'}_{index + 1:05d}"
        shots.append(Shot(f"basic/Image/aligned/{name}_aligned.jpg", portrait, Frame(width, width, width)))
        lines.append(f"{name}.jpg {numbers[portrait.expression]}")
    return Plan(shots, {"basic/EmoLabel/list_patition_label.txt": _text(lines)})


def fairface(count: int, seed: int, width: int) -> Plan:
    """Plan faces with a bin of ages, gender and race, a fifth of them to validate on."""
    races = {ethnicity: race for race, ethnicity in reversed(RACES.items())}
    shots, lines = [], {"train": [], "val": []}
    for index, portrait in enumerate(sample_portraits(count, seed)):
        part = "val" if index >= round(0.8 * count) else "train"
        file = f"{part}/{len(lines[part]) + 1}.jpg"
        # A margin of a quarter, of which a drawn square has some already.
        side = round(width * 0.9)
        left = round((width - side) / 2)
        shots.append(Shot(file, portrait, Frame(width, width, side, left, left)))
        age = AGE_BINS[max(first for first in AGE_BINS if first <= portrait.age)]
        age = "more than 70" if age == "70+" else age
        lines[part].append(f"{file},{age},{portrait.gender.title()},{races[portrait.ethnicity]},False")
    head = "file,age,gender,race,service_test"
    return Plan(shots, {f"fairface_label_{part}.csv": _text([head, *rows]) for part, rows in lines.items()})


def biwi(count: int, seed: int, width: int) -> Plan:
    """Plan frames of up to 24 recordings of people who turn their heads, with a rotation and a place in millimetres.

    Only the pose differs between the frames of one recording; as in BIWI, four people are recorded twice.
    """
    portraits, shots, texts = sample_portraits(count, seed), [], {}
    for index, portrait in enumerate(portraits):
        recording = f"{index % RECORDINGS + 1:02d}"
        person = portraits[int(SAME_PERSON.get(recording, recording)) - 1]
        portrait = replace(person, **dict(zip(HEAD_POSE.outputs, _pose(portrait), strict=True)))
        chance = _chances(person)
        height, side = round(width * 0.75), round(width * (0.2 + 0.05 * chance[0]))
        left, top = round((width - side) * (0.4 + 0.2 * chance[1])), round((height - side) * (0.25 + 0.2 * chance[2]))
        frame = f"{recording}/frame_{index // RECORDINGS + 3:05d}"
        shots.append(Shot(f"{frame}_rgb.png", portrait, Frame(width, height, side, left, top)))
        # From angles to the matrix as `biwi.angles_of` goes from the matrix to angles.
        matrix = Rotation.from_euler("XYZ", (-portrait.pitch, portrait.yaw, portrait.roll), degrees=True).as_matrix()
        # Half a face is about 0.355 of the square's side; what appears half as large is twice as far away.
        distance = FOCAL_LENGTH * width * HALF_FACE / (0.355 * side)
        center = np.array([left + side / 2 - width / 2, top + side / 2 - height / 2]) / (FOCAL_LENGTH * width)
        rows = [*(f"{row[0]:.6f} {row[1]:.6f} {row[2]:.6f} " for row in matrix), ""]
        place = " ".join(f"{number:.2f}" for number in (*(distance * center), distance))
        texts[f"{frame}_pose.txt"] = _text([*rows, f"{place} "])
    return Plan(shots, texts)


def w300lp(count: int, seed: int, width: int) -> Plan:
    """Plan photos of AFW, each of a person turned four ways, with the pose and 68 landmarks in a `.mat` file.

    Pitch, yaw and roll are in radians there. Heads turn by up to 70 degrees to either side, all angles alike, and nod
    and tilt as elsewhere.
    """
    portraits, shots, files = sample_portraits(count, seed), [], {}
    for index, portrait in enumerate(portraits):
        person, rendering = portraits[index // RENDERINGS], index % RENDERINGS
        chance = _chances(portrait)
        # Nodding and tilting are those of an upright head, and it turns in between.
        turned = tilted_first(np.array([WIDEST * (2 * chance[3] - 1), portrait.pitch, portrait.roll])).round(2)
        portrait = replace(person, **dict(zip(HEAD_POSE.outputs, turned.tolist(), strict=True)))
        side = round(width * (0.5 + 0.2 * chance[0]))
        left, top = (round((width - side) * (0.4 + 0.2 * place)) for place in chance[1:3])
        name = f"AFW/AFW_{index // RENDERINGS + 1:07d}_1_{rendering}"
        frame = Frame(width, width, side, left, top)
        shots.append(Shot(f"{name}.jpg", portrait, frame))
        yaw, pitch, roll = np.radians(_pose(portrait))
        file = BytesIO()
        # The last four numbers are the place and the size of the face.
        pose = np.array([[pitch, yaw, roll, left, top, 0, side]])
        # Of this format's files none holds the time.
        savemat(file, {"Pose_Para": pose, "pt2d": landmarks(portrait, frame).T}, format="4")
        files[f"{name}.mat"] = file.getvalue()
    return Plan(shots, files)


def _pose(portrait: Portrait) -> list[float]:
    """Return yaw, pitch and roll in degrees."""
    return [getattr(portrait, name) for name in HEAD_POSE.outputs]


def _chances(portrait: Portrait) -> np.ndarray:
    """Return five numbers in [0, 1) for the framing, always the same ones for one person, used for nothing else."""
    return Look(portrait).generator("camera", 2).random(5)


def _split(index: int, count: int) -> int:
    """Return 0 for the first 80 % of all images, 1 for the next tenth and 2 for the last."""
    return (index >= round(0.8 * count)) + (index >= round(0.9 * count))


def _text(lines: Iterable[str]) -> str:
    """Return lines as the text of a file."""
    return "".join(f"{line}\n" for line in lines)


GENKI4K = Layout("genki4k", 180, genki4k)
FER2013 = Layout("fer2013", 48, fer2013)
CELEBA = Layout("celeba", 178, celeba)
CELEBA_CROPS = Layout("celeba_crops", 83, celeba_crops)
RAF_DB = Layout("raf_db", 100, raf_db)
FAIRFACE = Layout("fairface", 224, fairface)
BIWI = Layout("biwi", 640, biwi)
W300LP = Layout("w300lp", 450, w300lp)
