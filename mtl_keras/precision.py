"""What number format Keras computes in, for a while."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def computing_in(policy: str) -> Iterator[None]:
    """Let new layers of Keras compute in a dtype policy, such as "mixed_bfloat16", and then again in the one before."""
    # Keras takes seconds to import, and the detectors of faces do without it until they are needed.
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
