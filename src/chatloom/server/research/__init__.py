"""Research: queries planned, sources searched and read, answers with citations."""
