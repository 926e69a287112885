"""Copies of one image in several of the parts that a set comes with: what a network learned is measured then."""

import pandas as pd

from mtl_keras.data.table import SPLITS, complete
from mtl_keras.errors import UserError


def leaks(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of images that stand in several parts by the table's `split`, copies side by side.

    Copies are the rows of one `image`, or of one `group` in a table that `check_images` has not seen.
    """
    rows = table[table["split"].notna()]
    copies = image_numbers(rows)
    rows = rows[copies.duplicated(keep=False)]  # few
    several = rows["split"].groupby(image_numbers(rows)).transform("nunique") > 1
    return rows[several].sort_values([copies.name, "path"]).reset_index(drop=True)


def leak_note(table: pd.DataFrame) -> str:
    """Return one line on the images that stand in several parts, and how to mend it; "" where there are none."""
    rows = leaks(table)
    if rows.empty:
        return ""
    count = rows[image_numbers(rows).name].nunique()
    what = f"{count} {'photo' if 'image' in rows else 'group'}{'s' * (count != 1)}"
    sources, parts = sorted(set(rows["source"])), [part for part in SPLITS if (rows["split"] == part).any()]
    return (
        f"in several parts ({', '.join(parts)}) of {', '.join(sources)}: {what}, so figures flatter; "
        '--leaks drop, or mtl_keras.resolve_leaks(table, "drop"), leaves out the training copies'
    )


def resolve_leaks(table: pd.DataFrame, how: str) -> pd.DataFrame:
    """Settle images that stand in several parts: "keep" all copies, or "drop" those of the parts before the last.

    Of an image for training and for test the training copies go, of one for validation and for test those for
    validation. Dropped rows are added to `attrs["skipped"]`.
    """
    if how not in ("keep", "drop"):
        raise UserError(f"leaks {how!r}: expected keep or drop")
    if how == "keep":
        return table
    table = complete(table)
    place = table["split"].map({part: number for number, part in enumerate(SPLITS)}).astype(float)
    last = place.groupby(image_numbers(table)).transform("max")
    earlier = place < last
    found = table[earlier].assign(kept=[SPLITS[int(number)] for number in last[earlier]])
    skipped = [
        {"path": path, "reason": f"a copy of this {part} image is a {kept} image"}
        for path, part, kept in found[["path", "split", "kept"]].itertuples(index=False)
    ]
    table = table[~earlier].reset_index(drop=True)
    table.attrs["skipped"] = [*table.attrs.get("skipped", []), *skipped]
    return table


def image_numbers(table: pd.DataFrame) -> pd.Series:
    """Return a number for every row, the same for copies: its `image`, or its `group` if images were not checked."""
    return table["image" if "image" in table else "group"]
