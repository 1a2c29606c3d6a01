"""Records: what an operator keeps in the store - extensions, the dial plan, groups, lists of addresses.

A kind of record is a frozen dataclass made of settings, as switch.yaml is (`rayswitch/config/settings.py`): each field
knows what it expects, so that a file, the command line and the store all read it the same way. `KEY` names the fields
that tell one record from another.

    numbering, transition, extension, addresses, lines    the kinds
    content       all records; what has to be done to come from one content to another
    reading       pbx.yaml → content; complaints name file, line, key and what was expected
    writing       content → pbx.yaml
    checks        what the records say of each other
    keeping       content ↔ store
    imported      the file of another switch → lines
"""

from rayswitch.records.addresses import AddressRule
from rayswitch.records.content import KINDS, Change, Content, difference, key_of
from rayswitch.records.extension import Extension, ExtensionOptions
from rayswitch.records.lines import Line, Trunk
from rayswitch.records.numbering import Block, CalledNumber, CallerNumber, Dialling, Group, Refinement

__all__ = [
    "KINDS",
    "AddressRule",
    "Block",
    "CalledNumber",
    "CallerNumber",
    "Change",
    "Content",
    "Dialling",
    "Extension",
    "ExtensionOptions",
    "Group",
    "Line",
    "Refinement",
    "Trunk",
    "difference",
    "key_of",
]
