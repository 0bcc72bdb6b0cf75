from chatserver_sdk import ChatServerClient, Message, MessageRole

client = ChatServerClient(api_key="your-api-key")
user_id = "00000000-0000-0000-0000-000000000001"  # Supabase profile ID

try:
    # Start a new session; passing user ensures history is recorded
    first = client.create_completion(
        model="claude-3-haiku",
        messages=[Message(role=MessageRole.USER, content="Draft a project update email.")],
        user=user_id,
    )

    session_id = first.system_fingerprint
    if not session_id:
        raise RuntimeError("ChatServer did not return a session fingerprint")

    # Continue in streaming mode using the same session id
    stream = client.create_completion(
        model="claude-3-haiku",
        messages=[{"role": "user", "content": "Add a bullet list of risks."}],
        stream=True,
        user=user_id,
        session_id=session_id,
    )

    for delta in stream:
        print(delta, end="", flush=True)

    print("\nStream recorded under:", stream.metadata.get("system_fingerprint"))

    # Query stored history
    sessions = client.list_sessions(user_id)
    latest = sessions.sessions[0] if sessions.sessions else None
    if latest:
        detail = client.get_session(latest.id, user_id=user_id)
        print(f"Loaded {len(detail.messages)} stored messages")
finally:
    client.close()
