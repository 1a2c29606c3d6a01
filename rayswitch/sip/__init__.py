"""SIP (RFC 3261): messages, transactions and dialogs as synchronous machines, without sockets, clocks or
randomness."""
