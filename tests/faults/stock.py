"""OpenAI's own client, and what it made of an answer."""

from __future__ import annotations

from dataclasses import dataclass

import openai
from openai.types.chat import ChatCompletionMessageParam


@dataclass(frozen=True)
class Understood:
    """What a stock client would hand to its user."""

    question: str
    text: str
    finish_reason: str | None
    error: str | None = None


async def ask(
    client: openai.AsyncOpenAI, question: str, model: str, *, streamed: bool
) -> Understood:
    """Ask one question; errors other than the client's own escape."""
    text, finish = "", None
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": question}]
    try:
        if not streamed:
            whole = await client.chat.completions.create(model=model, messages=messages)
            choice = whole.choices[0]
            return Understood(question, choice.message.content or "", choice.finish_reason)
        stream = await client.chat.completions.create(model=model, messages=messages, stream=True)
        async with stream:
            async for chunk in stream:
                for told in chunk.choices:
                    text += told.delta.content or ""
                    finish = told.finish_reason or finish
    except openai.OpenAIError as error:
        return Understood(question, text, finish, type(error).__name__)
    return Understood(question, text, finish)
