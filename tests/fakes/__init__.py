"""Stand-ins for the vendors, on real sockets: they speak the wire format, and misbehave when a test asks for it."""
