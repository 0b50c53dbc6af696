"""What every program needs: settings, errors, days, processes, arguments, atomic files."""
