"""Fork a conversation, go on in both directions, compare and merge."""

import os

from chatroutes import ChatRoutes

with ChatRoutes(api_key=os.getenv("CHATROUTES_API_KEY", "your-api-key")) as client:
    conversation = client.conversations.create({"title": "Branching"})
    first = client.messages.send(conversation["id"], {"content": "How shall we store it?"})
    client.messages.send(conversation["id"], {"content": "Go on with the database."})

    branch = client.branches.fork(
        conversation["id"],
        {
            "forkPointMessageId": first["message"]["id"],
            "title": "Files instead",
            "contextMode": "FULL",
        },
    )
    print(f"Forked: {branch['title']}")

    client.branches.send_message(
        conversation["id"], branch["id"], {"content": "What if we used files?"}
    )
    for message in client.branches.get_messages(conversation["id"], branch["id"]):
        print(f"[{message['role']}] {message['content'][:40]}")

    diff = client.branches.diff(conversation["id"], branch["id"])
    print(f"Shared messages: {diff['sharedMessageCount']}")

    client.branches.update(conversation["id"], branch["id"], {"title": "Plain files"})
    merged = client.branches.merge(conversation["id"], branch["id"])
    print(f"Merged into: {merged['title']}")

    print(f"Branches: {[one['title'] for one in client.branches.list(conversation['id'])]}")
    client.conversations.delete(conversation["id"])
