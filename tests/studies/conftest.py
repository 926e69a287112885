"""What tests of figures share."""

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def drawn(monkeypatch) -> list[Figure]:
    """Figures in the order in which they are saved; saving goes on as ever."""
    figures, save = [], Figure.savefig

    def remember(figure, *arguments, **settings):
        figures.append(figure)
        return save(figure, *arguments, **settings)

    monkeypatch.setattr(Figure, "savefig", remember)
    return figures
