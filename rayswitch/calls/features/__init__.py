"""The behaviours of a call, one a file: functions `(call, event)` or `(call, leg, event)` that add to `call.out`."""
