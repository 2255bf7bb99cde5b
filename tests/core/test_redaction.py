"""P-1, P-2: what no store may hold is not in it, and what can't be cleaned is not kept."""

import base64
import json
import re
import string
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core import people, redaction
from stepdown.core.redaction import KINDS, Redaction, forms_of, redactor

TAIL = "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5z"
CREDENTIALS = {
    "openai": f"sk-proj-{TAIL}",
    "anthropic": f"sk-ant-api03-{TAIL}",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "aws session": "ASIAIOSFODNN7EXAMPLE",
    "github": f"ghp_{TAIL}",
    "github fine": f"github_pat_{TAIL}",
    "gitlab": "glpat-aB3dE5fG7hI9jK1lM3nO",
    "slack": "xoxb-123456789012-abcdefghij",
    "stripe": "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "google": "AIza" + (TAIL * 2)[:35],
    "google oauth": f"ya29.{TAIL}",
    "hugging face": f"hf_{TAIL}",
    "npm": "npm_" + (TAIL * 2)[:36],
    "pypi": f"pypi-{TAIL}{TAIL}",
    "sendgrid": f"SG.{TAIL[:22]}.{TAIL}",
    "jwt": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{TAIL}",
    "bearer": f"{TAIL}{TAIL}",
    "database": "s3cr3t-Passw0rd",
    "assigned": "hunter2hunter2",
    "private key": "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7",
}
WRITTEN = {
    "bearer": "authorization: Bearer {}",
    "database": "postgres://app:{}@db.internal/x",
    "assigned": 'password = "{}"',
    "private key": "-----BEGIN RSA PRIVATE KEY-----\n{}\nabc=\n-----END RSA PRIVATE KEY-----",
}
COUNTRIES = ("US", "GB", "DE", "FR", "NL")
EVERY = redactor(KINDS, regions=COUNTRIES)
ALL = redactor(("credentials", "emails", "cards"))


def written(name):
    return WRITTEN.get(name, "My key is {}, keep it.").format(CREDENTIALS[name])


@pytest.mark.parametrize("name", CREDENTIALS)
def test_p1_credentials_are_taken_out_and_json_stays_json(name):
    line = json.dumps({"text": written(name), "n": 1}).encode()
    found = redactor(["credentials"]).clean(line)
    assert CREDENTIALS[name].encode() not in found
    assert b"[redacted" in found
    assert json.loads(found)["n"] == 1


@pytest.mark.parametrize("name", ["openai", "github", "aws", "slack"])
def test_p1_whole_keys_in_base64_are_taken_out(name):
    packed = base64.b64encode(CREDENTIALS[name].encode())
    assert packed not in ALL.clean(b'{"text": "see %b"}' % packed)


def test_p1_emails_and_cards_on_request_alone():
    line = b'{"text": "ann@example.org paid with 4111 1111 1111 1111, order 1234567890123456"}'
    assert redactor(["credentials"]).clean(line) == line
    found = ALL.clean(line)
    assert b"ann@" not in found
    assert b"4111" not in found
    assert b"1234567890123456" in found  # no card has that check digit


def test_p1_a_card_beside_other_numbers_is_still_one():
    for text in ("371449635398431-2026", "12 4111 1111 1111 1111 99", "4111-1111-1111-1111 123"):
        found = ALL.clean(b'{"n": "%b"}' % text.encode())
        assert b"[redacted card]" in found, text
        assert b"1111 1111" not in found
    assert ALL.clean(b'{"n": "1 2 3 4 5 6 7 8 9 10 11 12 13 14"}').count(b"[") == 0


@pytest.mark.parametrize("newline", ["\n", "\r\n", "?", " ", "\\n"])
def test_p1_a_private_key_outside_json_and_one_that_is_cut_off(newline):
    key = newline.join(("-----BEGIN EC PRIVATE KEY-----", "MIIEcanary+/A=", "MIIEcanary+/B="))
    for text in (f"{key}{newline}-----END EC PRIVATE KEY----- thanks", key, f"<{key}>", f'"{key}"'):
        assert b"canary" not in ALL.clean(text.encode()), text
    assert ALL.clean(f"{key}{newline}-----END EC PRIVATE KEY----- thanks".encode()).endswith(
        b"thanks"
    )


ESCAPED = {
    "letters": "".join(f"\\u{ord(letter):04x}" for letter in f"sk-{TAIL}"),
    "one letter": f"\\u0073k-{TAIL}",
    "json in json": f"\\\\u0073k-{TAIL}",
    "slashes": "postgres:\\/\\/app:sk-hunter2hunter2hunter2@db",
}


@pytest.mark.parametrize("name", ESCAPED)
def test_p1_escapes_hide_no_credential(name):
    found = ALL.clean(b'{"text": "my %b.", "quote": "\\u0022\\u005c"}' % ESCAPED[name].encode())
    assert TAIL not in json.dumps(json.loads(found))
    assert "hunter2" not in json.dumps(json.loads(found))
    assert json.loads(found)["quote"] == '"\\'


