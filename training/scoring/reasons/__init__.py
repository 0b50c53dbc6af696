"""Why a score is what it is: the own events and features that moved it most."""
