from chatserver_sdk import ChatServerClient, Message, MessageRole

# Create client with API key
client = ChatServerClient(api_key="your-api-key", base_url="http://localhost:3284")

# List available models
models = client.list_models()
print(f"Available models: {[model.id for model in models.data]}")

# Create chat completion
messages = [
    Message(role=MessageRole.SYSTEM, content="You are a helpful assistant."),
    Message(role=MessageRole.USER, content="Write a hello world function in Python.")
]

response = client.create_completion(
    model="claude-3-haiku",
    messages=messages
)

print(f"Assistant: {response.choices[0].message.content}")
print(f"Tokens used: {response.usage.total_tokens}")

client.close()
