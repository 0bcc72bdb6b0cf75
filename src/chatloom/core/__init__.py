"""Shared by client and server: no I/O, no clock, no asyncio."""
