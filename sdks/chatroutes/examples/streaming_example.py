"""Read an answer as it arrives: with callbacks, and as an iterator."""

import os

from chatroutes import ChatRoutes, Message, StreamChunk

client = ChatRoutes(api_key=os.getenv("CHATROUTES_API_KEY", "your-api-key"))
conversation = client.conversations.create({"title": "Streaming"})


def on_chunk(chunk: StreamChunk) -> None:
    if chunk["type"] == "content":
        print(chunk["content"], end="", flush=True)


def on_complete(message: Message) -> None:
    print(f"\nMessage {message['id']} is complete.")


print("With callbacks:")
client.messages.stream(
    conversation["id"],
    {"content": "Tell me about weaving."},
    on_chunk=on_chunk,
    on_complete=on_complete,
)

print("As an iterator:")
with client.messages.stream(conversation["id"], {"content": "And about looms?"}) as stream:
    for chunk in stream:
        print(chunk["content"], end="", flush=True)
    answer = stream.collect()
print(f"\nTokens used: {answer['usage']['totalTokens']}")

client.close()
