"""One field of a JSON body put in another's place, with every other byte as it was."""

import re
from itertools import islice

import msgspec

from stepdown.wire.openai import ChatBody

__all__ = ["with_field"]

_MOST_PLACES = 16

_body = msgspec.json.Decoder(ChatBody)


def with_field(body: bytes, name: str, value: bytes) -> bytes:
    """Return a body whose field of that name has that value, which is JSON.

    A field that is not there yet comes first. Where the same name and value stand in very many
    places, the body is written anew: the same fields, in other bytes.
    """
    fields = _body.decode(body)
    if name not in fields:
        begun = body.index(b"{") + 1
        return b'%b"%b":%b%b%b' % (
            body[:begun],
            name.encode(),
            value,
            b"," if fields else b"",
            body[begun:],
        )
    old = bytes(fields[name])
    ends = (found.end() for found in re.finditer(rb'"%b"\s*:\s*' % name.encode(), body))
    places = (end for end in ends if body.startswith(old, end))
    for place in islice(places, _MOST_PLACES):
        made = body[:place] + value + body[place + len(old) :]
        # The same may stand inside another field, while this one's name is spelt with escapes.
        if bytes(_body.decode(made)[name]) == value:
            return made
    fields[name] = msgspec.Raw(value)
    return msgspec.json.encode(fields)
