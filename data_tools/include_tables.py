"""Put the tables that the experiments wrote into README.md, between the marks that name their files.

python data_tools/include_tables.py
    takes a moment; a test checks that README.md shows the tables as they are.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def included(text: str) -> str:
    """Return the text with each `<!-- begin FILE -->` ... `<!-- end -->` holding what the file holds now."""

    def replaced(match: re.Match) -> str:
        table = (ROOT / match[1]).read_text(encoding="utf-8").strip()
        return f"<!-- begin {match[1]} -->\n{table}\n<!-- end -->"

    return re.sub(r"<!-- begin (\S+) -->\n.*?<!-- end -->", replaced, text, flags=re.DOTALL)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(included(readme.read_text(encoding="utf-8")), encoding="utf-8")