@given(st.text(max_size=40), st.text(max_size=40))
def test_json_with_escapes_stays_json(first, second):
    line = json.dumps({first: [second, json.dumps(second)]}).replace("/", "\\/").encode()
    found = redactor(["credentials"]).clean(line)
    assert isinstance(json.loads(found), dict)


ASSIGNED = "hunter2hunter2"


@pytest.mark.parametrize(
    "written",
    [
        "DB_PASSWORD={}",
        "Password: {}",
        "password  =  '{}'",
        "OPENAI_API_KEY={}",
        "AWS_SECRET_ACCESS_KEY={}/K7",
        "aws_secret_access_key = {}",
        "X-Api-Key: {}",
        "clientSecret={}&Secret: {}",
        "pwd={}",
        "access_token={}{}",
        "BEARER {}{}",
        "https://u:{}@{}@host/",
        '{{"apiKey": "{}"}}',
    ],
)
def test_p1_what_is_assigned_is_taken_out_however_it_is_spelt(written):
    text = written.format(ASSIGNED, ASSIGNED)
    for line in (text, {"text": text}, json.dumps({"text": text})):
        found = redactor(["credentials"]).clean(json.dumps(line).encode())
        assert ASSIGNED.encode() not in found
        assert b"[redacted " in found
        json.loads(found)


@pytest.mark.parametrize("value", [ASSIGNED, 12345678, [12345678], "12345678"])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_p1_what_is_assigned_in_json_leaves_json(value, times):
    line = json.dumps({"password": value, "n": [{"secret": value}]})
    for _ in range(times - 1):
        line = json.dumps(line)
    found = redactor(["credentials"]).clean(line.encode())
    assert b"hunter2" not in found
    assert not isinstance(value, str) or value.encode() not in found
    for _ in range(times):
        found = json.loads(found)
    assert set(found) == {"password", "n"}


SIGNS = ["password:", "Password = ", 'api_key":', "secret=\\", "pwd :", "access_token:", "x"]


@given(
    st.lists(
        st.sampled_from([*SIGNS, ASSIGNED, ASSIGNED * 2, "\n", "\t", '"', "'", "\\", "\u201c", " "])
        | st.text(max_size=12),
        max_size=8,
    ).map("".join),
    st.booleans(),
    st.integers(1, 3),
)
def test_what_was_cleaned_is_json_and_stays_as_it_is(text, plain, times):
    line = json.dumps({"text": text, "password": text}, ensure_ascii=plain)
    for _ in range(times - 1):
        line = json.dumps(line, ensure_ascii=plain)
    clean = redactor(["credentials"]).clean
    found = clean(line.encode())
    assert clean(found) == found
    inner = json.loads(found)
    for _ in range(times - 1):
        inner = json.loads(inner)
    assert set(inner) == {"text", "password"}


def test_p1_a_password_on_the_next_line():
    found = redactor(["credentials"]).clean(json.dumps(f"password:\n{ASSIGNED} \u201d").encode())
    assert json.loads(found) == "password:\n[redacted secret] \u201d"
    said = json.dumps("I forgot my password:\n\u201cInstructions\u201d never came").encode()
    assert ASSIGNED.encode() not in redactor(["credentials"]).clean(said)
    json.loads(redactor(["credentials"]).clean(said))


def test_p1_basic_authentication_is_known_by_what_it_says():
    known = base64.b64encode(b"user:hunter2hunter2").decode()
    clean = redactor(["credentials"]).clean
    assert clean(f'"Authorization: Basic {known}"'.encode()) == (
        b'"Authorization: Basic [redacted password]"'
    )
    plain = b'"Basic authentication needs Basic understanding"'
    assert clean(plain) == plain


ORDINARY = (
    "The task-management risk-assessment is due; ask for the api key at the desk.",
    "Reset my password please, I forgot the secret word",
    "https://example.org/a:b?c=d and ftp://example.org",
    "The ASIA market, SG. and ghost-writers; 2026-11-24 12:00, +44 20 7946 0958",
    '{"prompt_tokens": 120, "completion_tokens": 8}',
    "PWD=/home/user/project; pwd: /home/user; token: classification_label_of_it",
)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays(text):
    line = json.dumps({"text": text}).encode()
    assert redactor(["credentials"]).clean(line) == line


@given(st.text(max_size=200))
def test_json_stays_json(text):
    line = json.dumps({"text": text, "key": written("openai")}).encode()
    assert json.loads(ALL.clean(line))["key"] == "My key is [redacted key], keep it."


def test_our_own_keys_are_known_word_for_word():
    odd = redactor([], ["an odd key of ours", "short"])
    assert odd.clean(b'"an odd key of ours, short"') == b'"[redacted key], short"'


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * 100_000,
        "sk-" * 33_000,
        "://" + "a" * 100_000,
        ("://a:" * 20_000),
        "-----BEGIN PRIVATE KEY-----" * 3_700,
        "password" + "=" * 100_000,
        "a.@" * 33_000,
        "1 " * 50_000,
        "4 " * 50_000,
        "4111 " * 20_000,
        "eyJ" + "a" * 50_000 + ".eyJ" + "b" * 50_000,
        (string.ascii_letters + "c2st") * 1_800,
    ],
)
def test_s12_hostile_text_takes_no_longer_than_other_text(hostile):
    line = json.dumps({"text": hostile}).encode()
    began = time.process_time()
    ALL.clean(line)
    # Ten times what the plan allows for one pattern: a guard against backtracking, not a timing.
    assert time.process_time() - began < 2.0


