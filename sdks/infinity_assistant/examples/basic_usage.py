"""Say something, be answered, and go on."""

from infinity_assistant import InfinityAssistantClient

client = InfinityAssistantClient(
    api_key="ia_your_api_key_here"
)

response = client.chat(
    message="Hello!",
)

print(response["response"])

answer = client.chat(
    message="Go on!",
    conversation_id=response["conversationId"],
)

print(answer["response"])

client.store_memory("favourite", {"colour": "blue"}, ttl=3600)

memory = client.retrieve_memory("favourite")
if memory["found"]:
    print(f"Remembered: {memory['value']}")

found = client.search_knowledge(query="error handling", limit=3)
print(f"Known about it: {found['total']}")

for result in found["results"]:
    print(f"- {result['title']}")

print(f"Health: {client.health()['status']}")

client.close()
