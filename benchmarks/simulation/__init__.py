"""A discrete-event simulation of large switches, with the costs that were measured on a small one.

`python -m benchmarks.simulation` runs 10 to 1,000 nodes with 100 calls/s and 10,000 registrations each, says how
busy every kind of process is and how long a caller waits for the 180, finds what saturates first, and draws it.

    costs     what one unit of each work takes: measured, with the command that measured it
    engine    events in order of time; servers with queues
    model     a cluster, and the way of a call and of a REGISTER through it
    upkeep    what costs without traffic: heartbeats, and snapshots when a node comes or goes
"""
