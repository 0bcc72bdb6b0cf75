"""``chatloom chat``: a talk in the terminal.

command.py    the command itself: options, and which of the two ways to talk
server.py     whom it talks to      client.py    what it asks there
talk.py       what was said so far  listening.py an answer on its way
session.py    the prompt, in turns  commands.py  what begins with a slash
branching.py  branches, of these
once.py       one question, for pipes
display/      answers on the terminal
"""
