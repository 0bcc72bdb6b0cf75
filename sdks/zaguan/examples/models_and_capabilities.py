from zaguan import ZaguanClient

with ZaguanClient(base_url="https://api.zaguanai.com", api_key="your-api-key") as client:
    for model in client.list_models():
        print(model.id, "by", model.owned_by)

    for capabilities in client.get_capabilities():
        print(capabilities.model_id, "vision:", capabilities.supports_vision, "tools:", capabilities.supports_tools)

    reasoning = client.get_capabilities(supports_reasoning=True)
    print("Reasoning:", [capabilities.model_id for capabilities in reasoning])
