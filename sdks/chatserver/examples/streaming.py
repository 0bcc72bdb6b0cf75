from chatserver_sdk import ChatServerClient

client = ChatServerClient(api_key="your-api-key")

messages = [{"role": "user", "content": "Tell me a story"}]

print("Streaming response:")
stream = client.create_completion(
    model="claude-3-haiku",
    messages=messages,
    stream=True
)

for chunk in stream:
    print(chunk, end='', flush=True)

print("\nSession fingerprint:", stream.metadata.get("system_fingerprint"))

client.close()
