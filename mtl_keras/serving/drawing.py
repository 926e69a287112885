"""What was found in an image, as words and drawn on it."""

import os
from itertools import cycle
from pathlib import Path, PurePath

from PIL import Image, ImageColor, ImageDraw, ImageFont

from mtl_keras.colors import COLORS
from mtl_keras.data.images import Picture, read_picture
from mtl_keras.errors import UserError
from mtl_keras.files import check_writable, free_name, replacing
from mtl_keras.rotations import axes
from mtl_keras.tasks import PERSON_KEYS, TASKS, name_before_class

# A picture whose longer side is shorter than this is enlarged before labels are drawn on it.
SMALLEST_DRAWING = 480
# Where there are more people, their answers are not written into the picture.
MOST_ANSWERS = 8
AXIS = 0.5  # length of a head's axes, in widths of its box
# An image of another kind is drawn as PNG.
DRAWN = (".jpg", ".jpeg", ".png", ".bmp")


def describe(person: dict) -> list[str]:
    """Return a line for each answer about a person: "age 31 ± 6", "female 98 %", "yaw 3, pitch -2, roll 0".

    A last one says what speaks against them: "not reliable: blurred".
    """
    answers = {name: answer for name, answer in person.items() if name not in PERSON_KEYS}
    lines, tasks = [], [TASKS[name] for name, answer in answers.items() if "class" in answer]
    for name, answer in answers.items():
        if "class" in answer:
            before = name_before_class(TASKS[name], tasks)
            lines.append(f"{before} {answer['class']} {_shown(answer['probability'], 100)} %".replace("_", " ").strip())
        elif "value" in answer:
            spread = "" if answer["std"] is None else f" ± {_shown(answer['std'])}"
            lines.append(f"{name} {_shown(answer['value'])}{spread}".replace("_", " "))
        else:
            lines.append(", ".join(f"{output} {_shown(number)}" for output, number in answer.items()))
    return [*lines, f"not reliable: {person['reason']}"] if person.get("reason") else lines


def _shown(number: float | None, factor: float = 1) -> str:
    # Adding zero turns the "-0" of a small negative number into "0".
    return "?" if number is None else f"{round(factor * number) + 0}"


def draw(path: Path | str, people: list[dict]) -> Image.Image:
    """Return the image with a box around each person, the axes of its head, and the answers beside it.

    Lines and letters grow with the image, and a small image is enlarged so that they can be read.
    """
    return draw_on(read_picture(path), people, labels_of(people))


def labels_of(people: list[dict]) -> list[str]:
    """Return what is written beside each person of a picture: the answers, and of several people the number before.

    The number is that of tables. Of more than `MOST_ANSWERS` it stands alone: answers would cover their faces.
    """
    if len(people) == 1:
        return ["\n".join(describe(people[0]))]
    answers = [describe(person) if len(people) <= MOST_ANSWERS else [] for person in people]
    return ["\n".join([f"{number}", *lines]) for number, lines in enumerate(answers, 1)]


def draw_on(picture: Picture, people: list[dict], labels: list[str]) -> Image.Image:
    """Return a picture with a box and a label for each person, as `draw` does."""
    pixels, size, factor = picture
    # Boxes are in pixels of the file, of which a very large one is read smaller.
    scale = max(1 / factor, SMALLEST_DRAWING / max(size))
    image = Image.fromarray(pixels).resize([round(side * scale) for side in size], Image.Resampling.BICUBIC)
    line, letter = max(2, round(max(image.size) / 400)), max(14, round(max(image.size) / 50))
    canvas, font = ImageDraw.Draw(image), ImageFont.load_default(letter)
    boxes = [[round(number * scale) for number in person["box"]] for person in people]
    taken = [(x, y, x + max(width, 4), y + max(height, 4)) for x, y, width, height in boxes]
    for box, color in zip(list(taken), cycle(COLORS), strict=False):
        left, top, right, bottom = box
        # Boxes first, and with a light edge, so that no box crosses a label and all stand out on any ground.
        canvas.rectangle((left, top, right - 1, bottom - 1), outline="white", width=line + 2)
        canvas.rectangle((left + 1, top + 1, right - 2, bottom - 2), outline=color, width=line)
    for person, box in zip(people, list(taken), strict=True):
        _draw_axes(canvas, person, box, line)
    for box, text, color in zip(list(taken), labels, cycle(COLORS), strict=False):
        if not text:
            continue
        size = canvas.multiline_textbbox((0, 0), text, font=font, spacing=line)[2:]
        size = tuple(int(side) + 2 * line for side in size)
        label = _label_place(box, size, image.size, taken)
        taken.append(label)
        red, green, blue = ImageColor.getrgb(color)
        ink = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 140 else "black"
        canvas.rectangle((label[0], label[1], label[2] - 1, label[3] - 1), fill=color)
        canvas.multiline_text((label[0] + line, label[1] + line), text, fill=ink, font=font, spacing=line)
    return image


def _draw_axes(canvas: ImageDraw.ImageDraw, person: dict, box: tuple, line: int) -> None:
    """Draw three axes of the head from the middle of its box, where yaw, pitch and roll are answered."""
    left, top, right, bottom = box
    start, length = ((left + right) / 2, (top + bottom) / 2), AXIS * (right - left)
    ends = [axis for name, answer in person.items() if name not in PERSON_KEYS for axis in axes(answer)]
    for color, x, y in ends:
        end = (start[0] + length * x, start[1] + length * y)
        canvas.line((start, end), fill="white", width=2 * line + 2)
        canvas.line((start, end), fill=color, width=2 * line)


def _label_place(box: tuple, size: tuple, image: tuple, taken: list[tuple]) -> tuple[int, int, int, int]:
    """Return where a label (left, top, right, bottom) of this size hides least of what is taken, inside the image.

    The first of several equal places is above the box, then below it, then on either side.
    """
    left, top, right, bottom = box
    corners = ((left, top - size[1]), (left, bottom), (right, top), (left - size[0], top), (left, bottom - size[1]))
    places = []
    for x, y in corners:
        x, y = max(0, min(x, image[0] - size[0])), max(0, min(y, image[1] - size[1]))
        places.append((x, y, x + size[0], y + size[1]))
    return min(places, key=lambda place: sum(_overlap(place, other) for other in taken))


def _overlap(one: tuple, other: tuple) -> int:
    """Return the area that two rectangles (left, top, right, bottom) share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0, width) * max(0, height)


def drawings(images: dict[str, str], folder: Path) -> dict[str, Path]:
    """Return {image: the file for its drawing} for {image: its name}: of this name, in `folder`, no two of them one."""
    check_writable(folder, folder=True)
    sources, targets = {os.path.realpath(path) for path in images}, {}
    # No file may have the name of a folder.
    taken = {parent.as_posix().casefold() for name in images.values() for parent in PurePath(name).parents}
    for path, name in images.items():
        stem, ending = os.path.splitext(name)
        stem, ending = (stem, ending) if ending.lower() in DRAWN else (name, ".png")
        targets[path] = folder / free_name(Path(stem).as_posix(), ending, taken)
        if os.path.realpath(targets[path]) in sources:
            raise UserError(f"{folder}: the drawing of {path} would replace an image; name another folder")
        check_writable(targets[path])
    return targets


def write_drawing(result: dict, path: Path) -> None:
    """Write the drawing of one object of `Predictor.predict`."""
    picture = draw(result["path"], result["people"])
    with replacing(path) as temporary:
        picture.save(temporary, quality=92)
