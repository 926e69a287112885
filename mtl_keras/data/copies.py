"""Which images are copies: the same bytes, or one picture re-encoded, resized, brightened, mirrored or cropped."""

import numpy as np
import pandas as pd
from scipy.ndimage import uniform_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mtl_keras.data.inspection import SIDE

# Measured on 13,500 faces of UTKFace: the 56 least similar of the pairs found each show one photo, looked at by eye;
# from 0.89 down pairs of different people appear among them.
SAME_IMAGE = 0.9
# What each side loses in a copy that was cropped a little; each value also covers its neighborhood of one percent.
CROPS = (0.03, 0.05)


def find_groups(inspection: pd.DataFrame) -> np.ndarray:
    """Return an int64 number for every row, the same for copies of one image, counted in order of appearance.

    Copies are byte-identical files, and images that look the same after re-encoding, resizing, a change of brightness
    or contrast, mirroring, or a central crop of up to 6 % a side: 16 x 16 grey thumbnails, less their local mean
    (aligned faces are alike in the coarse, copies also in the fine), correlate by `SAME_IMAGE` or more. Copies of
    copies are copies. A file that cannot be read, and a blank image, is alone unless another file has the same bytes.
    """
    count = len(inspection)
    alone = inspection["sha256"].where(inspection["sha256"] != "", inspection.index.map(str))
    same_bytes, _ = pd.factorize(alone)
    first = np.unique(same_bytes, return_index=True)[1]
    first = first[(inspection["signature"].iloc[first] != b"").to_numpy()]
    pairs = np.zeros((0, 2), np.int64)
    if len(first):
        signatures = np.frombuffer(b"".join(inspection["signature"].iloc[first]), np.uint8).reshape(-1, SIDE, SIDE)
        pairs = _similar_pairs(signatures)
    numbers = same_bytes[first]
    image_of = connected(numbers[pairs[:, 0]], numbers[pairs[:, 1]], count)
    return pd.factorize(image_of[same_bytes])[0].astype(np.int64)


def connected(left: np.ndarray, right: np.ndarray, count: int) -> np.ndarray:
    """Return the number (count,) of the connected component of every node, given the links left[i] - right[i]."""
    links = coo_array((np.ones(len(left), bool), (left, right)), shape=(count, count))
    return connected_components(links, directed=False)[1]


def _similar_pairs(signatures: np.ndarray) -> np.ndarray:
    """Return the pairs (P, 2) of (N, SIDE, SIDE) grey thumbnails that show the same image."""
    whole = _descriptors(signatures)
    views = [lambda: whole, lambda: _descriptors(signatures[:, :, ::-1])]
    views += [lambda crop=crop: _descriptors(_cropped(signatures, crop)) for crop in CROPS]
    # The product of two vectors is at most the product of their leading parts plus that of the lengths of the rest, so
    # this shorter product misses no pair and saves most of the work.
    axes = np.linalg.eigh(whole.T @ whole)[1][:, -48:]
    found = []
    short_whole = _shortened(whole, axes)
    for make_view in views:
        view = make_view()
        short_view = _shortened(view, axes)
        block = max(1, 20_000_000 // len(whole))  # bounds the memory to 80 MB
        for start in range(0, len(whole), block):
            left, right = np.nonzero(short_whole[start : start + block] @ short_view.T >= SAME_IMAGE)
            left += start
            left, right = left[left != right], right[left != right]
            for part in np.array_split(np.arange(len(left)), len(left) // 100_000 + 1):
                alike = np.einsum("nd,nd->n", whole[left[part]], view[right[part]]) >= SAME_IMAGE
                found.append(np.stack([left[part][alike], right[part][alike]], axis=1))
    return np.concatenate(found)


def _descriptors(grey: np.ndarray) -> np.ndarray:
    """Return unit vectors (N, 256) whose products are correlations of 16 x 16 thumbnails less their local mean."""
    small = grey.reshape(len(grey), SIDE // 2, 2, SIDE // 2, 2).mean(axis=(2, 4), dtype=np.float32)
    fine = (small - uniform_filter(small, (0, 5, 5))).reshape(len(grey), -1)
    fine -= fine.mean(axis=1, keepdims=True)
    deviation = fine.std(axis=1, keepdims=True)
    # An image without structure, below half a grey level, would be compared by its noise.
    return np.where(deviation > 0.5, fine / np.maximum(deviation, 0.5) / np.sqrt(fine.shape[1]), 0).astype(np.float32)


def _cropped(grey: np.ndarray, crop: float) -> np.ndarray:
    """Cut this share off each side of (N, SIDE, SIDE) and stretch the rest to the same size."""
    line = (np.arange(SIDE) + 0.5) * (1 - 2 * crop) + SIDE * crop - 0.5
    below = np.floor(line).astype(int)
    share = (line - below).astype(np.float32)
    rows = grey[:, below] * (1 - share)[:, None] + grey[:, below + 1] * share[:, None]
    return rows[:, :, below] * (1 - share) + rows[:, :, below + 1] * share


def _shortened(vectors: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Return the components along the axes, and as one more the length of what they leave out."""
    leading = vectors @ axes
    rest = np.sum(vectors**2, axis=1) - np.sum(leading**2, axis=1)
    # A little more than the exact length: rounding must not hide a pair at the threshold.
    return np.concatenate([leading, np.sqrt(np.maximum(rest, 0) + 1e-4)[:, None]], axis=1)
