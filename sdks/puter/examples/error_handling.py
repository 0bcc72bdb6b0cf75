from puter import PuterAI, PuterAPIError, PuterAuthError

puter = PuterAI(username="ann", password="correct horse", timeout=60, max_retries=2)

try:
    print(puter.chat("Hello!", model="no-such-model"))
except PuterAuthError as error:
    print(f"not logged in: {error}")
except PuterAPIError as error:
    print(f"failed with {error.status_code} {error.code}: {error}")
