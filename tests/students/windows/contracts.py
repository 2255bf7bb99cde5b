"""Long contracts, each with one clause that says what is asked for and dates that are not it."""

import random

from stepdown.core.anatomy import Field
from stepdown.core.datasets import Example
from stepdown.core.tasks import Segment

STATES = ("Nevada", "Texas", "Ohio", "Utah", "Georgia", "Maine", "Iowa", "Oregon")
FILLER = (
    "The parties shall keep all records for three years after the end of the term.",
    "Neither party may assign this agreement without written consent of the other.",
    "Payment is due within thirty days of receipt of an invoice by the buyer.",
    "Goods are shipped at the cost and at the risk of the seller from its plant.",
    "Any notice has to be in writing and sent by courier to the address above.",
    "The supplier keeps insurance of at least one million dollars in force.",
    "Headings are for convenience only and have no effect on the meaning.",
)


def write_contract(number, sentences=140):
    """Return (text, state, date); other states and dates stand all over the text."""
    chance = random.Random(number)
    state, other = chance.sample(STATES, 2)
    day = f"2019-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
    lines = [chance.choice(FILLER) for _ in range(sentences)]
    for _ in range(6):
        lines[chance.randrange(sentences)] = (
            f"The plant in {other} was opened on 2018-{chance.randint(1, 12):02}-17."
        )
    lines[0] = f"This supply agreement is made and entered into as of {day} by the parties."
    place = chance.randrange(sentences // 2, sentences)
    lines[place] = f"This agreement is governed by the laws of the State of {state} alone."
    # At times the law's state stands elsewhere too: which of its places is meant isn't told.
    office = state if number % 2 else chance.choice(STATES)
    lines[chance.randrange(5, sentences // 2)] = f"The seller has an office in {office} as well."
    return "\n".join(lines), state, day


def make_contracts(count, first=0):
    examples = []
    for number in range(first, first + count):
        text, state, day = write_contract(number)
        record = {"/law": state, "/date": day}
        examples.append(Example(f"c{number}", (Segment("user", text),), record))
    return examples


FIELDS = (Field("/law", "copy"), Field("/date", "copy"), Field("/version", "constant"))
