"""The behaviours of a call, one a file: functions `(call, event)` or `(call, leg, event)` that add to `call.out`.

What a file has to be asked for is in its tables, which `table` joins:

    METHODS   method of a request inside a dialog → (call, leg, event)
    TIMERS    name of a timer → (call, data)
    EVENTS    class of an event → (call, event)
"""
