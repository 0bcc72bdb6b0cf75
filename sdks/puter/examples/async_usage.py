import asyncio

from puter import PuterAI


async def main():
    async with PuterAI(username="ann", password="correct horse") as puter:
        answers = await asyncio.gather(
            puter.async_chat("One?"),
            puter.async_chat("Two?"),
            puter.async_chat("Three?"),
        )
        print(*answers, sep="\n")

        async for piece in puter.astream("Tell me a story."):
            print(piece, end="", flush=True)
        print(f"\n{len(puter.chat_history)} messages, {puter.usage.requests} requests")


asyncio.run(main())
