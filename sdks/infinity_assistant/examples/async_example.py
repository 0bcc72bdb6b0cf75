"""The same calls, awaited."""

import asyncio
from infinity_assistant import AsyncInfinityAssistantClient

async def main():
    async with AsyncInfinityAssistantClient(
        api_key="ia_your_api_key_here"
    ) as client:
        response = await client.chat(message="Hello!")
        print(response["response"])

        async for chunk in client.chat_stream(message="Tell me a story"):
            if chunk["type"] == "text":
                print(chunk["content"], end="", flush=True)
        print()

asyncio.run(main())
