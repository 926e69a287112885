"""How well the data set that an image comes from can be told from a network's features."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mtl_keras.data.table import complete

# Of images, which is enough; and of groups of copies of one source, of which fewer are left out.
MOST, FEWEST = 3000, 10


def rows_to_tell(table: pd.DataFrame) -> pd.DataFrame:
    """Return at most 3,000 rows of a label table, drawn at random, of sources with ten images or more; () of one."""
    table = complete(table)
    table = table if len(table) <= MOST else table.sample(MOST, random_state=0).sort_index()
    known = table.groupby("source")["group"].nunique()
    several = known.index[known >= FEWEST]
    return table[table["source"].isin(several if len(several) > 1 else [])].reset_index(drop=True)


def tell_sources(features: np.ndarray, table: pd.DataFrame) -> dict[str, float]:
    """Return how often a logistic regression guesses the `source` of rows from their features (N, D).

    It learns on one half and guesses the other, both ways, with all copies of a photo in one half. `balanced_accuracy`
    is the mean over the sources, `most_frequent` the share of the source that most rows are of, which needs no image.
    """
    sources = table["source"].to_numpy(str)
    halves = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    guess = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    told = cross_val_predict(guess, features, sources, groups=table["group"], cv=halves)
    return {
        "images": len(table),
        "sources": len(set(sources)),
        "most_frequent": float(pd.Series(sources).value_counts(normalize=True).iloc[0]),
        "accuracy": float(np.mean(told == sources)),
        "balanced_accuracy": float(balanced_accuracy_score(sources, told)),
    }
