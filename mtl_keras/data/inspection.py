"""One pass over image files: what each holds, a small picture of it, and why it cannot be read if so."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from mtl_keras.data.images import contents_of, decode, reason_of
from mtl_keras.errors import UserError
from mtl_keras.files import replacing
from mtl_keras.state_files import DamagedFileError, read_arrays, read_or_none

SIDE = 32
# Raised when files are read differently, so that what older caches say of them is not believed.
_CACHE_FORMAT = "3"
# The arrays of a cache: texts, joined by bytes of 0, and others.
TEXTS = ("format", "paths", "sha256", "reasons")
ARRAYS = {"numbers": ("i", 2), "readable": ("b", 1), "signatures": ("u", 2)}


def inspect_images(paths: list[str], cache: Path | None = None) -> pd.DataFrame:
    """Read every file once and return one row a path: path, sha256, width, height, signature and reason.

    `signature` is the upright image in SIDE x SIDE grey bytes, width and height are the upright file's; where `reason`
    says why it cannot be read, they are empty and 0. With `cache` (a file) the rows of files whose size and time have
    not changed are taken from it.
    """
    keys = [_key(path) for path in paths]
    known = read_or_none(_read_cache, cache) or {} if cache is not None else {}
    # Of one photo there may be several rows.
    missing = list({key: number for number, key in enumerate(keys) if key not in known}.values())
    chunks = [missing[start : start + 64] for start in range(0, len(missing), 64)]
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        with tqdm(total=len(missing), desc="checking images", unit="image", disable=not missing) as bar:
            results = pool.map(lambda chunk: [_inspect(paths[number]) for number in chunk], chunks)
            for chunk, rows in zip(chunks, results, strict=True):
                known.update((keys[number], row) for number, row in zip(chunk, rows, strict=True))
                bar.update(len(chunk))
    finally:
        pool.shutdown(cancel_futures=True)
    rows = [known[key] for key in keys]
    if cache is not None and any(known[keys[number]][0] for number in missing):
        _write_cache(cache, {key: row for key, row in zip(keys, rows, strict=True) if row[0]})
    names = ("sha256", "width", "height", "signature", "reason")
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    return pd.DataFrame({"path": list(paths), **columns})


def _key(path: str) -> tuple[str, int, int]:
    """Return what tells whether a file is still the one that was read: absolute path, bytes, time of change."""
    try:
        status = os.stat(path)
    except OSError:
        return os.path.abspath(path), -1, -1
    return os.path.abspath(path), status.st_size, status.st_mtime_ns


def _inspect(path: str) -> tuple[str, int, int, bytes, str]:
    """Return sha256, width, height, signature and reason of one file; sha256 is empty if it is no image at all."""
    sha256 = ""
    try:
        contents = contents_of(path)
        sha256 = hashlib.sha256(contents).hexdigest()
        picture = decode(contents, smallest=2 * SIDE)
    except (OSError, UserError) as error:
        return sha256, 0, 0, b"", reason_of(error)
    grey = Image.fromarray(picture.pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return sha256, *picture.size, grey.tobytes(), ""


def _write_cache(cache: Path, known: dict[tuple[str, int, int], tuple[str, int, int, bytes, str]]) -> None:
    def packed(texts: list[str]) -> np.ndarray:
        return np.frombuffer(b"\0".join(os.fsencode(text) for text in texts), np.uint8)

    keys, rows = list(known), list(known.values())
    columns = {
        "format": packed([_CACHE_FORMAT]),
        "paths": packed([key[0] for key in keys]),
        "sha256": packed([row[0] for row in rows]),
        "reasons": packed([row[4] for row in rows]),
        "numbers": np.array([(*key[1:], *row[1:3]) for key, row in known.items()], np.int64),
        "readable": np.array([row[3] != b"" for row in rows]),
        "signatures": np.frombuffer(b"".join(row[3] for row in rows), np.uint8).reshape(-1, SIDE * SIDE),
    }
    with replacing(cache) as temporary, open(temporary, "wb") as file:
        np.savez(file, **columns)


def _read_cache(cache: Path) -> dict[tuple[str, int, int], tuple[str, int, int, bytes, str]]:
    """Return what the cache file holds; one of an older version holds nothing."""
    columns = read_arrays(cache, {**dict.fromkeys(TEXTS, ("u", 1)), **ARRAYS})
    try:
        texts = {name: [os.fsdecode(text) for text in columns[name].tobytes().split(b"\0")]
                 for name in TEXTS}  # fmt: skip
        if texts["format"] != [_CACHE_FORMAT]:
            return {}
        signatures = iter(columns["signatures"])
        rows = {}
        for number, (size, time, width, height) in enumerate(columns["numbers"].tolist()):
            signature = next(signatures).tobytes() if columns["readable"][number] else b""
            row = (texts["sha256"][number], width, height, signature, texts["reasons"][number])
            rows[texts["paths"][number], size, time] = row
        return rows
    except (ValueError, IndexError, StopIteration):
        raise DamagedFileError(cache, "its columns do not fit together") from None
