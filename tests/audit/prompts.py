"""Prompts for the grouping tests: free texts behind templates with dates, names and ids."""

import random

from stepdown.core.calls import Answer, Call, Message, Request

WORDS = [
    "invoice", "parcel", "refund", "window", "garden", "bicycle", "yesterday", "broken",
    "arrive", "twice", "cannot", "colour", "size", "wrong", "please", "when", "where", "order",
    "lamp", "battery", "charger", "strange", "noise", "cheap", "gift", "sister", "holiday",
    "train", "cancel", "booking", "double", "room", "late", "early", "morning", "password",
    "reset", "screen", "froze", "again", "why",
]  # fmt: skip
NAMES = ("Alice", "Bruno", "Chloe Martin", "Daniel", "Elena Rossi", "Farid", "Grace", "Hiro")


def free(pick: random.Random) -> str:
    """A text that nobody else wrote."""
    return " ".join(pick.choice(WORDS) for _ in range(pick.randint(4, 14)))


def filled(template: str, pick: random.Random) -> str:
    """Fill {text}, {date}, {name} and {id}."""
    return template.format(
        text=free(pick),
        date=f"2026-{pick.randint(1, 12):02}-{pick.randint(1, 28):02}",
        name=pick.choice(NAMES),
        id=pick.randint(10**5, 10**7),
    )


def calls_of(templates, each, seed=0):
    """Shuffled calls of several (system, user) templates, each call with its template's number."""
    pick = random.Random(seed)
    made = []
    for number, (system, user) in enumerate(templates):
        for at in range(each):
            messages = []
            if system:
                messages.append(Message("system", filled(system, pick)))
            messages.append(Message("user", filled(user, pick)))
            request = Request("m", tuple(messages))
            made.append((Call(f"{number}-{at}", request, Answer("x"), "m"), number))
    pick.shuffle(made)
    return made
