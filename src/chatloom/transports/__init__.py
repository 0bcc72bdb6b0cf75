"""Where bytes leave the process; nothing else in the client touches the world."""
