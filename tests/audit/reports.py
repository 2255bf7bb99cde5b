"""Incident reports and the teacher's summaries of them, each worded in its own way."""

import random

CAUSES = ("a failed disk", "an expired certificate", "a wrong firewall rule", "a full queue")
PLACES = ("Lisbon", "Oslo", "Warsaw", "Dublin", "Geneva", "Athens")
TEAMS = ("storage", "network", "payments", "identity")
THINGS = (
    "dashboard",
    "meeting",
    "kitchen",
    "intern",
    "channel",
    "template",
    "calendar",
    "office",
    "printer",
    "coffee",
)
DEEDS = (
    "changed",
    "moved",
    "opened",
    "waited",
    "improved",
    "arrived",
    "stayed",
    "returned",
    "rested",
    "grew",
)
WHEN = ("yesterday", "today", "in the morning", "after lunch", "last month", "again", "on time")


def filler(chance):
    """Return a sentence that no summary needs."""
    words = (chance.choice(THINGS), chance.choice(DEEDS), chance.choice(WHEN))
    return f"{chance.choice(('The', 'Our', 'That'))} {words[0]} {words[1]} {words[2]}."


def report(number):
    """Return (report, summary): what happened, where, and for how long, stands in two sentences."""
    chance = random.Random(number)
    cause, place, team = chance.choice(CAUSES), chance.choice(PLACES), chance.choice(TEAMS)
    minutes, users = chance.randint(3, 900), chance.randint(100, 99_999)
    key = [
        chance.choice(
            (
                f"The outage in {place} was caused by {cause}.",
                f"In {place} we found {cause} to be behind the outage.",
                f"What stopped us in {place} was {cause}.",
            )
        ),
        chance.choice(
            (
                f"It lasted {minutes} minutes and hit {users} customers of the {team} service.",
                f"For {minutes} minutes the {team} service failed for {users} customers.",
                f"Customers of the {team} service ({users} of them) waited {minutes} minutes.",
            )
        ),
    ]
    lines = [filler(chance) for _ in range(chance.randint(5, 9))]
    lines.insert(chance.randint(0, len(lines)), key[0])
    lines.insert(chance.randint(0, len(lines)), key[1])
    parts = [
        chance.choice((f"outage in {place}", f"{place} was down", f"the {place} site failed")),
        chance.choice((f"caused by {cause}", f"due to {cause}", f"{cause} did it")),
        chance.choice((f"{minutes} minutes", f"after {minutes} minutes all was well")),
        chance.choice((f"{users} customers", f"hit {users} customers", f"{users} were cut off")),
        chance.choice((f"{team} service", f"{team} team informed", f"affected: {team}")),
    ]
    # In any order, so that no wording is common enough to be a template.
    chance.shuffle(parts)
    return " ".join(lines), ", ".join(parts) + "."


def reports(count, first=0):
    return [report(number) for number in range(first, first + count)]
