"""Actors that own sockets: SIP signalling, media, web."""
