"""Finding points in a text where a talk could branch."""
