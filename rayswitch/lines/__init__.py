"""Lines and trunks: the accounts and peers outside, as machines.

account       what a line tells a registrar about itself
answering     the client's side of digest authentication
registering   the registration of a line (RFC 3261 §10.2)
"""
