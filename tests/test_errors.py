"""A user's mistake is one line, on the screen as in the exception."""

import pytest

from mtl_keras.errors import UserError, guarded, shown


def test_a_message_is_one_line_whatever_it_quotes():
    assert str(UserError("column 'a\nb': got 1\r\n2")) == "column 'a b': got 1 2"


def test_a_mistake_ends_a_command_with_one_line_and_code_2(capsys):
    def fail():
        raise UserError("faces: no such folder\nnor file")

    with pytest.raises(SystemExit) as ended:
        guarded(fail)
    assert ended.value.code == 2 and capsys.readouterr().err == "error: faces: no such folder nor file\n"


def test_a_name_that_is_no_unicode_can_be_shown():
    assert shown("face\udcff.jpg") == "face?.jpg"
