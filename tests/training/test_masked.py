"""Sums of labelled examples."""

import numpy as np

from mtl_keras.training.masked import masked_sum


def test_masked_sum_counts_the_labelled():
    total, count = masked_sum(np.array([1.0, np.nan, 4.0], "float32"), np.array([1.0, 0.0, 1.0], "float32"))
    assert (float(total), float(count)) == (5.0, 2.0)
