"""2,000 texts that would change a statement of SQL, if any text could (S-1)."""

import itertools
import random

_CORES = (
    "' OR '1'='1",
    "' OR 1=1--",
    '" OR ""="',
    "') OR ('1'='1",
    "'; DROP TABLE calls;--",
    "'; DELETE FROM gaps;--",
    "'); DROP TABLE calls;--",
    "' UNION SELECT * FROM calls--",
    "' UNION ALL SELECT NULL,NULL,NULL,sqlite_version()--",
    "' AND 1=(SELECT count(*) FROM sqlite_master)--",
    "' AND randomblob(100000000)--",
    "1; ATTACH DATABASE '/tmp/x' AS x;--",
    "'; PRAGMA writable_schema=1;--",
    "' || (SELECT line FROM calls LIMIT 1) || '",
    "' GROUP BY id HAVING 1=1--",
    "1' ORDER BY 10--",
    "' AND load_extension('x')--",
    "%' OR '1' LIKE '%",
    "\\' OR 1=1--",
    "'/**/OR/**/1=1--",
    "' oR 1=1 LiMiT 1 -- -",
    "'; SELECT pg_sleep(10);--",
    "'; COPY calls TO PROGRAM 'id';--",
    "$$; DROP TABLE calls; $$",
    "?1",
    ":id",
    "@id",
    "$1",
    "%s",
    "%(id)s",
    "{id}",
    "NULL",
    "0x27204f5220313d31",
    "CHAR(39)||CHAR(79)",
    "-- ",
    "#",
    "/*",
    "*/",
    ";",
    "'",
    '"',
    "`",
    "[",
    "\\",
)
_WRAPS = (
    "{}",
    "a{}",
    "{}b",
    "1{}",
    "({})",
    "{}\x00",
    "\x00{}",
    "{}\ufeff",
    "\u02bc{}",
    "\uff07{}",
    "{}\u2028",
    "\ud7ff{}",
    "{}\U0001f4a5",
    "é{}ß",
    "\r\n{}",
    "{}\t",
    "%27{}",
    "%2527{}",
    "+{}+",
    "Bearer {}",
    "Bearer sk-{}",
    "sk-{}",
    "stepdown/{}",
    "{0}{0}",
)


def payloads(count=2000):
    """Return that many texts, the same at every call, three of a megabyte among them."""
    drawn = random.Random(20)
    found = [wrap.format(core) for wrap, core in itertools.product(_WRAPS, _CORES)]
    while len(found) < count - 3:
        parts = drawn.choices(_CORES, k=3)
        found.append(drawn.choice(_WRAPS).format(" ".join(parts)))
    found = found[: count - 3]
    return [*found, "'" * 2**20, "' OR 1=1--" * 100_000, "\u02bc" * 2**19]
