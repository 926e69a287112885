"""Tables in Markdown."""

from collections.abc import Iterable


def table_lines(
    headings: Iterable[object], rows: Iterable[Iterable[object]], text: tuple[int, ...] = (0,)
) -> list[str]:
    """Return the lines of a Markdown table; the columns of these numbers are text, and the others numbers."""
    headings = list(headings)
    rule = "|" + "".join("---|" if place in text else "---:|" for place in range(len(headings)))
    return [table_line(*headings), rule, *(table_line(*row) for row in rows)]


def table_line(*cells: object) -> str:
    """Return the cells as a line of a Markdown table."""
    return "| " + " | ".join(" ".join(str(cell).split()).replace("|", r"\|") for cell in cells) + " |"
