"""ChatServer: completions and models for every OpenAI client, sessions, the platform."""
