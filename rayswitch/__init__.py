"""rayswitch: the library below the actors: protocols and call logic, without sockets, clocks or randomness."""
