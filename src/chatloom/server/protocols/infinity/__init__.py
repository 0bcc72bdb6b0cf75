"""Infinity Assistant's protocol: chat, memory, knowledge, research, API keys."""
