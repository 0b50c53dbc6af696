"""The command line. `*_commands` declare what there is, light; the other modules are what some of them do."""
