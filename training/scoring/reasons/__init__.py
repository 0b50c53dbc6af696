"""Why a score is what it is: the user's events and features that moved it most."""
