from chatserver_sdk import ChatServerClient
from chatserver_sdk.exceptions import BadRequestError, UnauthorizedError

client = ChatServerClient(api_key="your-api-key")

try:
    response = client.create_completion(
        model="",  # Invalid model
        messages=[]
    )
except BadRequestError as e:
    print(f"Bad request: {e.message}")
    print(f"Status code: {e.status_code}")
except UnauthorizedError as e:
    print(f"Unauthorized: {e.message}")
except Exception as e:
    print(f"Other error: {e}")

client.close()
