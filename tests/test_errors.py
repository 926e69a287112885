"""A user's mistake is one line."""

from mtl_keras.errors import UserError, printable


def test_a_message_is_one_line_whatever_it_quotes():
    assert str(UserError("column 'a\nb': got 1\r\n2")) == "column 'a b': got 1 2"


def test_a_name_that_is_no_unicode_can_be_shown():
    assert printable("face\udcff.jpg") == "face?.jpg"