OLD_SPELT = re.compile(rb"\\+(?:u00([2-7][0-9A-Fa-f])|/)")
OLD_JWT = re.compile(rb"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*", re.ASCII)


def made_of(*parts):
    return st.lists(st.sampled_from(parts), max_size=30).map(b"".join)


@given(made_of(b"\\", b"\\\\", b"u00", b"73", b"/", b"a"))
def test_spelt_letters_are_found_as_by_the_plain_form(text):
    assert redaction._SPELT.sub(redaction._plain, text) == OLD_SPELT.sub(redaction._plain, text)


@given(made_of(b"eyJ", b".", b"eyJabcdefgh", b".eyJabcdefgh.", b"x-_", b" ", b"\\n"))
def test_tokens_are_found_as_by_the_plain_form(text):
    (found,) = (one for one in forms_of("credentials") if one.letters == b"eyJ")
    within: Any = found.within
    assert found.form.sub(within, text) == OLD_JWT.sub(b"[redacted token]", text)


UNITS = (
    "\\",
    "eyJ",
    "eyJabcdefgh.",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY----- -----END ",
    "SG.",
    "SG.aaaaaaaaaaaaaaaaaaaa",
    "Bearer ",
    "://a:b",
    "a@a.",
    "a.",
    "1 ",
    "4111-",
    "secret=",
    *(one.letters.decode() for one in EVERY.patterns if one.letters),
    "+49 151",
    "00 4",
    "(020)",
    "DE89 3704 ",
    "1.2.",
    "a:",
    "12 34",
    '"user": "',
    '\\"user\\":',
)


def seconds_for(form, text):
    began = time.process_time()
    form.sub(b"", text)
    return time.process_time() - began


@pytest.mark.parametrize("end", ["", "\\/", " ", '"'])
def test_s12_no_form_takes_more_than_linear_time(end):
    forms = [one.form for one in EVERY.patterns] + [people._NAMED]
    for form in (*forms, redaction._SPELT, redaction._RUN):
        for unit in UNITS:
            text = (unit * (20_000 // len(unit)) + end).encode()
            if (spent := seconds_for(form, text)) > 0.05:
                quarter = min(seconds_for(form, text[: len(text) // 4] + text[-9:]) for _ in "ab")
                assert spent < 9 * quarter, (form, unit)


@pytest.mark.parametrize("name", CREDENTIALS)
@pytest.mark.parametrize("before", ["\n", "\t", "\u00e9", "\\\n"])
def test_p1_a_credential_at_the_beginning_of_a_line(name, before):
    said = before + written(name)[0 if name in WRITTEN else len("My key is ") :]
    found = redactor(["credentials"]).clean(json.dumps({"text": said}).encode())
    assert CREDENTIALS[name] not in json.loads(found)["text"]
    packed = base64.b64encode(CREDENTIALS["openai"].encode()).decode()
    found = ALL.clean(json.dumps({"text": f"see:\n{packed}"}).encode())
    assert packed not in json.loads(found)["text"]


@pytest.mark.parametrize("before", ["", "\n", "\u4e00", "\\", "\\\n", "x: "])
def test_p1_an_email_at_the_beginning_of_a_line(before):
    found = ALL.clean(json.dumps({"text": f"{before}nan@example.org"}).encode())
    assert json.loads(found)["text"] == f"{before}[redacted email]"


def test_p1_numbers_of_json_stay_numbers():
    line = b'{"card": 4111111111111111, "n": [4111111111111111, 2], "text": "4111111111111111"}'
    told = json.loads(ALL.clean(line))
    assert told == {"card": 0, "n": [0, 2], "text": "[redacted card]"}
    moment = b'{"created": 1764000000000, "at": "1764000000000"}'
    assert EVERY.clean(moment) == moment


def test_a_user_who_would_be_taken_out_goes_by_a_mark():
    line = json.dumps({"user": "ann@example.org", "text": "ann@example.org"}).encode()
    told = json.loads(ALL.clean(line))
    assert told == {"user": people.mark_of("ann@example.org"), "text": "[redacted email]"}
    assert redactor(["credentials"]).clean(line) == line
    other = json.loads(ALL.clean(line.replace(b"ann", b"bob")))
    assert other["user"] != told["user"]


def test_its_name_says_what_is_taken_out():
    assert Redaction().name == "credentials"
    assert Redaction(("cards", "emails"), ("US",)).name == "emails+cards"
    assert Redaction(("phones",), ("US", "DE")).name == "phones:DE,US"
    assert Redaction(()).name == "nothing"
