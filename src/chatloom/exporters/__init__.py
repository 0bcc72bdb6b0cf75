"""Where a `Meter` tells what it measured; each exporter's library is an extra."""
