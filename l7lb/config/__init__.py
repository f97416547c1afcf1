"""The rules file: YAML with places → schema → frozen specifications, and back.

Owns: what may stand in the file and what it means. Must not know: sockets, processes, live state.
"""
