"""Random changes of a training image that leave its labels true."""

from collections.abc import Iterable
from dataclasses import dataclass

import tensorflow as tf

from mtl_keras.kinds import kind_of
from mtl_keras.tasks import Task


@dataclass(frozen=True)
class Augmentation:
    """How strongly training images are changed; 0 switches a change off.

    `rotation` is in degrees to either side, `zoom` and `shift` in fractions of the image to either side, `color` the
    largest relative change of brightness, contrast and saturation, `gray` and `erase` the probabilities of losing all
    color and of losing a rectangle of up to a third of each side (Zhong et al., Random erasing, 2017). Half of the
    images are mirrored.
    """

    mirror: bool = True
    rotation: float = 12.0
    zoom: float = 0.2
    shift: float = 0.06
    color: float = 0.3
    gray: float = 0.1
    erase: float = 0.3


AUGMENTATION = Augmentation()


def augmentation(augment: bool | Augmentation) -> Augmentation | None:
    """Return how images are changed: as usual (True), as given, or not at all."""
    return AUGMENTATION if augment is True else augment or None


def augment(image: tf.Tensor, seed: tf.Tensor, how: Augmentation = AUGMENTATION) -> tf.Tensor:
    """Return a changed copy (S, S, 3) uint8 of an image; the same seed (2,) int64 gives the same change."""
    return changed(image, drawn(seed), how)


def augment_labelled(
    image: tf.Tensor, labels: dict, masks: dict, tasks: Iterable[Task], seed: tf.Tensor, how: Augmentation
) -> tuple[tf.Tensor, dict]:
    """Return a changed copy of an image, as `augment` does, and the labels {task: () or (D,)} that hold for it.

    An image with a label of an oriented task is not turned, and mirrored only where the task's kind knows the label of
    the mirrored image; `masks` {task: ()} say which labels there are.
    """
    kinds = [kind_of(task) for task in tasks if task.oriented]
    draws = drawn(seed)
    if kinds:
        upright = labelled(masks, [kind.task for kind in kinds])
        unknown = labelled(masks, [kind.task for kind in kinds if not kind.mirrors])
        angle = tf.where(upright, 0.0, draws[0])
        side = tf.where(unknown, 1.0, draws[2])
        draws = tf.concat([[angle, draws[1], side], draws[3:]], axis=0)
    mirrored = draws[2] < 0 if how.mirror else False
    turned = {
        kind.task.name: tf.where(mirrored, kind.mirrored(labels[kind.task.name]), labels[kind.task.name])
        for kind in kinds
    }
    return changed(image, draws, how), {**labels, **turned}


def labelled(masks: dict, tasks: Iterable[Task]) -> tf.Tensor:
    """Return whether the masks {task: ()} say that there is a label of one of these tasks."""
    return tf.reduce_any([False, *(masks[task.name] > 0 for task in tasks)])


def drawn(seed: tf.Tensor) -> tf.Tensor:
    """Return the 16 numbers from -1 to 1 that an image's change depends on."""
    return tf.random.stateless_uniform((16,), seed, -1.0, 1.0)


def changed(image: tf.Tensor, draws: tf.Tensor, how: Augmentation) -> tf.Tensor:
    """Return a copy (S, S, 3) uint8 of an image, changed as the draws (16,) say."""
    # In float32: resampling in uint8 cuts fractions off, which darkens the image by half a level.
    image = warp(tf.cast(image, tf.float32), draws, how)
    image = recolor(image, draws, how)
    image = tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)
    return erase(image, draws, how) if how.erase else image


def warp(image: tf.Tensor, draws: tf.Tensor, how: Augmentation) -> tf.Tensor:
    """Mirror, rotate, zoom and shift (S, S, 3) in a single bilinear resampling, so that it is blurred only once."""
    side = tf.cast(tf.shape(image)[0], tf.float32)
    angle = draws[0] * how.rotation * 3.14159265 / 180
    zoom = 1.0 + draws[1] * how.zoom
    mirror = tf.where(draws[2] < 0, -1.0, 1.0) if how.mirror else 1.0
    cosine, sine, middle = tf.cos(angle) * zoom, tf.sin(angle) * zoom, (side - 1) / 2
    shift_x, shift_y = draws[3] * how.shift * side, draws[4] * how.shift * side
    # The transform maps output pixels to input pixels, about the middle of the image.
    row_x = [cosine * mirror, -sine, middle - middle * (cosine * mirror - sine) + shift_x]
    row_y = [sine * mirror, cosine, middle - middle * (sine * mirror + cosine) + shift_y]
    return resample(image[None], [*row_x, *row_y])[0]


def view(images: tf.Tensor, mirror: bool, zoom: float) -> tf.Tensor:
    """Return (B, S, S, 3) uint8 images mirrored, and seen from `zoom` times as far away about their middle."""
    images = tf.reverse(images, [2]) if mirror else images
    if zoom == 1:
        return images
    middle = (tf.cast(tf.shape(images)[1], tf.float32) - 1) / 2 * (1 - zoom)
    seen = resample(tf.cast(images, tf.float32), [zoom, 0.0, middle, 0.0, zoom, middle])
    return tf.cast(tf.clip_by_value(tf.round(seen), 0, 255), tf.uint8)


def resample(images: tf.Tensor, rows: list) -> tf.Tensor:
    """Return (B, S, S, 3) float32 images under one affine map (6,) of output to input pixels, reflected at the edge."""
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([[*rows, 0.0, 0.0]]),
        output_shape=tf.shape(images)[1:3],
        interpolation="BILINEAR",
        fill_mode="REFLECT",
        fill_value=0.0,
    )


def recolor(image: tf.Tensor, draws: tf.Tensor, how: Augmentation) -> tf.Tensor:
    """Change brightness, contrast and saturation of (S, S, 3) float, or take all color away."""
    if how.gray or how.color:
        gray = tf.tensordot(image, tf.constant([[0.299], [0.587], [0.114]]), 1)  # (S, S, 1)
        saturation = 1.0 + draws[5] * how.color
        saturation = tf.where(draws[6] < 2 * how.gray - 1, 0.0, saturation)
        image = gray + (image - gray) * saturation
    if how.color:
        mean = tf.reduce_mean(image)
        image = (image - mean) * (1.0 + draws[7] * how.color) + mean * (1.0 + draws[8] * how.color)
    return image


def erase(image: tf.Tensor, draws: tf.Tensor, how: Augmentation) -> tf.Tensor:
    """Paint a random rectangle of (S, S, 3) uint8 in one random gray, with probability `how.erase`."""
    side = tf.shape(image)[0]
    unit = (draws[10:15] + 1) / 2
    height, width = (tf.cast(tf.cast(side, tf.float32) * (0.1 + 0.25 * unit[index]), tf.int32) for index in (0, 1))
    top = tf.cast(unit[2] * tf.cast(side - height, tf.float32), tf.int32)
    left = tf.cast(unit[3] * tf.cast(side - width, tf.float32), tf.int32)
    rows, columns = tf.range(side)[:, None], tf.range(side)[None, :]
    inside = (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
    inside = inside & (draws[9] < 2 * how.erase - 1)
    return tf.where(inside[..., None], tf.cast(unit[4] * 255, tf.uint8), image)
