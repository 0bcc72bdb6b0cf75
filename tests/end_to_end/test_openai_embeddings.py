"""Embeddings through the official ``openai`` package, which asks for base64 unless told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import openai
import pytest

from server.models.embedding import nearness
from support.live import Live

MODEL = "text-embedding-3-small"
KEY = "openai-embeddings"


@pytest.fixture
def client(live: Live) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=KEY, base_url=f"{live.url}/v1", max_retries=2) as client:
        yield client


def test_texts_are_embedded(client: openai.OpenAI) -> None:
    texts = ["How do I weave a basket?", "Weaving baskets by hand", "Stock markets fell today"]
    answer = client.embeddings.create(model=MODEL, input=texts)
    assert (answer.object, answer.model) == ("list", "loom/embed")
    assert [one.index for one in answer.data] == [0, 1, 2]
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 0
    own, near, far = (one.embedding for one in answer.data)
    assert nearness(own, near) > nearness(own, far)


def test_floats_are_the_same(client: openai.OpenAI) -> None:
    usual = client.embeddings.create(model=MODEL, input="one", dimensions=64)
    floats = client.embeddings.create(
        model=MODEL, input="one", dimensions=64, encoding_format="float"
    )
    assert usual.data[0].embedding == floats.data[0].embedding
    assert len(usual.data[0].embedding) == 64


def test_tokens_are_embedded(client: openai.OpenAI) -> None:
    alone = client.embeddings.create(model=MODEL, input=[1, 2, 3], user="somebody")
    both = client.embeddings.create(model=MODEL, input=[[1, 2, 3], [4]])
    assert alone.data[0].embedding == both.data[0].embedding
    assert len(both.data) == 2


def test_a_rate_limited_request_is_repeated_until_it_succeeds(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="loom/embed?429=1", input="one")
    assert len(answer.data) == 1


@pytest.mark.parametrize(
    ("model", "given", "error"),
    [
        ("no/such-model", "one", openai.NotFoundError),
        ("loom/scribe", "one", openai.BadRequestError),
        (MODEL, "", openai.BadRequestError),
    ],
)
def test_errors_are_the_packages_own(
    client: openai.OpenAI, model: str, given: str, error: type[openai.APIStatusError]
) -> None:
    with pytest.raises(error) as caught:
        client.embeddings.create(model=model, input=given)
    assert isinstance(caught.value.body, dict)


def test_the_async_client_too(live: Live) -> None:
    async def main() -> None:
        async with openai.AsyncOpenAI(api_key=KEY, base_url=f"{live.url}/v1") as client:
            answer = await client.embeddings.create(model=MODEL, input=["one", "two"])
            assert len(answer.data) == 2

    asyncio.run(main())
