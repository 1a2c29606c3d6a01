"""The media gateway: ports, sockets, and the thread that relays."""
