"""Labels that are taken away on purpose."""

import numpy as np
import pandas as pd

from mtl_keras.data.blanks import keep_some
from mtl_keras.tasks import AGE, GENDER, HEAD_POSE

TASKS = [AGE, GENDER, HEAD_POSE]
COLUMNS = ["age", "gender", *HEAD_POSE.columns]


def table(rows: int) -> pd.DataFrame:
    labels = pd.DataFrame({"path": [f"{n}.jpg" for n in range(rows)], "source": "drawn", "age": 30.0, "gender": "male"})
    return labels.assign(smile="smiling", **dict.fromkeys(HEAD_POSE.columns, 1.0))


def test_about_the_share_of_labels_is_kept_and_at_least_one_of_each_row():
    kept = keep_some(table(2000), TASKS, 0.4)
    known = kept[["age", "gender", HEAD_POSE.columns[0]]].notna()
    # Of three labels none would be left with a chance of 0.6^3; then one is kept.
    assert np.allclose(known.mean(), 0.4 + 0.6**3 / 3, atol=0.04) and known.any(axis=1).all()
    assert (kept[list(HEAD_POSE.columns)].notna().nunique(axis=1) == 1).all(), "its outputs go together"
    assert kept["smile"].notna().all(), "no task of these"


def test_the_seed_decides_and_what_is_blank_stays_so():
    rows = table(300)
    rows.loc[:99, ["age", *HEAD_POSE.columns]] = np.nan
    rows.loc[0, "gender"] = None
    first, again, other = (keep_some(rows, TASKS, 0.3, seed) for seed in (1, 1, 2))
    assert first.equals(again) and not first.equals(other)
    assert first["gender"][1:100].notna().all(), "the only label of a row is kept"
    assert first.loc[:99, "age"].isna().all() and first.loc[0, COLUMNS].isna().all()
