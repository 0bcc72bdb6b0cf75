"""The Messages API of Anthropic, in front of the same conversations as every other wire."""
