"""60 secrets and particulars that only a test has, in the forms that people send them in (P-1)."""

import base64
import json

TAIL = "zQ7xW2vK9mN4pR8tY3uB6cD1fG5hJ0aL"

CREDENTIALS = {
    "openai": f"sk-{TAIL}",
    "openai project": f"sk-proj-{TAIL}A",
    "openai service": f"sk-svcacct-{TAIL}B",
    "anthropic": f"sk-ant-api03-{TAIL}C",
    "aws": "AKIAZQ7XW2VK9MN4PR8T",
    "aws session": "ASIAZQ7XW2VK9MN4PR8T",
    "github": f"ghp_{TAIL}D1",
    "github oauth": f"gho_{TAIL}E1",
    "github app": f"ghs_{TAIL}F1",
    "github user": f"ghu_{TAIL}G1",
    "github refresh": f"ghr_{TAIL}H1",
    "github fine": f"github_pat_{TAIL}I",
    "gitlab": f"glpat-{TAIL}",
    "slack bot": "xoxb-" + "912345678901-zqxwvkmnprty",
    "slack user": "xoxp-" + "912345678902-zqxwvkmnprty",
    "stripe": "sk_live_" + f"{TAIL}1",
    "stripe test": "sk_test_" + f"{TAIL}2",
    "stripe restricted": "rk_live_" + f"{TAIL}3",
    "google": "AIza" + f"{TAIL}xyz",
    "google oauth": f"ya29.{TAIL}",
    "hugging face": f"hf_{TAIL}",
    "npm": "npm_" + f"{TAIL}ABCD",
    "pypi": f"pypi-{TAIL}{TAIL}",
    "sendgrid": f"SG.{TAIL[:22]}.{TAIL}",
    "jwt": f"eyJhbGciOiJub25lIn0.eyJzdWIiOiJjYW5hcnkifQ.{TAIL}",
}
"""Known by their own form, wherever they stand."""

IN_CONTEXT = {
    "bearer": ("Authorization: Bearer {}", f"{TAIL}bearer"),
    "database": ("postgres://app:{}@db.example/x", "c4nary-db-passw0rd"),
    "redis": ("redis://default:{}@cache.example:6379", "c4nary-redis-pass"),
    "assigned password": ("password={}", "c4nary-assigned-pw"),
    "quoted password": ('password: "{}"', "c4nary-quoted-pw"),
    "api_key": ("api_key={}", "c4nary-api-key-value"),
    "api-key header": ("x-api-key: {}", "c4nary-header-value"),
    "secret": ("client_secret={}", "c4nary-client-secret"),
    "private key": (
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
        "MIIEcanaryCANARYcanaryCANARYcanary",
    ),
}
"""Known by what stands beside them."""

EMAILS = [f"canary.{name}@mail-{name}.example.org" for name in ("ann", "bob", "eve", "li", "zoe")]
CARDS = ["4539 5787 6362 1486", "5500005555555559", "371449635398431", "6011-0009-9013-9424"]
PHONES = ["+49 151 23456789", "+1 (415) 555-0134", "020 7946 0958"]
NAMES = ["Wilhelmina Canary", "Катерина Канарейкина", "金絲雀太郎", "كناري أحمد", "कैनरी शर्मा"]


def spelt(text):
    """Spell a text with JSON's own escapes, letter by letter."""
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


def packed(text):
    return base64.b64encode(text.encode()).decode()


def credentials():
    """Return (how it is hidden, what is said, what must not be found) of each."""
    found = [(name, f"my key is {key}, ok", key) for name, key in CREDENTIALS.items()]
    found += [(name, form.format(key), key) for name, (form, key) in IN_CONTEXT.items()]
    whole = ("openai", "anthropic", "aws", "github", "stripe", "google", "hugging face", "gitlab")
    found += [
        (f"{name} in base64", f"see {packed(f'{CREDENTIALS[name]}')}", None) for name in whole
    ]
    return [(how, said, key or said.removeprefix("see ")) for how, said, key in found]


def particulars():
    """Return what is no credential, by class."""
    return {"emails": EMAILS, "cards": CARDS, "phones": PHONES, "names": NAMES}


def arguments(secrets):
    """Return a tool's arguments, JSON in JSON, that hold secrets as they are and as escapes."""
    plain = json.dumps({f"a{n}": secret for n, secret in enumerate(secrets)})
    hidden = "".join(f', "b{n}": "{spelt(secret)}"' for n, secret in enumerate(secrets))
    return plain[:-1] + hidden + "}"
