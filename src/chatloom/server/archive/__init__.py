"""Conversations as a file: JSON Lines that hold all of them but turns and money.

The first line is a `Header`. Each conversation follows in one piece: its own
line, which counts what belongs to it, then its branches, the main one first,
then its messages, each behind those it stands on, then its checkpoints.

Hashes cover what is said, never ids, so a file can be checked wherever it is
read (`reading`), and stored under other ids (`renaming`) with the same hashes.

What a conversation took stays where it was: a ledger's entries belong to
turns, and these to keys. The figures are told, and kept in the metadata of what
is imported, by the name ``chatloom.imported``.
"""
