"""The fake APIs against the official clients, so that what passes here passes there."""

import anthropic
import openai
import pytest
from tests.providers.fake_apis import fake_apis


def test_the_official_openai_client_runs_a_batch():
    with fake_apis() as (_, root), openai.OpenAI(base_url=f"{root}/v1", api_key="key") as client:
        line = (
            b'{"custom_id":"%b","method":"POST","url":"/v1/chat/completions",'
            b'"body":{"model":"m","messages":[{"role":"user","content":"say %b"}]}}\n'
        )
        data = b"".join(line % (key, word) for key, word in ((b"1", b"yes"), (b"2", b"bad")))
        file = client.files.create(file=("in.jsonl", data), purpose="batch")
        made = client.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"a": "b"},
        )
        assert made.status == "validating"
        assert [one.metadata for one in client.batches.list()] == [{"a": "b"}]
        seen = [client.batches.retrieve(made.id) for _ in range(3)]
        assert [one.status for one in seen] == ["in_progress", "finalizing", "completed"]
        counts = seen[-1].request_counts
        assert counts is not None
        assert (counts.total, counts.completed, counts.failed) == (2, 1, 1)
        assert seen[-1].output_file_id is not None
        assert seen[-1].error_file_id is not None
        assert '"content": "yes"' in client.files.content(seen[-1].output_file_id).text
        assert '"status_code": 400' in client.files.content(seen[-1].error_file_id).text


def test_the_official_openai_client_pages_through_batches():
    with fake_apis() as (fake, root), openai.OpenAI(base_url=f"{root}/v1", api_key="key") as client:
        fake.script["page"] = 2
        file = client.files.create(file=("in.jsonl", b""), purpose="batch")
        for _ in range(5):
            client.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
            )
        assert [one.id for one in client.batches.list()] == [f"batch_{n}" for n in range(4, -1, -1)]


def test_the_official_anthropic_client_runs_a_batch():
    with fake_apis() as (_, root), anthropic.Anthropic(base_url=root, api_key="key") as client:
        params = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": ""}]}
        words = ("yes", "bad", "refuse", "expire")
        made = client.messages.batches.create(
            requests=[
                {  # pyright: ignore[reportArgumentType]
                    "custom_id": word,
                    "params": params
                    | {"messages": [{"role": "user", "content": [{"type": "text", "text": word}]}]},
                }
                for word in words
            ]
        )
        assert made.processing_status == "in_progress"
        assert [one.id for one in client.messages.batches.list()] == [made.id]
        assert client.messages.batches.retrieve(made.id).request_counts.processing == 4
        ended = client.messages.batches.retrieve(made.id)
        assert ended.processing_status == "ended"
        assert ended.request_counts.errored == 1
        found = {one.custom_id: one.result for one in client.messages.batches.results(made.id)}
        assert {key: result.type for key, result in found.items()} == {
            "yes": "succeeded",
            "refuse": "succeeded",
            "bad": "errored",
            "expire": "succeeded",
        }
        assert found["refuse"].type == "succeeded"
        assert found["refuse"].message.stop_reason == "refusal"


def test_the_official_clients_hear_errors_as_the_apis_tell_them():
    with fake_apis() as (_, root):
        with anthropic.Anthropic(base_url=root, api_key="key", max_retries=0) as client:
            said = client.messages.create(
                model="m", max_tokens=9, messages=[{"role": "user", "content": "say yes"}]
            )
            assert said.content[0].type == "text"
            assert said.content[0].text == "yes"
            with pytest.raises(anthropic.RateLimitError):
                client.messages.create(
                    model="m", max_tokens=9, messages=[{"role": "user", "content": "busy"}]
                )
        with (
            openai.OpenAI(base_url=f"{root}/v1", api_key="wrong") as client,
            pytest.raises(openai.AuthenticationError),
        ):
            client.batches.list()
