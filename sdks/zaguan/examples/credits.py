from zaguan import ZaguanClient

with ZaguanClient(base_url="https://api.zaguanai.com", api_key="your-api-key") as client:
    balance = client.get_credits_balance()
    print("Credits remaining:", balance.credits_remaining)
    print("Tier:", balance.tier, "Bands:", balance.bands, "Reset:", balance.reset_date)

    history = client.get_credits_history(limit=10)
    print("Entries:", history.total_entries)

    for entry in client.iter_credits_history(limit=10):
        print(entry.timestamp, entry.model, entry.credits_debited)

    stats = client.get_credits_stats(period="day")
    print("Used today:", stats.total_credits_used, "Cost:", stats.total_cost)
