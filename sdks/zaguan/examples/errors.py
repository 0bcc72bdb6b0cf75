from zaguan import ChatRequest, Message, ZaguanClient
from zaguan.errors import APIError, InsufficientCreditsError, RateLimitError, ZaguanError

client = ZaguanClient(base_url="https://api.zaguanai.com", api_key="your-api-key")

request = ChatRequest(
    model="nobody/no-such-model",
    messages=[Message(role="user", content="Hello!")],
)

try:
    client.chat(request)
except InsufficientCreditsError as e:
    print(f"Credits: {e.credits_remaining} left, {e.credits_required} needed, more on {e.reset_date}")
except RateLimitError as e:
    print(f"Too fast: wait {e.retry_after} seconds")
except APIError as e:
    print(f"API error {e.status_code}: {e}")
    print(f"Request id: {e.request_id}")
except ZaguanError as e:
    print(f"Other error: {e}")

client.close()
