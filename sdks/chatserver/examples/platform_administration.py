from chatserver_sdk import ChatServerClient

client = ChatServerClient(api_key="admin-api-key")

# Get platform statistics
stats = client.get_platform_stats()
print(f"Total users: {stats.total_users}")
print(f"Active users: {stats.active_users}")
print(f"Total requests: {stats.total_requests}")

# List admins
admins = client.list_admins()
print(f"Platform admins: {admins['count']}")

# Get audit log
audit_log = client.get_audit_log(limit=20)
for entry in audit_log.entries:
    print(f"[{entry.timestamp}] {entry.action}: {entry.resource}")

client.close()
