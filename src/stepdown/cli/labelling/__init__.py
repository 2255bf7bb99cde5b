"""Paid labelling: what `stepdown label --teacher` asks, of whom, and what came of it."""
