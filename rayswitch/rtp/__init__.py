"""RTP and RTCP (RFC 3550), as far as a relay looks into them."""
