"""The journal: what must outlive this process, written in groups by threads: no loop waits for a disk or a database.

``append`` is fire and forget; ``durable`` calls back on the loop once its write will survive this process.  A thread
takes all that has gathered during WINDOW seconds and gives it to the store as one transaction: at 500
registrations a second one commit serves a handful of them. What nobody waits for wakes the thread only
after PATIENCE seconds: at 100 calls a second that is one commit for ten records instead of one for two.

A store that is away, full, locked or slower than HOLD blocks nobody: records go aside, to the backlog on the disk of
this machine, where a second thread puts them with an fdatasync for each group; that is durable too, and who waits is
called back.  The first thread brings the backlog into the database when that takes it, in order, and then records go
straight again (`rayswitch/store/course.py`).  What a process leaves in its backlog the next one of its name brings in.

The backlog is bounded (`limits.journal`); what is left out first is in `rayswitch/store/room.py`.  When the disk is
full as well, records wait in memory, MEMORY of them at most.  Alarms say all of this.  A record that the database will
never take is dropped alone, with a line in the log.

`journal.py` is the side of the loop, `database.py` and `disk.py` are the threads, `common.py` what they share.
"""

from actors.journal.journal import Journal

__all__ = ["Journal"]
