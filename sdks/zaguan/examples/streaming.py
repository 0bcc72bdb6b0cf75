import asyncio

from zaguan import AsyncZaguanClient, ChatRequest, Message, ZaguanClient

request = ChatRequest(
    model="openai/gpt-4o-mini",
    messages=[Message(role="user", content="Tell me a story")],
    max_tokens=60,
)

with ZaguanClient(base_url="https://api.zaguanai.com", api_key="your-api-key") as client:
    print("Streaming response:")
    for chunk in client.chat_stream(request):
        if chunk.choices and chunk.choices[0].delta.content:
            print(chunk.choices[0].delta.content, end="", flush=True)
    print()

    # Everything at once, tool calls and usage included
    response = client.chat_stream(request).collect()
    print("Tokens used:", response.usage.total_tokens)


async def main() -> None:
    async with AsyncZaguanClient(base_url="https://api.zaguanai.com", api_key="your-api-key") as client:
        async for chunk in client.chat_stream(request):
            print(chunk.text, end="", flush=True)
        print()


asyncio.run(main())
