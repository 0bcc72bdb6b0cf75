"""Read an answer as it arrives, and catch what can go wrong."""

from infinity_assistant import (
    InfinityAssistantClient,
    InfinityAssistantError,
    InfinityAssistantRateLimitError,
)

client = InfinityAssistantClient(api_key="ia_your_api_key_here")

for chunk in client.chat_stream(message="Tell me a story"):
    if chunk["type"] == "text":
        print(chunk["content"], end="", flush=True)
    elif chunk["type"] == "done":
        print("\nThe end.")

try:
    response = client.chat(message="Hello")
    print(response["response"])
except InfinityAssistantRateLimitError:
    print("Rate limit exceeded")
except InfinityAssistantError as e:
    print(f"API Error: {e.message}")

client.close()
