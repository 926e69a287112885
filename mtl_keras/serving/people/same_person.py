"""From which cosine between FaceNet's features on two faces are taken for one person, measured on known identities."""

import numpy as np
import pandas as pd

from mtl_keras.boxes import refuse_boxes
from mtl_keras.data.images import read_image
from mtl_keras.errors import UserError
from mtl_keras.faces.detectors import find_detector
from mtl_keras.serving.people.recognizing import Recognizing

THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75)
# The edge of tight crops is repeated this far, so that the detector finds the face.
BORDER = 30


def rate_lines(rates: list[dict]) -> list[str]:
    """Return the lines of a Markdown table of what `same_person_rates` gives."""
    lines = ["| cosine from | pairs of one person joined, % | pairs of two people joined, % |", "|---:|---:|---:|"]
    for rate in rates:
        joined = [f"{100 * rate[name]:.{digits}f}" for name, digits in (("same_joined", 1), ("others_joined", 4))]
        lines.append(f"| {rate['threshold']:.2f} | {' | '.join(joined)} |")
    return lines


def same_person_rates(table: pd.DataFrame, recognize: Recognizing, people: int = 300, looks: int = 3) -> list[dict]:
    """Return a row a threshold: the share of pairs of one person, and of two people, that lie above it.

    The table has a column `group` of identities, as CelebA's; people of at least two images count, at most `looks`
    images each.
    """
    refuse_boxes(table)
    several = table[table.groupby("group")["path"].transform("size") > 1]
    groups = list(several.groupby("group", sort=False))[:people]
    if len(groups) < 2:
        raise UserError(f"{len(groups)} people have several images; expected at least two, as in CelebA")
    features, who = [], []
    detector = find_detector("yunet:minimum_confidence=0.5")
    for name, rows in groups:
        for path in rows["path"][:looks]:
            pixels = np.pad(read_image(path), ((BORDER,) * 2, (BORDER,) * 2, (0, 0)), mode="edge")
            if faces := detector.detect([pixels])[0]:
                (found,) = recognize(pixels, faces[:1])
                if found is not None:
                    features.append(found)
                    who.append(name)
    cosines, who = np.array(features) @ np.array(features).T, np.array(who)
    pairs = np.triu_indices(len(who), 1)
    same, cosines = (who[:, None] == who)[pairs], cosines[pairs]
    return [
        {
            "threshold": threshold,
            "same_joined": float((cosines[same] >= threshold).mean()),
            "others_joined": float((cosines[~same] >= threshold).mean()),
            "same_pairs": int(same.sum()),
            "other_pairs": int((~same).sum()),
        }
        for threshold in THRESHOLDS
    ]
