import json

import pytest

from mtl_keras.errors import UserError
from mtl_keras.extras import needed


def test_a_package_that_is_there_is_imported():
    assert needed("json", "serve") is json


def test_a_missing_package_is_an_error_that_names_the_command():
    with pytest.raises(UserError, match=r'the package no_such is not installed; run: pip install "mtl-keras\[serve\]"'):
        needed("no_such.inner", "serve")
