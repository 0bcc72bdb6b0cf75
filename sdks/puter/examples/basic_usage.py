from puter import PuterAI

puter = PuterAI(username="ann", password="correct horse")

puter.login()
print(puter.chat("Hello!"))
print(puter.chat("What did I say?", model="gpt-5-nano"))

puter.set_model("claude-sonnet-4-5")
for piece in puter.chat("Tell me a story.", stream=True):
    print(piece, end="", flush=True)
print()

for message in puter.chat_history:
    print(f"{message['role']}: {message['content']}")
puter.clear_chat_history()
