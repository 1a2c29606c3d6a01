"""The dial plan: from a caller number and a dialled number to a route (FEATURES §3).

    call blocking            (caller, dialled) → refused for `rate` calls of a hundred
    analyse the caller       longest prefix of the caller number → transition
    analyse the called       longest prefix of the dialled number → where to, level, transition
    refine the caller        outgoing group, longest prefix → transition
    refine the called        the same for the number that goes out
    route                    extension | members of a group | service | reject(status, reason)

`Tables` is the immutable snapshot of all records; `decide` (pipeline.py) is a pure function over it and the directory
of extensions, and notes its steps when somebody wants them explained. Chance comes from outside. Call blocking sees
both numbers as they came in, the levels of the caller are looked at with the record that demands one.

An existing extension is found before the outgoing prefix and before a record for `*`: these say what is done with
numbers that nobody has. A record with any other prefix comes before the extensions.
"""
