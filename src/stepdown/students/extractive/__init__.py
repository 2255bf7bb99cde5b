"""Summaries by picking: the sentences that a teacher would have used, within its usual length.

A linear scorer learns from the teacher's summaries which sentences of an input carry them (the
"oracle" sentences of extractive summarisation: Nallapati, Zhai and Zhou, *SummaRuNNer*, AAAI 2017,
§3), and a student picks the best of them in the input's order. It can't invent anything.
"""

from stepdown.students.extractive.files import load_extractive, save_extractive
from stepdown.students.extractive.student import ExtractiveStudent

__all__ = ["ExtractiveStudent", "load_extractive", "save_extractive"]
