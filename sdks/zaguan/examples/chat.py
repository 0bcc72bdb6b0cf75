from zaguan import ChatRequest, Message, ZaguanClient

client = ZaguanClient(base_url="https://api.zaguanai.com", api_key="your-api-key")

request = ChatRequest(
    model="openai/gpt-4o-mini",
    messages=[
        Message(role="system", content="You are a helpful assistant."),
        Message(role="user", content="What is a loom?"),
    ],
    temperature=0.7,
    max_tokens=200,
)

response = client.chat(request)

print("Assistant:", response.choices[0].message.content)
print("Finish reason:", response.choices[0].finish_reason)
print("Tokens used:", response.usage.total_tokens)

details = response.usage.completion_tokens_details
if details and details.reasoning_tokens is not None:
    print("Reasoning tokens:", details.reasoning_tokens)

client.close()
