"""The server: conversations as trees, turns that end in one outcome, money that adds up."""
