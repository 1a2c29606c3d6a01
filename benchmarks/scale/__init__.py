"""Scale: what a call and a REGISTER cost with more SIP gateways, and what must not grow with traffic.

`python -m benchmarks.scale` starts a switch for each layout (gateways × nodes), loads it with SIPp from thousands of
source ports, so that the kernel spreads calls over the gateways as it would spread phones, and counts:

* CPU of the whole process tree for a call and for a REGISTER, idle cost taken off (`benchmarks.meter`);
* the share of messages that go from one gateway to another, and how many link frames that makes for a call;
* links, bytes of snapshots and segments of Ray's own connections a second, at two call rates: none of these may
  follow the rate (`tests/interop/test_scale.py` asserts it);
* `benchmarks.scale.inputs`: what one more link, member, extension costs; with all this `benchmarks.simulation` begins.

The latency of a hop between processes, by Unix socket and by TCP with TLS, is measured by `benchmarks.link`.

    layout    how many gateways on how many nodes, and how such a switch is started
    traffic   SIPp as many phones
    counts    what passed between processes, by their own counters and by the kernel's
    run       one layout: registrations, calls at two rates
    inputs    what follows the size of the switch
"""
