"""Catch what can go wrong."""

import os

from chatroutes import (
    AuthenticationError,
    ChatRoutes,
    ChatRoutesError,
    NetworkError,
    NotFoundError,
    RateLimitError,
    ServerError,
    ValidationError,
)

client = ChatRoutes(
    api_key=os.getenv("CHATROUTES_API_KEY", "your-api-key"),
    timeout=30,
    retry_attempts=3,
    retry_delay=1.0,
)

try:
    client.conversations.get("conv_123")
except NotFoundError as error:
    print(f"Not found: {error.message} ({error.code})")

try:
    client.conversations.create({"title": ""})
except ValidationError as error:
    print(f"Invalid: {error.message}; details: {error.details}")

try:
    conversation = client.conversations.create({"title": "Errors"})
    client.conversations.delete(conversation["id"])
    print("All went well.")
except AuthenticationError as error:
    print(f"Check the API key: {error.message}")
except RateLimitError as error:
    print(f"Too fast; try again in {error.retry_after} seconds")
except ServerError as error:
    print(f"The server failed with {error.status_code}")
except NetworkError as error:
    print(f"No answer: {error.message}")
except ChatRoutesError as error:
    print(f"Something else: {error.status_code} {error.message}")

client.close()
