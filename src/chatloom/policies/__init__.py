"""What happens around every request, one behaviour a file."""
