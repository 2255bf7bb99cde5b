"""Comparisons made up so that what is hard can be read off the words."""

import numpy as np
import pytest

from stepdown.route.rows import Compared, prompted

EASY = ("capital", "colour", "weather", "spell", "name", "greet", "menu", "song")
HARD = ("prove", "integral", "theorem", "derive", "eigenvalue", "topology", "lemma", "converges")
ANY = ("the", "please", "tell", "me", "about", "today", "now", "what", "is", "it", "of", "in")


@pytest.fixture(scope="session")
def comparisons():
    """600 rows: words of mathematics are hard eight times in ten, the others one time in ten."""
    random = np.random.default_rng(7)
    rows = []
    for at in range(600):
        maths = random.random() < 0.4
        words = [*random.choice(HARD if maths else EASY, 3), *random.choice(ANY, 6)]
        text = f"{' '.join(random.permutation(words))} number {at}?"
        rows.append(Compared(prompted(text), bool(random.random() < (0.8 if maths else 0.1)), "x"))
    return tuple(rows)
