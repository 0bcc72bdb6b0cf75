import httpx
import respx

from zaguan import ChatRequest, Message, ZaguanClient

BASE_URL = "http://localhost:8080"

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1767268800,
    "model": "openai/gpt-4o-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi!"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}


@respx.mock
def test_chat():
    route = respx.post(f"{BASE_URL}/v1/chat/completions").mock(return_value=httpx.Response(200, json=ANSWER))

    with httpx.Client() as http_client:
        client = ZaguanClient(BASE_URL, "test-key", http_client=http_client)
        response = client.chat(
            ChatRequest(model="openai/gpt-4o-mini", messages=[Message(role="user", content="Hello!")]),
            request_id="test-1",
        )

    assert response.choices[0].message.content == "Hi!"
    assert response.usage.total_tokens == 3
    assert route.calls.last.request.headers["X-Request-Id"] == "test-1"


if __name__ == "__main__":
    test_chat()
    print("passed")
