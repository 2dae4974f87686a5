"""The capture file: rows of traffic on disk, written beside the traffic and read as if a stranger had made them."""
