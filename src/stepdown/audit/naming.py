"""Names for tasks: the caller's own where there is one, else a few words of what is asked.

A name goes into URLs and HTTP headers, so it is plain ASCII. It is for people; the id, which is a
fingerprint of the signature, is what files and routes hold on to.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from stepdown.core.calls import OutputFormat, Toolset
from stepdown.core.fingerprint import fingerprint
from stepdown.core.tasks import Signature
from stepdown.core.templates import Template

__all__ = ["name_of", "names_beside", "slug", "task_id", "unique"]

_ID_DIGITS = 10
_LONGEST = 48
_LONGEST_HINT = 100
_WORDS = 4
_LOOKED_AT = 60  # words of a prompt in which its instruction is sought
_HEADER_SAFE = re.compile(r"[!-~]([ -~]*[!-~])?")

_INSTRUCTIONS = """
analyse analyze annotate answer assess assign book call categorise categorize check choose
classify compare convert decide detect determine draft estimate evaluate explain extract
fill filter find flag generate grade identify infer judge label map match moderate normalise
normalize parse pick predict rank rate read recognise recognize reply rewrite route score
select sort split summarise summarize tag transcribe translate triage write
"""
_VERBS = frozenset(_INSTRUCTIONS.split())
_SAYS_NOTHING = """
a above all an and any are as assistant at be below by can each exactly expert following for
from given helpful i if in into is it its just me my no of on one only or our out please
says should that the their them then there these this to us user using very was we what
which who will with would you your
"""
_FILLER = frozenset(_SAYS_NOTHING.split())


def task_id(signature: Signature, hint: str | None) -> str:
    """Return the task's id: the same for the same signature and caller's hint in any log."""
    return f"t-{fingerprint([msgspec.to_builtins(signature), hint], _ID_DIGITS)}"


def name_of(
    signature: Signature, hint: str | None, tools: Toolset, output_format: OutputFormat
) -> str:
    """Return a name: the hint, the instruction's words, the tools' names, or the schema's title."""
    if hint:
        safe = _HEADER_SAFE.fullmatch(hint) and len(hint) <= _LONGEST_HINT
        return hint if safe else slug(hint) or "task"
    candidates = (
        _instruction(signature.system, signature.user),
        slug(" ".join(tool.name for tool in tools.tools[:2])),
        slug(_title(output_format.schema)),
        _words(_constant(signature.system, signature.user)),
    )
    return next((name for name in candidates if name), "task")


def names_beside(found: Mapping[str, str], earlier: Mapping[str, str]) -> list[str]:
    """Return the names of the `found` tasks, by id, beside those of `earlier` ones.

    A task that was there keeps the name that it had, and no other takes it.
    """
    new = iter(unique((found[id] for id in found if id not in earlier), earlier.values()))
    return [earlier[id] if id in earlier else next(new) for id in found]


def unique(names: Iterable[str], others: Iterable[str] = ()) -> list[str]:
    """Return the names with "-2", "-3"… added to those that stand there, or in `others`."""
    taken = set(others)
    result: list[str] = []
    for name in names:
        found, count = name, 1
        while found in taken:
            count += 1
            found = f"{name}-{count}"
        taken.add(found)
        result.append(found)
    return result


def slug(text: str) -> str:
    """Return `text` as lower-case ASCII words joined by dashes; "" when none is left."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    plain = unicodedata.normalize("NFKD", spaced).encode("ascii", "ignore").decode().lower()
    name = ""
    for word in re.findall(r"[a-z0-9]+", plain.replace("'", "")):
        longer = f"{name}-{word}" if name else word[:_LONGEST]
        if len(longer) > _LONGEST:
            break
        name = longer
    return name


def _constant(*templates: Template) -> str:
    return " ".join(" ".join(template.fragments) for template in templates)


def _instruction(*templates: Template) -> str:
    """Return the first instruction's words: its verb and what follows."""
    said = _ascii_words(_constant(*templates))[:_LOOKED_AT]
    start = next((at for at, word in enumerate(said) if _stem(word) in _VERBS), None)
    return "" if start is None else _joined([_stem(said[start]), *said[start + 1 :]])


def _words(text: str) -> str:
    return _joined(_ascii_words(text)[:_LOOKED_AT])


def _ascii_words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.findall(r"[a-z][a-z0-9]*", re.sub(r"['’]s?\b", "", plain))


def _stem(word: str) -> str:
    """Return a verb without the -s of "an assistant that routes …"."""
    for ending, instead in (("ifies", "ify"), ("es", "e"), ("s", ""), ("es", "")):
        if word.endswith(ending) and word.removesuffix(ending) + instead in _VERBS:
            return word.removesuffix(ending) + instead
    return word


def _joined(words: list[str]) -> str:
    content = [word for word in words if word not in _FILLER]
    return slug(" ".join(content[:_WORDS]))


def _title(schema: dict[str, Any] | None) -> str:
    title = (schema or {}).get("title")
    return title if isinstance(title, str) else ""
