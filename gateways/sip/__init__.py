"""The SIP gateway: sockets, and the shell of the transaction layer."""
