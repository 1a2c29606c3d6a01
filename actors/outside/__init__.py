"""Lines and trunks at work: who takes calls outside, and whose calls come in.

`outgoing.py` is what calls and the dial plan see of them; `desk.py` finds the home of one; `lines.py` has those whose
home is this process: `peer.py` what both kinds have in common, `line.py` and `trunk.py` each.
"""
