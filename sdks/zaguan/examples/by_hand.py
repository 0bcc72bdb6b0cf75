"""The document's own client, over `httpx`, with the models and errors of this package."""

import json
import os
import uuid
from typing import List, Optional

import httpx

from zaguan.errors import APIError
from zaguan.models import (
    ChatChunk,
    ChatRequest,
    ChatResponse,
    CreditsBalance,
    Message,
    ModelCapabilities,
    ModelInfo,
)


class ByHand:
    def __init__(self, base_url: str, api_key: str, timeout: Optional[float] = None, http_client: Optional[httpx.Client] = None):
        self.base_url = base_url.rstrip("/")
        self.api_key = api_key
        self.timeout = timeout
        self._client = http_client or httpx.Client(timeout=timeout)

    def _headers(self, rid: Optional[str] = None):
        return {
            "Authorization": f"Bearer {self.api_key}",
            "Content-Type": "application/json",
            "X-Request-Id": rid or str(uuid.uuid4()),
        }

    def _handle_response(self, resp, model):
        if resp.is_error:
            raise APIError(resp.status_code, resp.json()["error"]["message"], resp.headers.get("x-request-id"))
        return model.parse_obj(resp.json())

    def chat(self, request: ChatRequest, request_id: Optional[str] = None) -> ChatResponse:
        rid = request_id or str(uuid.uuid4())
        url = f"{self.base_url}/v1/chat/completions"

        headers = {
            "Authorization": f"Bearer {self.api_key}",
            "Content-Type": "application/json",
            "X-Request-Id": rid,
        }

        resp = self._client.post(url, headers=headers, json=request.dict(by_alias=True, exclude_none=True))
        return self._handle_response(resp, model=ChatResponse)

    def chat_stream(self, request: ChatRequest, request_id: Optional[str] = None):
        url = f"{self.base_url}/v1/chat/completions"
        req_body = request.copy()
        req_body.stream = True

        with self._client.stream("POST", url, headers=self._headers(request_id), json=req_body.dict(by_alias=True, exclude_none=True)) as resp:
            resp.raise_for_status()
            for line in resp.iter_lines():
                if not line or line.startswith("data: [DONE]"):
                    continue
                if line.startswith("data:"):
                    payload = line[len("data:"):].strip()
                    data = json.loads(payload)
                    yield ChatChunk.parse_obj(data)

    def list_models(self) -> List[ModelInfo]:
        resp = self._client.get(f"{self.base_url}/v1/models", headers=self._headers())
        return [ModelInfo.parse_obj(m) for m in resp.json().get("data", [])]

    def get_capabilities(self) -> List[ModelCapabilities]:
        resp = self._client.get(f"{self.base_url}/v1/capabilities", headers=self._headers())
        return [ModelCapabilities.parse_obj(c) for c in resp.json()]

    def get_credits_balance(self) -> CreditsBalance:
        resp = self._client.get(f"{self.base_url}/v1/credits/balance", headers=self._headers())
        return CreditsBalance.parse_obj(resp.json())


http = httpx.Client(timeout=30)
client = ByHand(os.environ.get("ZAGUAN_BASE_URL", "https://api.zaguanai.com"), "your-api-key", http_client=http)
request = ChatRequest(model="openai/gpt-4o-mini", messages=[Message(role="user", content="What is a loom?")])

print("In one piece:", client.chat(request).choices[0].message.content)
print("Streamed:", "".join(chunk.choices[0].delta.content or "" for chunk in client.chat_stream(request)))
print("Models:", len(client.list_models()), "with capabilities:", len(client.get_capabilities()))
print("Credits:", client.get_credits_balance().credits_remaining)

try:
    client.chat(ChatRequest(model="nobody/no-such-model", messages=request.messages), request_id="mine")
except APIError as error:
    print("API error", error.status_code, "in request", error.request_id)

http.close()
