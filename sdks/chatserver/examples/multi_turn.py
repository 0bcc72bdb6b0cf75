from chatserver_sdk import ChatServerClient, Message, MessageRole

client = ChatServerClient(api_key="your-api-key")

conversation = [
    Message(role=MessageRole.USER, content="What is recursion?")
]

# First response
response1 = client.create_completion(
    model="claude-3-haiku",
    messages=conversation
)

if response1.choices:
    # Add assistant response to conversation
    conversation.append(response1.choices[0].message)
    
    # Follow-up question
    conversation.append(
        Message(role=MessageRole.USER, content="Can you give me an example?")
    )
    
    # Get follow-up response
    response2 = client.create_completion(
        model="claude-3-haiku",
        messages=conversation
    )
    
    print(response2.choices[0].message.content)

client.close()
