"""Copies of one image are found whatever was done to them, and different images are not taken for copies."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance, ImageOps

from mtl_keras.data.copies import SAME_IMAGE, _descriptors, _similar_pairs, find_groups
from mtl_keras.data.inspection import SIDE, inspect_images


def portrait(seed: int, size: int = 200) -> Image.Image:
    """A head that sits in the same place in every picture, with features of its own: alike in the coarse."""
    random = np.random.default_rng(seed)
    row, column = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    head = 200 * np.exp(-(((row / 0.8) ** 2 + (column / 0.6) ** 2) ** 4))
    details = Image.fromarray(random.integers(0, 256, (14, 14), np.uint8)).resize(
        (size, size), Image.Resampling.BICUBIC
    )
    grey = (0.6 * head + 0.4 * np.asarray(details)).clip(0, 255).astype(np.uint8)
    return Image.merge("RGB", [Image.fromarray(grey)] * 3)


def cropped(image: Image.Image, share: float) -> Image.Image:
    width, height = image.size
    margin = round(width * share)
    return image.crop((margin, margin, width - margin, height - margin)).resize(image.size)


CHANGES = {
    "same": lambda image: image,
    "smaller": lambda image: image.resize((60, 60)),
    "larger": lambda image: image.resize((400, 400)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.25),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.6),
    "less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.7),
    "grey": lambda image: image.convert("L"),
    "mirrored": ImageOps.mirror,
    "cropped by 2 %": lambda image: cropped(image, 0.02),
    "cropped by 4 %": lambda image: cropped(image, 0.04),
    "cropped by 6 %": lambda image: cropped(image, 0.06),
}


def groups_of(folder: Path, images: list[Image.Image], **settings) -> np.ndarray:
    paths = [str(folder / f"{number}.jpg") for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        image.save(path, **settings)
    return find_groups(inspect_images(paths))


@pytest.mark.parametrize("change", CHANGES)
def test_copy_joins_its_original_and_no_other(tmp_path, change):
    originals = [portrait(seed) for seed in range(20)]
    copies = [CHANGES[change](image) for image in originals]
    groups = groups_of(tmp_path, [*originals, *copies], quality=80)
    assert groups.dtype == np.int64
    assert groups.tolist() == [*range(20), *range(20)]


def test_reencoded_copy_joins(tmp_path):
    portrait(0).save(tmp_path / "original.png")
    portrait(0).save(tmp_path / "poor.jpg", quality=15)
    portrait(1).save(tmp_path / "other.png")
    paths = [str(tmp_path / name) for name in ("original.png", "other.png", "poor.jpg")]
    assert find_groups(inspect_images(paths)).tolist() == [0, 1, 0]


def test_copies_of_copies_are_one_group(tmp_path):
    image = portrait(5)
    chain = [image, cropped(image, 0.05), cropped(cropped(image, 0.05), 0.05)]
    assert groups_of(tmp_path, chain).tolist() == [0, 0, 0]


def test_blank_and_unreadable_images_are_alone_unless_identical(tmp_path):
    blanks = [Image.new("RGB", (64, 64), color) for color in ("black", "white", "gray", "black")]
    assert groups_of(tmp_path, blanks).tolist() == [0, 1, 2, 0]
    (tmp_path / "empty.jpg").touch()
    rows = inspect_images([str(tmp_path / "empty.jpg"), str(tmp_path / "0.jpg"), str(tmp_path / "empty.jpg")])
    assert find_groups(rows).tolist() == [0, 1, 2]
    assert find_groups(rows.iloc[:0]).tolist() == []


def test_order_of_the_rows_does_not_change_the_groups(tmp_path):
    images = [portrait(seed // 2) for seed in range(12)]
    groups_of(tmp_path, images)
    rows = inspect_images([str(tmp_path / f"{number}.jpg") for number in range(12)])
    turned = find_groups(rows.iloc[::-1].reset_index(drop=True))[::-1]
    assert (turned[:, None] == turned).tolist() == (np.arange(12)[:, None] // 2 == np.arange(12) // 2).tolist()


def test_shortened_search_misses_no_pair():
    random = np.random.default_rng(0)
    base = random.integers(0, 256, (40, SIDE, SIDE))
    # More and more noise takes the pairs from far above the threshold to far below it.
    noisy = base + random.normal(0, 1, base.shape) * np.linspace(0, 80, len(base))[:, None, None]
    mixed = np.concatenate([base, noisy]).clip(0, 255).astype(np.uint8)
    vectors = _descriptors(mixed.astype(np.float32))
    expected = {(left, right) for left, right in np.argwhere(vectors @ vectors.T >= SAME_IMAGE) if left != right}
    assert 20 < len(expected) < 80
    assert expected <= {(left, right) for left, right in _similar_pairs(mixed)}


@pytest.mark.realdata
def test_real_copies(real_data):
    paths = pd.Series(sorted(map(str, (real_data / "UTKFace").iterdir())))
    contents = paths.map(lambda path: hashlib.sha256(Path(path).read_bytes()).hexdigest())
    # Identical files, some five hundred of them, and a tenth of all others.
    identical = contents.duplicated(keep=False)
    sample = paths[identical][:500].index.union(paths[~identical][::10].index)
    inspection = inspect_images(paths[sample].tolist())
    assert (inspection["reason"] == "").all()
    assert inspection["sha256"].tolist() == contents[sample].tolist()
    groups = pd.Series(find_groups(inspection), index=sample)
    assert (groups.groupby(contents[sample]).nunique() == 1).all()
    # A tenth of all images holds few copies: many would mean that different people are taken for copies.
    alone = groups[~identical[sample]]
    assert alone.nunique() > 0.99 * len(alone) and groups.value_counts().max() <= 6
