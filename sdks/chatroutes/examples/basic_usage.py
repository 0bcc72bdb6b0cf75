"""Begin a conversation, say something in it, list, change and delete it."""

import os

from chatroutes import ChatRoutes

client = ChatRoutes(api_key=os.getenv("CHATROUTES_API_KEY", "your-api-key"))

conversation = client.conversations.create({"title": "Rivers", "model": "gpt-5"})
print(f"Created conversation: {conversation['id']}")

response = client.messages.send(
    conversation["id"],
    {
        "content": "How do rivers find the sea?",
        "temperature": 0.7,
        "maxTokens": 200,
    },
)
print(f"Assistant: {response['message']['content']}")
print(f"Tokens used: {response['usage']['totalTokens']}")

for message in client.messages.list(conversation["id"]):
    print(f"[{message['role']}] {message['content'][:40]}")

page = client.conversations.list({"page": 1, "limit": 10})
print(f"Conversations: {page['total']}, more: {page['hasNext']}")

renamed = client.conversations.update(conversation["id"], {"title": "Rivers and seas"})
print(f"Renamed: {renamed['title']}")

tree = client.conversations.get_tree(conversation["id"])
print(f"Tree: {tree['metadata']['totalNodes']} messages")

client.conversations.delete(conversation["id"])
print("Deleted")

client.close()
