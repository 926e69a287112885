"""What commands print."""

from mtl_keras.commands.text import as_lines


def test_a_name_with_a_line_break_stays_on_one_line():
    for result in ({"error": None, "people": []}, {"error": "no image", "people": []}):
        (line,) = as_lines({"path": "one\ntwo\t\u00fc \udcff.jpg", **result})
        assert line.startswith("one\\ntwo\\t\u00fc ?.jpg: ") and len(line.splitlines()) == 1
