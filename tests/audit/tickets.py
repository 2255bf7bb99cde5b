"""Tickets and the teacher's one-line summaries of them: two wordings, filled from the ticket."""

import random

NAMES = ("Ann Lee", "Bob Ray", "Carla Diaz", "Dan Fox", "Eve Moss", "Frank Poe", "Gus Orr")
PRODUCTS = ("printer", "router", "laptop", "tablet", "phone", "scanner")
ISSUES = ("does not start", "is slow", "shows an error", "arrived broken")


def ticket(number):
    """Return (ticket, summary)."""
    chance = random.Random(number)
    name = f"{chance.choice(NAMES).split()[0]} {chance.choice(NAMES).split()[1]}"
    product, issue, urgent = chance.choice(PRODUCTS), chance.choice(ISSUES), chance.random() < 0.5
    asks = chance.random() < 0.3
    text = (
        f"Hello, my {product} {issue}. {'It is urgent!' if urgent else 'There is no hurry.'} "
        f"{'Can you send a new one?' if asks else 'Please help.'} Regards, {name}"
    )
    if asks:
        return text, f"{name} wants a new {product}, which should be sent."
    return text, f"Ticket from {name}: {product} {issue}; priority {'high' if urgent else 'low'}."


def tickets(count, first=0):
    return [ticket(number) for number in range(first, first + count)]
