from chatserver_sdk import ChatServerClient

with ChatServerClient(api_key="your-api-key") as client:
    response = client.create_completion(
        model="claude-3-haiku",
        messages=[{"role": "user", "content": "Hello!"}]
    )
    print(response.choices[0].message.content)
    # Client automatically closed here
