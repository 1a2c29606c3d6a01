"""The logic of the media gateway: ports, the latch, what is heard of a stream. No sockets, no clock."""
